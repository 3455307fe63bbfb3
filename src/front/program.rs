//! A front for programs: the gateway's requests as plain async calls, in the process that embeds it.
//!
//! It takes the same way as any client: a session, a request, one answer. It does not parse results.

use crate::auth::caller::Caller;
use crate::gateway::Gateway;
use crate::gateway::session::Session;
use crate::wire::guard::guarded;
use crate::wire::mailbox::Kind;
use crate::wire::mailbox::mailbox;
use crate::wire::members::Members;
use crate::wire::members::write_string;
use crate::wire::message;
use crate::wire::message::Malformed;
use crate::wire::sink::Sink;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// A client inside the process. Dropping it ends its session.
pub struct Program {
    gateway: Gateway,
    session: Arc<Session>,
    next_id: AtomicU64,
    depth: usize,
    queue_bytes: usize,
}

/// Why a request of a program has no result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RequestError {
    /// The params are not a JSON object.
    #[error(transparent)]
    Params(#[from] Malformed),
    /// The gateway or the server answered with an error.
    #[error("{message}")]
    Answered {
        /// The JSON-RPC code.
        code: i32,
        /// What it says.
        message: String,
        /// The whole error object, as JSON text.
        raw: String,
    },
    /// The call was cancelled, or the gateway ended.
    #[error("the gateway ended before it answered")]
    NoAnswer,
}

impl Program {
    /// A client named by `caller`.
    #[must_use]
    pub fn new(gateway: Gateway, caller: Caller) -> Self {
        let session = gateway.open_session(caller);
        if let Some(presence) = session.presence() {
            presence.came_over("program", None);
        }
        session.passed.comes_from_here();
        let config = gateway.config();
        let limits = &config.settings.limits;
        let (depth, queue_bytes) = (limits.depth, limits.client_queue_bytes);
        Self { gateway, session, next_id: AtomicU64::new(1), depth, queue_bytes }
    }

    /// Sends a request of the legacy era and waits for its result. `params` is the text of a JSON object.
    ///
    /// Dropping the future cancels the call.
    ///
    /// # Errors
    /// [`RequestError`] when there is no result.
    pub async fn request(&self, method: &str, params: &str) -> Result<Box<RawValue>, RequestError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed).to_string();
        let text = message::one_line_request(&id, method, params);
        let message = message::parse(text.as_bytes(), self.depth)?;
        let (mailbox, mut letters) = mailbox(self.queue_bytes);
        let call = CancelOnDrop { program: self, id: &id };
        let sink = Sink::Mail(mailbox);
        guarded("a request of a program", || self.gateway.accept(&self.session, &message, &sink));
        drop(sink);
        while let Some(letter) = letters.next().await {
            if letter.kind != Kind::Notice {
                std::mem::forget(call);
                return read_answer(&letter.bytes);
            }
        }
        Err(RequestError::NoAnswer)
    }

    /// Calls the tool that clients know as `name`. `arguments` is the text of a JSON object.
    ///
    /// # Errors
    /// As [`Program::request`]. A tool that reports a failure of its own is a result with `isError`.
    pub async fn call_tool(&self, name: &str, arguments: &str) -> Result<Box<RawValue>, RequestError> {
        let mut params = br#"{"name":"#.to_vec();
        write_string(&mut params, name);
        params.extend_from_slice(br#","arguments":"#);
        params.extend_from_slice(arguments.as_bytes());
        params.push(b'}');
        self.request("tools/call", &String::from_utf8_lossy(&params)).await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.gateway.close_session(&self.session, "the program is done");
    }
}

/// Cancels a call whose future is dropped.
struct CancelOnDrop<'a> {
    program: &'a Program,
    id: &'a str,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.program.gateway.cancel(&self.program.session, self.id, "the program no longer wants it");
    }
}

fn read_answer(bytes: &[u8]) -> Result<Box<RawValue>, RequestError> {
    let text = std::str::from_utf8(bytes).map_err(|_| RequestError::NoAnswer)?;
    let members = Members::parse(text).map_err(|_| RequestError::NoAnswer)?;
    if let Some(result) = members.get("result") {
        return Ok(result.to_owned());
    }
    let raw = members.get("error").ok_or(RequestError::NoAnswer)?.get();
    #[derive(serde::Deserialize)]
    struct Said {
        code: i32,
        message: String,
    }
    let Said { code, message } = serde_json::from_str(raw).map_err(|_| RequestError::NoAnswer)?;
    Err(RequestError::Answered { code, message, raw: raw.to_owned() })
}
