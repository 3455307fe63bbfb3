//! The head of an HTTP/1.1 response, as far as it matters here: its status, a few headers, and how its body is framed.
//!
//! Source: RFC 9110 and RFC 9112. What is said twice and differs is refused. It reads no socket.

use crate::downstream::http::direct::framing::Framing;
use crate::downstream::http::mark::SESSION;
use http::HeaderValue;
use http::StatusCode;
use http::header::RETRY_AFTER;
use http::header::WWW_AUTHENTICATE;
use httparse::Header;
use httparse::ParserConfig;
use httparse::Response;
use httparse::Status;
use std::mem::MaybeUninit;

/// Most headers of a response.
const HEADERS: usize = 100;

/// What a response says before its body.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// The status; never one of 1xx.
    pub status: StatusCode,
    /// What kind of content follows.
    pub content: Content,
    /// What few responses say.
    pub rare: Option<Box<Rare>>,
    /// How its body ends.
    pub framing: Framing,
    /// True when another request may follow on the same connection.
    pub keeps_open: bool,
}

/// Headers that few responses have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rare {
    /// When to ask again.
    pub retry_after: Option<HeaderValue>,
    /// The session it opens.
    pub session: Option<HeaderValue>,
    /// Which credentials it wants; the last challenge, if there are several.
    pub challenge: Option<HeaderValue>,
}

/// What `Content-Type` says, without parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// `application/json`, `…+json`, or nothing.
    Json,
    /// `text/event-stream`.
    Events,
    /// Something else, in lower case.
    Other(Box<str>),
}

/// A head that is none, or that means two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its answer is no HTTP/1.1: {0}")]
pub struct NotHttp(&'static str);

impl Content {
    /// What the value of a `Content-Type` means.
    #[must_use]
    pub fn of(value: &[u8]) -> Self {
        // What cannot be shown is taken for nothing.
        let text = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte >= b' '));
        let kind = text.unwrap_or("application/json").split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/json") {
            return Self::Json;
        }
        let kind = kind.to_ascii_lowercase();
        match kind.as_str() {
            "text/event-stream" => Self::Events,
            json if json.ends_with("+json") => Self::Json,
            _ => Self::Other(kind.into()),
        }
    }
}

/// Reads a head from the beginning of `bytes`, and tells how many of them it has. Interim responses before it are
/// skipped. `None` when more bytes are needed.
///
/// # Errors
/// [`NotHttp`].
pub fn read(bytes: &[u8]) -> Result<Option<(Head, usize)>, NotHttp> {
    let mut skipped = 0;
    loop {
        let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; HEADERS];
        let mut response = Response::new(&mut []);
        let parsed = ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            &bytes[skipped..],
            &mut headers,
        );
        let length = match parsed {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(NotHttp("its message head is too large")),
            Err(_) => return Err(NotHttp("its head cannot be read")),
        };
        skipped += length;
        match response.code {
            Some(101) => return Err(NotHttp("it switches to another protocol")),
            Some(100..200) => {}
            _ => return head(&response).map(|head| Some((head, skipped))),
        }
    }
}

fn head(response: &Response<'_, '_>) -> Result<Head, NotHttp> {
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(NotHttp("its status is none"))?;
    let mut head = Head {
        status,
        content: Content::Json,
        rare: None,
        framing: Framing::ToEnd,
        keeps_open: response.version == Some(1),
    };
    let (mut length, mut coding) = (None, None);
    for Header { name, value } in response.headers.iter() {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        match name.len() {
            12 if is("content-type") => head.content = Content::of(value),
            14 if is("content-length") => {
                let said = length_of(value).ok_or(NotHttp("its length cannot be read"))?;
                if length.replace(said).is_some_and(|before| before != said) {
                    return Err(NotHttp("it has two lengths"));
                }
            }
            17 if is("transfer-encoding") => coding = Some(*value),
            10 if is("connection") => head.keeps_open = keeps_open(value, head.keeps_open),
            11 if is(RETRY_AFTER.as_str()) => {
                head.rare.get_or_insert_default().retry_after = HeaderValue::from_bytes(value).ok();
            }
            14 if is(SESSION.as_str()) => {
                head.rare.get_or_insert_default().session = HeaderValue::from_bytes(value).ok();
            }
            16 if is(WWW_AUTHENTICATE.as_str()) => {
                head.rare.get_or_insert_default().challenge = HeaderValue::from_bytes(value).ok();
            }
            _ => {}
        }
    }
    head.framing = match (coding, length) {
        _ if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) => Framing::Length(0),
        (Some(coding), length) => {
            // Both may be somebody's attempt to have them read differently.
            head.keeps_open &= length.is_none();
            match coding.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                true => Framing::CHUNKED,
                false => return Err(NotHttp("its transfer coding is not known")),
            }
        }
        (None, Some(length)) => Framing::Length(length),
        (None, None) => Framing::ToEnd,
    };
    head.keeps_open &= head.framing != Framing::ToEnd;
    Ok(head)
}

