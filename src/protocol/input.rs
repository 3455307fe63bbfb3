//! Requests of servers to clients, as the two eras write them, and the little that changes between them.
//!
//! A modern server asks inside a result (`input_required`), a legacy one with a request of its own. It only writes and
//! reads; who is asked and what waits meanwhile is `gateway/ask.rs`. Source: MCP 2026-07-28, `basic/patterns/mrtr`;
//! 2025-11-25, `client/elicitation`, `client/sampling`, `client/roots`.

use crate::protocol::version::Era;
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use crate::wire::members::write_string;
use crate::wire::message::read_text;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The member of a retry that holds the answers.
pub const RESPONSES: &str = "inputResponses";
/// The member of a result and of its retry that belongs to whoever wrote it.
pub const STATE: &str = "requestState";

/// What a server wants of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// `elicitation/create` with a form.
    Form,
    /// `elicitation/create` with a page to open.
    Url,
    /// `sampling/createMessage`.
    Sampling,
    /// `roots/list`.
    Roots,
}

impl Wanted {
    /// What `method` with `params` asks for; `None` for anything that clients are not asked.
    #[must_use]
    pub fn of(method: &str, params: Option<&str>) -> Option<Self> {
        Some(match method {
            "elicitation/create" => {
                let params = params.and_then(|raw| Members::parse_with_duplicates(raw).ok());
                let mode = params.and_then(|params| params.get("mode").map(RawValue::get));
                if mode == Some("\"url\"") { Self::Url } else { Self::Form }
            }
            "sampling/createMessage" => Self::Sampling,
            "roots/list" => Self::Roots,
            _ => return None,
        })
    }

    /// True when a client with these capabilities (JSON text) can answer it.
    ///
    /// `"elicitation":{}` means forms (2025-11-25, `client/elicitation`, capabilities).
    #[must_use]
    pub fn is_declared(self, capabilities: &str) -> bool {
        let Ok(declared) = Members::parse_with_duplicates(capabilities) else { return false };
        let mode = |name| {
            let modes = declared.get("elicitation").and_then(|raw| Members::parse(raw.get()).ok());
            modes.is_some_and(|modes| {
                modes.get(name).is_some() || (name == "form" && modes.get("url").is_none())
            })
        };
        match self {
            Self::Form => mode("form"),
            Self::Url => mode("url"),
            Self::Sampling => declared.get("sampling").is_some(),
            Self::Roots => declared.get("roots").is_some(),
        }
    }

    /// The capability it needs, for people.
    #[must_use]
    pub fn capability(self) -> &'static str {
        match self {
            Self::Form => "elicitation",
            Self::Url => "elicitation.url",
            Self::Sampling => "sampling",
            Self::Roots => "roots",
        }
    }

    /// The capabilities a client needs for it, as the data of an error -32021 says it.
    #[must_use]
    pub fn required(self) -> &'static str {
        match self {
            Self::Form => r#"{"elicitation":{"form":{}}}"#,
            Self::Url => r#"{"elicitation":{"url":{}}}"#,
            Self::Sampling => r#"{"sampling":{}}"#,
            Self::Roots => r#"{"roots":{}}"#,
        }
    }

    /// What to answer for a client that will not answer any more: the member `"result":…` or `"error":…`.
    #[must_use]
    pub fn given_up(self) -> &'static str {
        match self {
            Self::Form | Self::Url => r#""result":{"action":"cancel"}"#,
            Self::Sampling | Self::Roots => r#""error":{"code":-1,"message":"the user gave no answer"}"#,
        }
    }
}

