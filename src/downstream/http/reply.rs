//! What an HTTP response is, seen as an answer: messages, nothing, a refusal, or something strange.
//!
//! It bounds what is read. It does not know which call waits for it.

use crate::downstream::http::direct::head::Content;
use crate::downstream::http::response::Response;
use crate::downstream::http::sse::Event;
use crate::downstream::http::sse::Events;
use crate::wire::members::Members;
use crate::wire::message;
use crate::wire::message::Malformed;
use crate::wire::message::Message;
use crate::wire::scan;
use http::HeaderValue;
use http::StatusCode;
use std::time::Duration;

/// Longest body of an error that is read, in bytes.
const ERROR_BYTES: usize = 64 * 1024;
/// Most room that is made for a body before it comes.
const ROOM: usize = 64 * 1024;

/// A response, as far as its head tells.
#[derive(Debug)]
pub enum Reply {
    /// Messages follow.
    Messages(Box<Messages>),
    /// Accepted, and nothing follows.
    Nothing(StatusCode),
    /// Any status that is not a success.
    Refused(Refusal),
    /// A success with content that is no message; what it is, in words.
    Strange(String),
}

/// A status that is not a success.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// Which credentials it wants.
    pub challenge: Option<HeaderValue>,
    retry_after: Option<HeaderValue>,
    body: Vec<u8>,
}

/// Why the next message cannot be read; a text that goes on after the name of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// It is longer than allowed.
    TooLong(String),
    /// The connection broke.
    Cut(String),
}

impl Reply {
    /// Reads the head of `response`, and the body of a refusal. Messages have at most `limit` bytes each.
    pub async fn of(mut response: Response, limit: usize) -> Self {
        let status = response.status;
        if !status.is_success() {
            let (retry_after, challenge) = (response.retry_after().cloned(), response.challenge().cloned());
            // A refusal counts as one even when its body cannot be read.
            let body = read_whole(&mut response, ERROR_BYTES).await.unwrap_or_default();
            return Self::Refused(Refusal { status, challenge, retry_after, body });
        }
        if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) || response.length() == Some(0) {
            return Self::Nothing(status);
        }
        match &response.content {
            Content::Events => Self::Messages(Box::new(Messages::Events(response, Events::new(limit)))),
            Content::Json => Self::Messages(Box::new(Messages::One(Some(response), limit))),
            Content::Other(other) => {
                Self::Strange(format!("answered with content of type `{}` instead of JSON", shown(other)))
            }
        }
    }
}

/// The messages of one response.
#[derive(Debug)]
pub enum Messages {
    /// A JSON body: one message.
    One(Option<Response>, usize),
    /// An event stream.
    Events(Response, Events),
}

impl Messages {
    /// The text of the next message, or `None` at the end. Cancel-safe for a stream.
    ///
    /// # Errors
    /// [`Broken`], after which nothing more can be read.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        match self {
            Self::One(response, limit) => match response.take() {
                Some(mut response) => read_whole(&mut response, *limit).await.map(Some),
                None => Ok(None),
            },
            Self::Events(..) => loop {
                match self.next_event().await? {
                    // An event without text only carries an id (2025-11-25, resumable streams).
                    Some(event) if event.is_message() && !event.text.is_empty() => {
                        return Ok(Some(event.text));
                    }
                    Some(_) => {}
                    None => return Ok(None),
                }
            },
        }
    }

    /// The next event of any kind, or `None` at the end or without a stream. Cancel-safe.
    ///
    /// # Errors
    /// As [`Messages::next`].
    pub async fn next_event(&mut self) -> Result<Option<Event>, Broken> {
        let Self::Events(response, events) = self else { return Ok(None) };
        loop {
            if let Some(event) = events.pop() {
                return Ok(Some(event));
            }
            match response.next().await {
                Ok(Some(piece)) => {
                    events.push(piece).map_err(|_| too_long("an event of its stream", events.limit()))?;
                }
                Ok(None) => return Ok(None),
                Err(why) => return Err(cut(&why)),
            }
        }
    }

    /// How long the server wants to be left alone before a stream is opened again, if it said so.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        match self {
            Self::One(..) => None,
            Self::Events(_, events) => events.retry(),
        }
    }

    /// True for an event stream.
    #[must_use]
    pub fn are_events(&self) -> bool {
        matches!(self, Self::Events(..))
    }

    /// The id of the last event that had one.
    #[must_use]
    pub fn last_id(&self) -> Option<&str> {
        match self {
            Self::One(..) => None,
            Self::Events(_, events) => events.last_id(),
        }
    }
}

impl Refusal {
    /// The raw JSON-RPC error of the body, when it is one and belongs to the request `id` or to none.
    pub fn error(&mut self, id: u64, depth: usize) -> Option<&str> {
        stray_error(&mut self.body, id, depth)
    }

    /// True when the session a request carried is unknown to the server, which has not looked at the request then.
    ///
    /// The specification says 404; servers made from the widespread example answer 400 and say it in the error.
    pub fn ends_session(&mut self, id: u64, depth: usize) -> bool {
        match self.status {
            StatusCode::NOT_FOUND => true,
            StatusCode::BAD_REQUEST => self
                .error(id, depth)
                .and_then(|raw| Members::parse(raw).ok()?.get("message")?.get().to_ascii_lowercase().into())
                .is_some_and(|text| text.contains("session")),
            _ => false,
        }
    }

