//! The first words with a server: which era it speaks, and the handshake of that era.
//!
//! Source: MCP 2026-07-28 `basic/versioning` and 2025-11-25 `basic/lifecycle`. What may pass (401, 429, 5xx, the network)
//! never counts as an answer about the era. It does not bound the whole time; the caller does.

use crate::config::model::EraChoice;
use crate::config::model::Server;
use crate::downstream::connect::Greeting;
use crate::downstream::error::StartError;
use crate::downstream::http::endpoint::Endpoint;
use crate::downstream::http::failure::Failure;
use crate::downstream::http::mark;
use crate::downstream::http::mark::Marks;
use crate::downstream::http::reply;
use crate::downstream::http::reply::Broken;
use crate::downstream::http::reply::Refusal;
use crate::downstream::http::reply::Reply;
use crate::downstream::http::session::Stamp;
use crate::protocol::capability;
use crate::protocol::code;
use crate::protocol::legacy;
use crate::protocol::legacy::Initialized;
use crate::protocol::modern;
use crate::protocol::modern::Discovered;
use crate::protocol::version;
use crate::protocol::version::Era;
use crate::protocol::version::NEWEST_MODERN;
use crate::wire::members::Members;
use crate::wire::message::Message;
use crate::wire::message::Outcome;
use crate::wire::message::read_text;
use bytes::Bytes;
use http::HeaderValue;
use http::StatusCode;
use serde_json::value::RawValue;
use std::time::Duration;

const DISCOVER: &str = "server/discover";
const INITIALIZE: &str = "initialize";
/// The id of handshakes; calls begin with 1.
pub const ID: u64 = 0;
/// Longest wait for a server that may not know `server/discover` at all; a third of its start time if that is less.
const PROBE: Duration = Duration::from_secs(10);
/// What a modern server is taken to have when it refused to say.
const PRESUMED: &str = r#"{"tools":{},"prompts":{},"resources":{}}"#;

/// A server that completed its handshake.
#[derive(Debug)]
pub struct Met {
    /// What it said about itself.
    pub greeting: Greeting,
    /// What its requests carry, when it is a legacy one.
    pub stamp: Option<Stamp>,
}

/// Finds out the era unless `known` or the entry tells it, and completes the handshake. A legacy server is told
/// `declared`, the capabilities of its client.
///
/// # Errors
/// [`StartError`] without `Spawn`, `Ended` and `Silent`.
pub async fn meet(
    endpoint: &Endpoint,
    server: &Server,
    known: Option<Era>,
    declared: &str,
) -> Result<Met, StartError> {
    match (server.era, known) {
        (EraChoice::Always(Era::Legacy), _) => initialize(endpoint, declared).await,
        (EraChoice::Always(Era::Modern), _) => match discover(endpoint).await? {
            Verdict::Modern(met) => Ok(*met),
            Verdict::Legacy(why) => Err(refused(endpoint, DISCOVER, why)),
        },
        (EraChoice::Auto, Some(Era::Legacy)) => match initialize(endpoint, declared).await {
            // What was remembered may be wrong by now.
            Err(error @ StartError::Refused { .. }) => match probe(endpoint, server).await {
                Ok(Verdict::Modern(met)) => Ok(*met),
                _ => Err(error),
            },
            met => met,
        },
        (EraChoice::Auto, _) => match probe(endpoint, server).await? {
            Verdict::Modern(met) => Ok(*met),
            Verdict::Legacy(why) => {
                tracing::debug!(server = %endpoint.server, why, "not a modern server");
                initialize(endpoint, declared).await
            }
        },
    }
}

enum Verdict {
    Modern(Box<Met>),
    Legacy(String),
}

async fn probe(endpoint: &Endpoint, server: &Server) -> Result<Verdict, StartError> {
    let patience = PROBE.min(server.start_timeout / 3);
    tokio::time::timeout(patience, discover(endpoint))
        .await
        .unwrap_or_else(|_| Ok(Verdict::Legacy(format!("it gave no answer to `{DISCOVER}`"))))
}

async fn discover(endpoint: &Endpoint) -> Result<Verdict, StartError> {
    let params = modern::discover_params(capability::FULL);
    let answer = ask(endpoint, mark::modern(DISCOVER, None, &[]), DISCOVER, &params).await;
    let heard = answer.map_err(|failure| out_of_reach(endpoint, failure.why))?.heard;
    Ok(match heard {
        Heard::Result(raw) => match serde_json::from_str::<Discovered>(&raw) {
            Ok(found) if found.supported_versions.iter().any(|version| version == NEWEST_MODERN) => {
                modern_one(found.capabilities, server_info(found.meta.as_deref()), found.instructions)
            }
            Ok(found) => {
                Verdict::Legacy(format!("it speaks {}", reply::shown(&found.supported_versions.join(", "))))
            }
            Err(_) => Verdict::Legacy(format!("it answered with no result of `{DISCOVER}`")),
        },
        Heard::Error(raw) if is_modern_error(&raw) => {
            let presumed = RawValue::from_string(PRESUMED.into()).expect("it is JSON");
            modern_one(presumed, None, None)
        }
        Heard::Error(raw) => Verdict::Legacy(said(&raw)),
        Heard::Refused(refusal) => Verdict::Legacy(passing(endpoint, &refusal)?),
        Heard::Strange(why) => Verdict::Legacy(format!("it {why}")),
    })
}

