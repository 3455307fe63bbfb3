//! One JSON-RPC 2.0 message, borrowed from its text.
//!
//! Source: the JSON-RPC 2.0 specification and the MCP `basic` page (ids are strings or integers, never null). Duplicate
//! members of the envelope are refused, because two readers of such a message would see two different messages.

use crate::wire::scan;
use serde::Deserializer;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Longest id accepted, in bytes of its text.
pub const MAX_ID: usize = 256;

/// A well-formed message.
#[derive(Debug)]
pub enum Message<'a> {
    /// Wants an answer.
    Request {
        /// Its id as text, a string or an integer.
        id: &'a RawValue,
        /// What is asked for.
        method: Cow<'a, str>,
        /// The parameters, raw.
        params: Option<&'a RawValue>,
    },
    /// Wants none.
    Notification {
        /// What is told.
        method: Cow<'a, str>,
        /// The parameters, raw.
        params: Option<&'a RawValue>,
    },
    /// Answers a request of ours.
    Response {
        /// The id we gave.
        id: &'a RawValue,
        /// What came back.
        outcome: Outcome<'a>,
    },
}

/// The two kinds of answer.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// `result`
    Result(&'a RawValue),
    /// `error`
    Error(&'a RawValue),
}

/// Why a text is not a message, with the id if exactly one could be made out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Malformed {
    /// The id as JSON text.
    pub id: Option<String>,
    /// The JSON-RPC error code: -32700 not JSON, -32600 not a message.
    pub code: i32,
    /// What is wrong, for a person.
    pub text: String,
}

/// JSON-RPC: the text is not JSON.
pub const PARSE_ERROR: i32 = -32700;
/// JSON-RPC: the JSON is not a message.
pub const INVALID_REQUEST: i32 = -32600;

/// Reads one message from `bytes`, nested at most `depth` levels.
///
/// # Errors
/// [`Malformed`] for anything that is not exactly one message; it carries the id where one can be made out.
pub fn parse(bytes: &[u8], depth: usize) -> Result<Message<'_>, Malformed> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let id = recover_id(&String::from_utf8_lossy(bytes));
        return Err(Malformed { id, code: PARSE_ERROR, text: "the message is not valid UTF-8".into() });
    };
    let envelope = match read_envelope(text) {
        Ok(envelope) => envelope,
        Err(problem) => return Err(not_json(text, &problem)),
    };
    if let Err(deep) = scan::scan(text, depth) {
        let id = envelope.id.filter(|id| valid_id(id.get())).map(|id| id.get().to_owned());
        return Err(Malformed { id, code: INVALID_REQUEST, text: deep.to_string() });
    }
    envelope.check()
}

/// A message whose CRs and LFs are blanks. In what is no message they are left: they may stand in a string.
#[must_use]
pub fn without_breaks(line: &[u8], depth: usize) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', line).is_none() || parse(line, depth).is_err() {
        return Cow::Borrowed(line);
    }
    Cow::Owned(line.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect())
}

/// A request as one line; params with line breaks are straightened.
#[must_use]
pub fn one_line_request(id: &str, method: &str, params: &str) -> String {
    let method = serde_json::to_string(method).unwrap_or_default();
    let params = scan::one_line(params);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{method},"params":{params}}}"#)
}

fn not_json(text: &str, problem: &serde_json::Error) -> Malformed {
    if text.trim_start().starts_with('[') {
        let text = "batches are not part of this protocol revision: send one message at a time".into();
        return Malformed { id: None, code: INVALID_REQUEST, text };
    }
    let code = if problem.is_data() { INVALID_REQUEST } else { PARSE_ERROR };
    Malformed { id: recover_id(text), code, text: format!("the message is not a JSON-RPC object: {problem}") }
}

/// The members of an envelope before they are checked against each other.
#[derive(Default)]
struct Envelope<'a> {
    version: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    duplicate: Option<&'static str>,
}