/// The params of a question on their way to a client of era `to`. `server` is named in the text that a person reads,
/// when it is given.
///
/// Sampling never gets the content of other servers (`includeContext`); URLs are not touched. `elicitation_id` stands in
/// for what a legacy client wants and a modern server does not give; nothing is added when it is empty.
#[must_use]
pub fn question<'a>(
    wanted: Wanted,
    params: Option<&'a str>,
    server: Option<&str>,
    to: Era,
    elicitation_id: &str,
) -> Cow<'a, str> {
    let raw = params.unwrap_or("{}");
    let Ok(members) = Members::parse_with_duplicates(raw) else { return Cow::Borrowed(raw) };
    let named = server.and_then(|server| {
        let said = read_text(members.get("message")?).ok()?;
        Some(quoted(&format!("[{server}] {said}")))
    });
    let elicits = matches!(wanted, Wanted::Form | Wanted::Url);
    let edit = |key: &str| match (key, &named) {
        ("message", Some(named)) if elicits => Edit::Replace(named.as_bytes()),
        ("includeContext", _) if wanted == Wanted::Sampling => Edit::Replace(b"\"none\""),
        ("elicitationId", _) if wanted == Wanted::Url && to == Era::Modern => Edit::Drop,
        _ => Edit::Keep,
    };
    let id = quoted(elicitation_id);
    let needs_id = wanted == Wanted::Url && to == Era::Legacy && !elicitation_id.is_empty();
    let lacks_id = needs_id && members.get("elicitationId").is_none();
    let added = [("elicitationId", id.as_bytes())];
    let mut out = Vec::with_capacity(raw.len() + 64);
    write_object(&mut out, &members, edit, if lacks_id { &added } else { &[] });
    Cow::Owned(String::from_utf8(out).unwrap_or_else(|_| raw.to_owned()))
}

/// `_meta` key by which a legacy server may name its question, as a modern one does with the key in `inputRequests`.
pub const INPUT_KEY: &str = "io.github.mcp-manifold/inputKey";

/// The name that a legacy server gave its question; most give none.
#[must_use]
pub fn wanted_key(params: Option<&str>) -> Option<String> {
    let params = params.filter(|raw| memchr::memmem::find(raw.as_bytes(), INPUT_KEY.as_bytes()).is_some())?;
    let params = Members::parse_with_duplicates(params).ok()?;
    let meta = Members::parse_with_duplicates(params.get("_meta")?.get()).ok()?;
    read_text(meta.get(INPUT_KEY)?).ok().map(Cow::into_owned)
}

/// One entry of `inputRequests`.
#[derive(Debug, Clone)]
pub struct InputRequest<'a> {
    /// Its key, to be used again in the answers.
    pub key: String,
    /// What is asked for.
    pub method: Cow<'a, str>,
    /// The params, as JSON text.
    pub params: Option<&'a str>,
}

/// A result that asks for input first.
#[derive(Debug, Clone)]
pub struct InputRequired<'a> {
    /// The questions; none when the server only wants the request once more.
    pub requests: Vec<InputRequest<'a>>,
    /// What is to be sent back as it is.
    pub state: Option<&'a str>,
}

impl<'a> InputRequired<'a> {
    /// Reads a result whose `resultType` is `input_required`. `None` when it holds neither questions nor a state, or is
    /// malformed.
    #[must_use]
    pub fn read(raw: &'a str) -> Option<Self> {
        let members = Members::parse_with_duplicates(raw).ok()?;
        let state = members.get(STATE).map(RawValue::get);
        let mut requests = Vec::new();
        if let Some(all) = members.get("inputRequests") {
            for (key, raw) in Members::parse(all.get()).ok()?.iter() {
                let one = Members::parse_with_duplicates(raw.get()).ok()?;
                let method = read_text(one.get("method")?).ok()?;
                let params = one.get("params").map(RawValue::get);
                requests.push(InputRequest { key: key.to_owned(), method, params });
            }
        }
        (state.is_some() || !requests.is_empty()).then_some(Self { requests, state })
    }
}