    /// True for a status that says nothing about what the server speaks: it may pass.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        self.status.is_server_error() || matches!(self.status.as_u16(), 407 | 408 | 425 | 429)
    }

    /// True when credentials are missing or not enough.
    #[must_use]
    pub fn wants_credentials(&self) -> bool {
        matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    }

    /// What was answered, in words that go on after the name of the server.
    #[must_use]
    pub fn text(&self) -> String {
        let text = refusal_text(self.status);
        match self.retry_after.as_ref().and_then(|after| after.to_str().ok()) {
            Some(after) if !self.wants_credentials() && !self.status.is_redirection() => {
                format!("{text} and wants to be asked again later (`{}`)", shown(after))
            }
            _ => text,
        }
    }
}

/// What a status says that is not a success, in words that go on after the name of the server.
#[must_use]
pub fn refusal_text(status: StatusCode) -> String {
    let text = format!("answered HTTP {}", status.as_u16());
    if status.is_redirection() {
        return format!("{text}, and redirects are not followed: put the final address into `url`");
    }
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!("{text}: it wants credentials; give them in `auth` or `headers`")
        }
        _ => text,
    }
}

/// Reads one message, on one line afterwards: line breaks outside strings become blanks, once it was found valid.
///
/// # Errors
/// [`Malformed`] when it is no message, or nested deeper than `depth`.
pub fn read(bytes: &mut Vec<u8>, depth: usize) -> Result<Message<'_>, Malformed> {
    while bytes.last().is_some_and(u8::is_ascii_whitespace) {
        bytes.pop();
    }
    if memchr::memchr2(b'\n', b'\r', bytes).is_some() {
        message::parse(bytes, depth)?;
        blank_breaks(bytes);
    }
    message::parse(bytes, depth)
}

/// The raw error of a JSON-RPC error message that names the request `id`, or none, as servers do that refuse a request
/// before they have read it.
pub fn stray_error(bytes: &mut [u8], id: u64, depth: usize) -> Option<&str> {
    scan::scan(std::str::from_utf8(bytes).ok()?, depth).ok()?;
    Members::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    blank_breaks(bytes);
    let message = Members::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    let owner = message.get("id").map_or("null", |id| id.get());
    let error = message.get("error")?.get();
    let ours = owner == "null" || owner == id.to_string();
    let whole = code_of(error).is_some()
        && Members::parse(error).ok()?.get("message").is_some_and(|text| text.get().starts_with('"'));
    (ours && whole && message.get("result").is_none()).then_some(error)
}

/// The code of a raw JSON-RPC error.
#[must_use]
pub fn code_of(error: &str) -> Option<i32> {
    Members::parse(error).ok()?.get("code")?.get().parse().ok()
}

/// A foreign text, short and without control characters.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn blank_breaks(bytes: &mut [u8]) {
    for byte in bytes {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

async fn read_whole(response: &mut Response, limit: usize) -> Result<Vec<u8>, Broken> {
    let announced = response.length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_long("a body", limit));
    }
    // What is announced and does not come costs nothing.
    let mut body = Vec::with_capacity(announced.unwrap_or(4096).min(ROOM));
    while let Some(piece) = response.next().await.map_err(|why| cut(&why))? {
        if body.len() + piece.len() > limit {
            return Err(too_long("a body", limit));
        }
        body.extend_from_slice(piece);
    }
    Ok(body)
}

fn too_long(what: &str, limit: usize) -> Broken {
    Broken::TooLong(format!("answered with {what} of more than {limit} bytes"))
}

fn cut(why: &str) -> Broken {
    Broken::Cut(format!("broke its answer off: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_put_on_one_line_only_when_it_is_valid() {
        let mut pretty =
            b"{\n \"jsonrpc\": \"2.0\",\r\n \"id\": 1, \"result\": {\"a\":\n\"\\n\"}\n}\n".to_vec();
        let Message::Response { outcome: message::Outcome::Result(result), .. } =
            read(&mut pretty, 9).unwrap()
        else {
            panic!("not a result");
        };
        assert_eq!(result.get(), "{\"a\": \"\\n\"}");
        let mut smuggled = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"a\nb\"}".to_vec();
        assert!(read(&mut smuggled, 9).is_err(), "a break inside a string is not valid");
    }

    #[test]
    fn an_error_is_found_when_it_is_ours() {
        let error = |body: &str| stray_error(&mut body.as_bytes().to_vec(), 7, 9).map(str::to_owned);
        let raw = r#"{"code":-32601,"message":"no"}"#;
        for id in ["", ",\"id\":null", ",\"id\":7"] {
            assert_eq!(error(&format!("{{\"jsonrpc\":\"2.0\",\"error\":{raw}{id}}}")).as_deref(), Some(raw));
        }
        for other in [
            format!("{{\"error\":{raw},\"id\":8}}"),
            r#"{"error":"invalid_token"}"#.into(),
            r#"{"error":{"code":"x","message":"no"}}"#.into(),
            r#"{"error":{"code":1,"message":[[[[[[[[[[1]]]]]]]]]]}}"#.into(),
            "<html>".into(),
            String::new(),
        ] {
            assert_eq!(error(&other), None, "{other}");
        }
        assert_eq!(code_of(raw), Some(-32601));
    }
}