impl<'a> Envelope<'a> {
    fn check(self) -> Result<Message<'a>, Malformed> {
        let id = self.id.filter(|id| valid_id(id.get()));
        let refuse = |text: String| {
            let known = if self.duplicate == Some("id") { None } else { id.map(|id| id.get().to_owned()) };
            Err(Malformed { id: known, code: INVALID_REQUEST, text })
        };
        if let Some(member) = self.duplicate {
            return refuse(format!("the message has the member `{member}` twice"));
        }
        if self.version.is_none_or(|version| version.get() != "\"2.0\"") {
            return refuse("the message has no `\"jsonrpc\":\"2.0\"`".into());
        }
        if self.id.is_some() && id.is_none() {
            return refuse("the `id` is neither a string nor an integer".into());
        }
        if let Some(method) = self.method {
            let Ok(method) = read_text(method) else { return refuse("the `method` is not a string".into()) };
            if self.result.is_some() || self.error.is_some() {
                return refuse("the message has both a `method` and an answer".into());
            }
            let params = self.params;
            return Ok(match id {
                Some(id) => Message::Request { id, method, params },
                None => Message::Notification { method, params },
            });
        }
        match (id, self.result, self.error) {
            (Some(id), Some(result), None) => Ok(Message::Response { id, outcome: Outcome::Result(result) }),
            (Some(id), None, Some(error)) => Ok(Message::Response { id, outcome: Outcome::Error(error) }),
            (_, Some(_), Some(_)) => refuse("the message has both `result` and `error`".into()),
            _ => refuse("the message has neither a `method` nor an answer to an `id`".into()),
        }
    }
}

/// A JSON string, borrowed when it has no escapes.
///
/// # Errors
/// When `raw` is not a string.
pub fn read_text(raw: &RawValue) -> Result<Cow<'_, str>, serde_json::Error> {
    let text = raw.get();
    let plain = text.len() >= 2 && text.starts_with('"') && memchr::memchr(b'\\', text.as_bytes()).is_none();
    if plain {
        return Ok(Cow::Borrowed(&text[1..text.len() - 1]));
    }
    serde_json::from_str::<String>(text).map(Cow::Owned)
}

fn valid_id(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let integer = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    text.len() <= MAX_ID && (integer || text.starts_with('"'))
}

fn read_envelope(text: &str) -> Result<Envelope<'_>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let envelope = reader.deserialize_map(EnvelopeVisitor)?;
    reader.end()?;
    Ok(envelope)
}

enum Member {
    Version,
    Id,
    Method,
    Params,
    Result,
    Error,
    Other,
}

impl<'de> serde::Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Member;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }
            fn visit_str<E>(self, name: &str) -> Result<Member, E> {
                Ok(match name {
                    "jsonrpc" => Member::Version,
                    "id" => Member::Id,
                    "method" => Member::Method,
                    "params" => Member::Params,
                    "result" => Member::Result,
                    "error" => Member::Error,
                    _ => Member::Other,
                })
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON-RPC message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
        let mut found = Envelope::default();
        while let Some(member) = map.next_key::<Member>()? {
            let (slot, name) = match member {
                Member::Version => (&mut found.version, "jsonrpc"),
                Member::Id => (&mut found.id, "id"),
                Member::Method => (&mut found.method, "method"),
                Member::Params => (&mut found.params, "params"),
                Member::Result => (&mut found.result, "result"),
                Member::Error => (&mut found.error, "error"),
                Member::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if slot.replace(map.next_value::<&RawValue>()?).is_some() {
                found.duplicate = Some(name);
            }
        }
        Ok(found)
    }
}