fn modern_one(
    capabilities: Box<RawValue>,
    server_info: Option<Box<RawValue>>,
    instructions: Option<String>,
) -> Verdict {
    let version = NEWEST_MODERN.into();
    let greeting = Greeting { era: Era::Modern, version, capabilities, server_info, instructions };
    Verdict::Modern(Box::new(Met { greeting, stamp: None }))
}

/// Opens a session of the legacy era: `initialize`, then `notifications/initialized`.
///
/// # Errors
/// [`StartError`] when the server refuses, wants credentials, or cannot be reached.
pub async fn initialize(endpoint: &Endpoint, declared: &str) -> Result<Met, StartError> {
    let params = legacy::initialize_params(declared);
    let answer = ask(endpoint, mark::plain(), INITIALIZE, &params).await;
    let Answer { heard, session, status } = answer.map_err(|failure| out_of_reach(endpoint, failure.why))?;
    let raw = match heard {
        Heard::Result(raw) => raw,
        Heard::Error(raw) => return Err(turned_away(endpoint, status, said(&raw))),
        Heard::Refused(refusal) => {
            let why = passing(endpoint, &refusal)?;
            return Err(turned_away(endpoint, status, why));
        }
        Heard::Strange(why) => return Err(refused(endpoint, INITIALIZE, format!("it {why}"))),
    };
    let (greeting, stamp) = open(&raw, session).map_err(|why| refused(endpoint, INITIALIZE, why))?;
    confirm(endpoint, &stamp).await?;
    Ok(Met { greeting, stamp: Some(stamp) })
}

fn open(raw: &str, session: Option<HeaderValue>) -> Result<(Greeting, Stamp), String> {
    let Ok(found) = serde_json::from_str::<Initialized>(raw) else {
        return Err(format!("it answered with no result of `{INITIALIZE}`"));
    };
    let version = found.protocol_version;
    if version::era_of(&version) != Some(Era::Legacy) {
        return Err(format!("it chose the revision `{}`, which is not spoken here", reply::shown(&version)));
    }
    let visible = |id: &HeaderValue| id.as_bytes().iter().all(|byte| matches!(byte, 0x21..=0x7e));
    if session.as_ref().is_some_and(|id| !visible(id)) {
        return Err("its session id holds characters that no header may hold".into());
    }
    let header = HeaderValue::from_str(&version).expect("a known revision is visible ASCII");
    let (capabilities, server_info, instructions) =
        (found.capabilities, found.server_info, found.instructions);
    let greeting = Greeting { era: Era::Legacy, version, capabilities, server_info, instructions };
    Ok((greeting, Stamp { version: header, id: session, generation: 0 }))
}

async fn confirm(endpoint: &Endpoint, stamp: &Stamp) -> Result<(), StartError> {
    let body = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let response = endpoint.post(mark::legacy(stamp), &Bytes::from_static(body.as_bytes())).await;
    let response = response.map_err(|failure| out_of_reach(endpoint, failure.why))?;
    if let Reply::Refused(refusal) = Reply::of(response, endpoint.limits.message_bytes).await {
        // Servers that refuse it serve requests all the same.
        let why = passing(endpoint, &refusal)?;
        tracing::debug!(server = %endpoint.server, why, "notifications/initialized was refused");
    }
    Ok(())
}

/// What came back to a request of the handshake.
struct Answer {
    heard: Heard,
    session: Option<HeaderValue>,
    status: StatusCode,
}

enum Heard {
    Result(String),
    Error(String),
    Refused(Refusal),
    /// Goes on after the name of the server.
    Strange(String),
}

/// Whether a server that was modern still is; what may pass says nothing.
pub async fn is_still_modern(endpoint: &Endpoint) -> bool {
    !matches!(discover(endpoint).await, Ok(Verdict::Legacy(_)))
}

/// The result of a request with the id [`ID`], when there is one.
pub async fn result_of(endpoint: &Endpoint, marks: Marks, body: Vec<u8>) -> Option<String> {
    match send(endpoint, marks, body.into()).await {
        Ok(Answer { heard: Heard::Result(raw), .. }) => Some(raw),
        _ => None,
    }
}

