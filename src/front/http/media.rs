//! `Content-Type` and `Accept` of a request.
//!
//! A page cannot send `application/json` to us without asking first, so the content type is part of the guard. `Accept`
//! is read kindly: wildcards count, and so does a missing header.

use crate::front::http::header::single;
use crate::front::http::reply::Refusal;
use http::HeaderMap;
use http::StatusCode;
use http::header;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// Checks a POST.
///
/// # Errors
/// 415 for a body that is not declared as JSON; 406 for a client that does not take both kinds of answer.
pub fn check_post(headers: &HeaderMap) -> Result<(), Refusal> {
    check_body(headers)?;
    if accepts(headers, JSON) && accepts(headers, EVENTS) {
        return Ok(());
    }
    let text = "the client must accept both kinds of answer: `Accept: application/json, text/event-stream`";
    Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, text))
}

/// Checks a POST whose answer does not come with it.
///
/// # Errors
/// 415 for a body that is not declared as JSON.
pub fn check_body(headers: &HeaderMap) -> Result<(), Refusal> {
    let declared = single(headers, header::CONTENT_TYPE).ok().flatten();
    if declared.is_some_and(|declared| essence(declared).eq_ignore_ascii_case(JSON)) {
        return Ok(());
    }
    let text = "the body must be sent with `Content-Type: application/json`";
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text))
}

/// Checks a GET.
///
/// # Errors
/// 406 for a client that does not take a stream of events.
pub fn check_get(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(header::ACCEPT) && accepts(headers, EVENTS) {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::NOT_ACCEPTABLE,
        "the client must accept a stream: `Accept: text/event-stream`",
    ))
}

fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let mut values = headers.get_all(header::ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    let ranges = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    ranges.filter(|range| !is_ruled_out(range)).any(|range| covers(essence(range), wanted))
}

fn covers(range: &str, wanted: &str) -> bool {
    let (Some((kind, sub)), Some((wanted_kind, _))) = (range.split_once('/'), wanted.split_once('/')) else {
        return false;
    };
    range.eq_ignore_ascii_case(wanted)
        || (sub == "*" && (kind == "*" || kind.eq_ignore_ascii_case(wanted_kind)))
}

/// `q=0` says: not this.
fn is_ruled_out(range: &str) -> bool {
    let weight = range.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse::<f32>().ok())?
    });
    weight.is_some_and(|weight| weight <= 0.0)
}

fn essence(value: &str) -> &str {
    value.split_once(';').map_or(value, |(essence, _)| essence).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(content_type: Option<&str>, accept: &[&str]) -> u16 {
        let mut headers = HeaderMap::new();
        if let Some(value) = content_type {
            headers.append(header::CONTENT_TYPE, value.parse().unwrap());
        }
        for value in accept {
            headers.append(header::ACCEPT, value.parse().unwrap());
        }
        check_post(&headers).map_or_else(|refusal| refusal.into_reply().status().as_u16(), |()| 200)
    }

    #[test]
    fn only_json_is_a_body() {
        let both = ["application/json, text/event-stream"];
        for good in ["application/json", "Application/JSON; charset=utf-8"] {
            assert_eq!(status(Some(good), &both), 200, "{good}");
        }
        for bad in ["text/plain", "application/json-rpc", "application/jsonx", "multipart/form-data", ""] {
            assert_eq!(status(Some(bad), &both), 415, "{bad}");
        }
        assert_eq!(status(None, &both), 415);
    }

    #[test]
    fn both_kinds_of_answer_must_be_acceptable() {
        let json = Some("application/json");
        let good: [&[&str]; 6] = [
            &[],
            &["*/*"],
            &["text/event-stream,application/json;q=0.5"],
            &["application/json", "text/event-stream"],
            &["application/*, TEXT/*"],
            &["text/html, */*;q=0.1"],
        ];
        for accept in good {
            assert_eq!(status(json, accept), 200, "{accept:?}");
        }
        let bad: [&[&str]; 5] = [
            &["application/json"],
            &["text/event-stream"],
            &["text/html"],
            &["application/json, text/event-stream;q=0"],
            &[""],
        ];
        for accept in bad {
            assert_eq!(status(json, accept), 406, "{accept:?}");
        }
    }
}