/// The id of a message that could not be read, or of its first part: the scalar after `"id"` on the top level.
///
/// `None` when there is none, or more than one before the text breaks off.
#[must_use]
pub fn recover_id(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut found) = (0, 0usize, None);
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let Some(end) = string_end(bytes, at) else { break };
                let value = (depth == 1 && &bytes[at..=end] == b"\"id\"")
                    .then(|| scalar_after(text, end + 1))
                    .flatten();
                if let Some(id) = value
                    && found.replace(id).is_some()
                {
                    return None;
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn string_end(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn scalar_after(text: &str, from: usize) -> Option<String> {
    let rest = text.get(from..)?.trim_start().strip_prefix(':')?.trim_start();
    let end = if rest.starts_with('"') {
        string_end(rest.as_bytes(), 0)? + 1
    } else {
        rest.find(|c: char| !(c.is_ascii_digit() || c == '-'))?
    };
    let id = &rest[..end];
    let ends_well = rest[end..].trim_start().starts_with([',', '}']);
    (ends_well && valid_id(id) && serde_json::from_str::<&RawValue>(id).is_ok()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Malformed {
        parse(text.as_bytes(), 16).expect_err(text)
    }

    #[test]
    fn the_four_shapes_are_told_apart() {
        let request = parse(br#"{"jsonrpc":"2.0","id":"a","method":"ping","params":{"x":1e2}}"#, 16).unwrap();
        assert!(matches!(request, Message::Request { id, ref method, params: Some(p) }
            if id.get() == "\"a\"" && method == "ping" && p.get() == r#"{"x":1e2}"#));
        assert!(matches!(
            parse(br#"{"jsonrpc":"2.0","method":"n"}"#, 16).unwrap(),
            Message::Notification { params: None, .. }
        ));
        assert!(matches!(
            parse(br#"{"jsonrpc":"2.0","id":7,"result":null}"#, 16).unwrap(),
            Message::Response { outcome: Outcome::Result(_), .. }
        ));
        assert!(matches!(
            parse(br#"{"jsonrpc":"2.0","id":7,"error":{}}"#, 16).unwrap(),
            Message::Response { outcome: Outcome::Error(_), .. }
        ));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_id_where_there_is_one() {
        for (text, id, code) in [
            ("nope", None, PARSE_ERROR),
            (r#"{"jsonrpc":"2.0","id":4,"method":"x","params":{,}}"#, Some("4"), PARSE_ERROR),
            (r#"[{"jsonrpc":"2.0","id":4,"method":"x"}]"#, None, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#, None, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#, None, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1e3,"method":"x"}"#, None, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}"#, None, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":3,"method":"x","method":"y"}"#, Some("3"), INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":3,"method":7}"#, Some("3"), INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":3,"result":1,"error":{}}"#, Some("3"), INVALID_REQUEST),
            (r#"{"id":3,"method":"x"}"#, Some("3"), INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":3,"METHOD":"x"}"#, Some("3"), INVALID_REQUEST),
            ("7", None, INVALID_REQUEST),
        ] {
            let seen = refused(text);
            assert_eq!((seen.id.as_deref(), seen.code), (id, code), "{text}: {}", seen.text);
        }
    }

    #[test]
    fn deep_and_non_utf8_messages_keep_their_id() {
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":9,"method":"x","params":{}1{}}}"#,
            "[".repeat(40),
            "]".repeat(40)
        );
        assert_eq!(refused(&deep).id.as_deref(), Some("9"));
        let bad = parse(b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"\xff\"}", 16).unwrap_err();
        assert_eq!((bad.id.as_deref(), bad.code), (Some("5"), PARSE_ERROR));
    }

    #[test]
    fn an_id_is_recovered_from_the_first_part_of_a_message() {
        assert_eq!(recover_id(r#"{"id":12,"params":{"id":13,"t":"aaaa"#).as_deref(), Some("12"));
        assert_eq!(recover_id(r#"{"params":{"id":13},"id": "x\"y" ,"#).as_deref(), Some("\"x\\\"y\""));
        assert_eq!(recover_id(r#"{"id":12"#), None);
        assert_eq!(recover_id(r#"{"id":1,"id":2,"#), None);
    }
}