async fn ask(endpoint: &Endpoint, marks: Marks, method: &str, params: &str) -> Result<Answer, Failure> {
    let body = format!(r#"{{"jsonrpc":"2.0","id":{ID},"method":"{method}","params":{params}}}"#);
    send(endpoint, marks, body.into()).await
}

async fn send(endpoint: &Endpoint, marks: Marks, body: Bytes) -> Result<Answer, Failure> {
    let response = endpoint.post(marks, &body).await?;
    let (session, status) = (response.session().cloned(), response.status);
    let depth = endpoint.limits.depth;
    let heard = match Reply::of(response, endpoint.limits.message_bytes).await {
        Reply::Refused(mut refusal) => {
            let decisive = !refusal.may_pass() && !refusal.wants_credentials();
            match refusal.error(ID, depth).filter(|_| decisive) {
                Some(raw) => Heard::Error(raw.to_owned()),
                None => Heard::Refused(refusal),
            }
        }
        Reply::Nothing(status) => {
            Heard::Strange(format!("answered HTTP {} without content", status.as_u16()))
        }
        Reply::Strange(why) => Heard::Strange(why),
        Reply::Messages(mut messages) => loop {
            match messages.next().await {
                Ok(Some(mut text)) => {
                    if let Some(heard) = answer_in(&mut text, depth) {
                        break heard;
                    }
                }
                Ok(None) => break Heard::Strange("ended its answer without a result".into()),
                Err(Broken::TooLong(why)) => break Heard::Strange(why),
                Err(Broken::Cut(why)) => return Err(Failure { why: format!("it {why}"), sent: true }),
            }
        },
    };
    Ok(Answer { heard, session, status })
}

/// The answer in `text`; `None` for what a server says besides.
fn answer_in(text: &mut Vec<u8>, depth: usize) -> Option<Heard> {
    if let Some(raw) = reply::stray_error(text, ID, depth) {
        return Some(Heard::Error(raw.to_owned()));
    }
    match reply::read(text, depth) {
        Ok(Message::Response { id, outcome: Outcome::Result(raw) }) if id.get() == "0" => {
            Some(Heard::Result(raw.get().to_owned()))
        }
        Ok(Message::Response { .. }) => {
            Some(Heard::Strange("answered to another id than the one it was asked with".into()))
        }
        Ok(Message::Request { .. } | Message::Notification { .. }) => None,
        Err(malformed) => Some(Heard::Strange(format!("gave an answer that cannot be read: {malformed}"))),
    }
}

/// What a refusal says, unless it says nothing about the era because it may pass.
fn passing(endpoint: &Endpoint, refusal: &Refusal) -> Result<String, StartError> {
    if refusal.wants_credentials() {
        return Err(endpoint.unauthorized(refusal));
    }
    let why = format!("it {}", refusal.text());
    if refusal.may_pass() || refusal.status.is_redirection() {
        return Err(out_of_reach(endpoint, why));
    }
    Ok(why)
}

/// True for the errors that only a modern server gives, when it speaks our modern revision.
fn is_modern_error(raw: &str) -> bool {
    match reply::code_of(raw) {
        Some(code::HEADER_MISMATCH | code::MISSING_CAPABILITY) => true,
        Some(code::UNSUPPORTED_VERSION) => supported(raw).iter().any(|version| version == NEWEST_MODERN),
        _ => false,
    }
}

fn supported(raw: &str) -> Vec<String> {
    let list = || {
        let data = Members::parse(raw).ok()?.get("data")?;
        let list = Members::parse(data.get()).ok()?.get("supported")?;
        serde_json::from_str(list.get()).ok()
    };
    list().unwrap_or_default()
}

fn server_info(meta: Option<&RawValue>) -> Option<Box<RawValue>> {
    let meta = Members::parse(meta?.get()).ok()?;
    meta.get("io.modelcontextprotocol/serverInfo").map(ToOwned::to_owned)
}

/// A raw JSON-RPC error, in words.
fn said(raw: &str) -> String {
    let members = Members::parse(raw).ok();
    let text =
        members.and_then(|members| read_text(members.get("message")?).ok().map(|text| reply::shown(&text)));
    let code = reply::code_of(raw).unwrap_or_default();
    format!("error {code}: {}", text.unwrap_or_default())
}

fn refused(endpoint: &Endpoint, method: &'static str, why: String) -> StartError {
    StartError::Refused { server: endpoint.server.clone(), method, status: None, why }
}

/// A refusal of `initialize`; its status tells whether another transport may be spoken.
fn turned_away(endpoint: &Endpoint, status: StatusCode, why: String) -> StartError {
    let status = (!status.is_success()).then_some(status.as_u16());
    StartError::Refused { server: endpoint.server.clone(), method: INITIALIZE, status, why }
}

fn out_of_reach(endpoint: &Endpoint, why: String) -> StartError {
    StartError::Unreachable { server: endpoint.server.clone(), why }
}