fn length_of(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

fn keeps_open(value: &[u8], usual: bool) -> bool {
    let words = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let mut keeps = usual;
    for word in words {
        match word {
            word if word.eq_ignore_ascii_case(b"close") => return false,
            word if word.eq_ignore_ascii_case(b"keep-alive") => keeps = true,
            _ => {}
        }
    }
    keeps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &str) -> Result<Head, NotHttp> {
        let bytes = format!("HTTP/1.1 200 OK\r\n{lines}\r\nrest");
        let (head, length) = read(bytes.as_bytes())?.expect("it is whole");
        assert_eq!(length, bytes.len() - 4);
        Ok(head)
    }

    #[test]
    fn a_head_tells_how_its_body_ends_and_whether_the_connection_goes_on() {
        for (lines, framing, keeps_open) in [
            ("content-length: 7\r\n", Framing::Length(7), true),
            ("Content-Length: 7\r\nContent-Length: 7\r\n", Framing::Length(7), true),
            ("content-length: 7\r\nConnection: x, Close\r\n", Framing::Length(7), false),
            ("Transfer-Encoding: Chunked\r\n", Framing::CHUNKED, true),
            ("transfer-encoding: chunked\r\ncontent-length: 7\r\n", Framing::CHUNKED, false),
            ("", Framing::ToEnd, false),
        ] {
            let head = of(lines).unwrap();
            assert_eq!((head.framing, head.keeps_open), (framing, keeps_open), "{lines}");
        }
        let (old, _) = read(b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap().unwrap();
        assert!(!old.keeps_open);
        let (empty, _) = read(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!((empty.framing, empty.keeps_open), (Framing::Length(0), true));
    }

    #[test]
    fn what_means_two_things_is_no_head() {
        for lines in [
            "content-length: 7\r\ncontent-length: 8\r\n",
            "content-length: +7\r\n",
            "content-length: 7, 7\r\n",
            "content-length: \r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "a b: c\r\n",
        ] {
            of(lines).unwrap_err();
        }
        read(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101)).into_bytes()).unwrap_err();
        read(b"HTTP/1.1 101 Switching\r\n\r\n").unwrap_err();
        read(b"SSH-2.0-x\r\n").unwrap_err();
    }

    #[test]
    fn a_head_may_come_in_parts_and_after_interim_ones() {
        let bytes = b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 404 X\r\nMcp-Session-Id: s\r\nRetry-After: 7\r\n\r\n";
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Ok(None), "{end}");
        }
        let (head, length) = read(bytes).unwrap().unwrap();
        assert_eq!((head.status.as_u16(), length), (404, bytes.len()));
        let rare = Rare {
            retry_after: Some("7".parse().unwrap()),
            session: Some("s".parse().unwrap()),
            challenge: None,
        };
        assert_eq!(head.rare, Some(Box::new(rare)));
    }

    #[test]
    fn content_is_told_by_its_type() {
        for (value, content) in [
            ("application/json", Content::Json),
            ("Application/JSON; charset=utf-8", Content::Json),
            ("application/problem+json", Content::Json),
            ("text/event-stream;charset=utf-8", Content::Events),
            ("Text/HTML; x", Content::Other("text/html".into())),
            ("", Content::Other("".into())),
        ] {
            assert_eq!(Content::of(value.as_bytes()), content, "{value}");
        }
    }
}