/// A result that asks these questions (key, method, params as JSON text), to be sent back with `state` if there is one.
#[must_use]
pub fn input_required<'a>(
    questions: impl Iterator<Item = (&'a str, &'a str, &'a str)>,
    state: Option<&str>,
) -> String {
    let mut out = br#"{"resultType":"input_required","inputRequests":{"#.to_vec();
    for (at, (key, method, params)) in questions.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_string(&mut out, key);
        out.extend_from_slice(br#":{"method":"#);
        write_string(&mut out, method);
        out.extend_from_slice(br#","params":"#);
        out.extend_from_slice(params.as_bytes());
        out.push(b'}');
    }
    out.push(b'}');
    if let Some(state) = state {
        out.extend_from_slice(br#","requestState":"#);
        write_string(&mut out, state);
    }
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

/// A result that asks for input, with no question for the content of other servers. `None` when there is none such.
#[must_use]
pub fn without_foreign_content(raw: &str) -> Option<String> {
    memchr::memmem::find(raw.as_bytes(), b"includeContext")?;
    let result = Members::parse_with_duplicates(raw).ok()?;
    let requests = Members::parse(result.get("inputRequests")?.get()).ok()?;
    let mut edited = Vec::with_capacity(raw.len());
    let narrowed: Vec<(String, String)> = requests
        .iter()
        .filter_map(|(key, raw)| {
            let one = Members::parse_with_duplicates(raw.get()).ok()?;
            one.get("method").filter(|method| method.get() == "\"sampling/createMessage\"")?;
            let params = question(Wanted::Sampling, Some(one.get("params")?.get()), None, Era::Modern, "");
            let mut out = Vec::with_capacity(raw.get().len());
            let edit =
                |key: &str| if key == "params" { Edit::Replace(params.as_bytes()) } else { Edit::Keep };
            write_object(&mut out, &one, edit, &[]);
            Some((key.to_owned(), String::from_utf8(out).ok()?))
        })
        .collect();
    let edit = |key: &str| {
        let found = narrowed.iter().find(|(narrow, _)| narrow == key);
        found.map_or(Edit::Keep, |(_, text)| Edit::Replace(text.as_bytes()))
    };
    write_object(&mut edited, &requests, edit, &[]);
    let mut out = Vec::with_capacity(raw.len());
    let edit = |key: &str| if key == "inputRequests" { Edit::Replace(&edited) } else { Edit::Keep };
    write_object(&mut out, &result, edit, &[]);
    String::from_utf8(out).ok()
}

/// The params of a request once more, with the answers (key, JSON text) and the state (JSON text) it was given.
#[must_use]
pub fn retry(params: &Members<'_>, answers: &[(String, String)], state: Option<&str>) -> String {
    let mut responses = vec![b'{'];
    for (at, (key, answer)) in answers.iter().enumerate() {
        if at > 0 {
            responses.push(b',');
        }
        write_string(&mut responses, key);
        responses.push(b':');
        responses.extend_from_slice(answer.as_bytes());
    }
    responses.push(b'}');
    let mut added: Vec<(&str, &[u8])> = Vec::with_capacity(2);
    if !answers.is_empty() {
        added.push((RESPONSES, &responses));
    }
    added.extend(state.map(|state| (STATE, state.as_bytes())));
    without_answers(params, &added)
}

/// The params without what only a retry has: a legacy server knows nothing of it.
#[must_use]
pub fn without_answers(params: &Members<'_>, added: &[(&str, &[u8])]) -> String {
    let mut out = Vec::with_capacity(params.raw().len());
    let edit = |key: &str| if key == RESPONSES || key == STATE { Edit::Drop } else { Edit::Keep };
    write_object(&mut out, params, edit, added);
    String::from_utf8(out).unwrap_or_default()
}

/// The params without the answer `key`, which is one of `responses`: a server knows nothing of it.
#[must_use]
pub fn without_answer(params: &Members<'_>, responses: &Members<'_>, key: &str) -> String {
    let others = responses.iter().any(|(other, _)| other != key);
    let (mut rest, mut out) = (Vec::new(), Vec::with_capacity(params.raw().len()));
    write_object(&mut rest, responses, |other| if other == key { Edit::Drop } else { Edit::Keep }, &[]);
    let edit = |member: &str| match member {
        RESPONSES if others => Edit::Replace(&rest),
        RESPONSES => Edit::Drop,
        _ => Edit::Keep,
    };
    write_object(&mut out, params, edit, &[]);
    String::from_utf8(out).unwrap_or_default()
}

/// The pages that an error -32042 wants opened first, each as params of a question in url mode; empty when it names none.
#[must_use]
pub fn pages_of(error: &str) -> Vec<&str> {
    let data = Members::parse_with_duplicates(error).ok().and_then(|error| error.get("data"));
    let data = data.and_then(|raw| Members::parse_with_duplicates(raw.get()).ok());
    let list = data.and_then(|data| data.get("elicitations"));
    let pages: Option<Vec<&RawValue>> = list.and_then(|raw| serde_json::from_str(raw.get()).ok());
    pages.unwrap_or_default().into_iter().map(RawValue::get).filter(|raw| raw.starts_with('{')).collect()
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_asks_is_read_and_answered() {
        let raw = r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"},"b":{"method":"elicitation/create","params":{"mode":"url"}}},"requestState":"s\"1"}"#;
        let asked = InputRequired::read(raw).unwrap();
        assert_eq!(asked.requests.len(), 2);
        assert_eq!(Wanted::of(&asked.requests[1].method, asked.requests[1].params), Some(Wanted::Url));
        let params = Members::parse(r#"{"name":"x","n":1e2,"requestState":"old"}"#).unwrap();
        assert_eq!(
            retry(&params, &[("a".into(), r#"{"roots":[]}"#.into())], asked.state),
            r#"{"name":"x","n":1e2,"inputResponses":{"a":{"roots":[]}},"requestState":"s\"1"}"#
        );
        assert!(InputRequired::read(r#"{"resultType":"input_required"}"#).is_none());
    }

    #[test]
    fn one_answer_is_taken_out() {
        let taken = |raw: &str| {
            let params = Members::parse(raw).unwrap();
            let responses = Members::of(params.get(RESPONSES).unwrap()).unwrap();
            without_answer(&params, &responses, "mine")
        };
        assert_eq!(taken(r#"{"n":1e2,"inputResponses":{"mine":{}}}"#), r#"{"n":1e2}"#);
        let others = r#"{"inputResponses":{"mine":{},"other":{"x":1}},"requestState":"s"}"#;
        assert_eq!(taken(others), r#"{"inputResponses":{"other":{"x":1}},"requestState":"s"}"#);
    }

    #[test]
    fn a_question_needs_no_state() {
        let asks = input_required([("k", "m", "{}")].into_iter(), None);
        assert_eq!(
            asks,
            r#"{"resultType":"input_required","inputRequests":{"k":{"method":"m","params":{}}}}"#
        );
    }

    #[test]
    fn what_a_client_declared_is_what_it_is_asked() {
        assert!(Wanted::Form.is_declared(r#"{"elicitation":{}}"#));
        assert!(!Wanted::Url.is_declared(r#"{"elicitation":{}}"#));
        assert!(!Wanted::Form.is_declared(r#"{"elicitation":{"url":{}}}"#));
        assert!(Wanted::Url.is_declared(r#"{"elicitation":{"form":{},"url":{}}}"#));
        assert!(!Wanted::Sampling.is_declared("{}") && Wanted::Roots.is_declared(r#"{"roots":{}}"#));
    }

    #[test]
    fn a_question_names_the_server_and_asks_for_no_foreign_content() {
        let form = r#"{"message":"sure?","requestedSchema":{"n":1e2}}"#;
        assert_eq!(
            question(Wanted::Form, Some(form), Some("db"), Era::Legacy, ""),
            r#"{"message":"[db] sure?","requestedSchema":{"n":1e2}}"#
        );
        assert_eq!(question(Wanted::Form, Some(form), None, Era::Modern, ""), form);
        let sampling = r#"{"messages":[],"includeContext":"allServers"}"#;
        assert_eq!(
            question(Wanted::Sampling, Some(sampling), None, Era::Legacy, ""),
            r#"{"messages":[],"includeContext":"none"}"#
        );
    }

    #[test]
    fn no_server_asks_for_what_others_said() {
        let raw = r#"{"resultType":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{"includeContext":"allServers","n":1e2}},"b":{"method":"roots/list"}},"requestState":"s"}"#;
        assert_eq!(without_foreign_content(raw).unwrap(), raw.replace("allServers", "none"));
        assert_eq!(without_foreign_content(r#"{"inputRequests":{}}"#), None);
    }

    #[test]
    fn only_legacy_clients_get_an_id_with_a_page() {
        let page = r#"{"mode":"url","message":"go","url":"https://x.example/?a=1&b=2"}"#;
        assert_eq!(
            question(Wanted::Url, Some(page), None, Era::Legacy, "e1"),
            r#"{"mode":"url","message":"go","url":"https://x.example/?a=1&b=2","elicitationId":"e1"}"#
        );
        let page = r#"{"mode":"url","elicitationId":"e1","url":"u"}"#;
        assert_eq!(question(Wanted::Url, Some(page), None, Era::Modern, ""), r#"{"mode":"url","url":"u"}"#);
        assert_eq!(question(Wanted::Url, Some(page), None, Era::Legacy, "e2"), page);
    }

    #[test]
    fn pages_stand_in_the_data_of_the_error() {
        let error = r#"{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","url":"u"},7]}}"#;
        assert_eq!(pages_of(error), [r#"{"mode":"url","url":"u"}"#]);
        assert!(pages_of(r#"{"code":-32042,"message":"m"}"#).is_empty());
    }
}
