//! Every error a client can see, in one place.

use crate::auth::caller::Caller;
use crate::config::model::Server;
use crate::config::model::access::ObjectKind;
use crate::downstream::private::NoConnection;
use crate::name::ServerName;
use crate::protocol::code;
use crate::protocol::input::Wanted;
use crate::telemetry::clean::clean_block;
use crate::telemetry::clean::is_hidden;
use crate::wire::message::Malformed;
use crate::wire::pending::Lost;
use serde_json::json;
use std::time::Duration;

/// An error answer of the gateway's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The JSON-RPC code.
    pub code: i32,
    /// For a person: names the server, says what was seen and what to do.
    pub message: String,
    /// More, for programs.
    pub data: Option<serde_json::Value>,
}

impl Failure {
    /// A failure with `code`.
    #[must_use]
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// With `data`.
    #[must_use]
    pub fn with(mut self, data: serde_json::Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The error object as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        // It may quote what a client or server said.
        let message = clean_block(&self.message);
        let object = match &self.data {
            Some(data) => json!({"code": self.code, "message": message, "data": data}),
            None => json!({"code": self.code, "message": message}),
        };
        object.to_string()
    }

    /// No method of this name. The same for one that this era does not have.
    #[must_use]
    pub fn unknown_method(method: &str) -> Self {
        Self::new(code::METHOD_NOT_FOUND, format!("unknown method `{}`", shortened(method)))
    }

    /// Params that cannot be read.
    #[must_use]
    pub fn bad_params(method: &str, why: impl std::fmt::Display) -> Self {
        Self::new(code::INVALID_PARAMS, format!("invalid params of `{method}`: {why}"))
    }

    /// No tool of this name, or none this caller may use: the same answer.
    #[must_use]
    pub fn unknown_tool(name: &str, suggestion: Option<&str>) -> Self {
        let hint = suggestion.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Self::new(code::INVALID_PARAMS, format!("unknown tool `{}`{hint}", shortened(name)))
    }

    /// A view of MCP Apps calls a tool by a name that tools of several servers have.
    #[must_use]
    pub fn ambiguous_tool(name: &str, rivals: &[&str]) -> Self {
        let rivals = rivals.iter().map(|rival| format!("`{rival}`")).collect::<Vec<_>>().join(" or ");
        Self::new(code::INVALID_PARAMS, format!("tool `{}` could be {rivals}", shortened(name)))
    }

    /// A tool that needs what the client's revision does not have.
    #[must_use]
    pub fn only_as_task(name: &str) -> Self {
        let text = format!(
            "tool `{}` runs only as a task of protocol revision 2025-11-25, and this client speaks another one",
            shortened(name)
        );
        Self::new(code::INVALID_PARAMS, text)
    }

    /// No prompt of this name.
    #[must_use]
    pub fn unknown_prompt(name: &str) -> Self {
        Self::new(code::INVALID_PARAMS, format!("unknown prompt `{}`", shortened(name)))
    }

    /// Something of `server` that nobody approved as it is now.
    #[must_use]
    pub fn held(server: &ServerName, denial: &str) -> Self {
        Self::new(code::INVALID_PARAMS, denial).with(json!({"server": server.as_str(), "held": true}))
    }

    /// Something that the caller may list and not use.
    #[must_use]
    pub fn list_only(kind: ObjectKind, name: &str) -> Self {
        let (kind, name) = (kind.name(), shortened(name));
        let text =
            format!("{kind} `{name}` may be listed but not used: this caller has the level `read` for it");
        Self::new(code::INVALID_PARAMS, text)
    }

    /// A request that was permitted when it came, and is not any more.
    #[must_use]
    pub fn no_longer_permitted(method: &str) -> Self {
        let text = format!("this `{method}` is no longer permitted: the rules changed while it waited");
        Self::new(code::INVALID_PARAMS, text)
    }

    /// Calls are to be written down, and cannot be.
    #[must_use]
    pub fn no_audit() -> Self {
        let text = "the audit log cannot be written, and `gateway.audit.onFailure` is `refuse`: no call is made until it can";
        Self::new(code::INTERNAL_ERROR, text)
    }

    /// A revision we do not speak.
    #[must_use]
    pub fn unsupported_version(requested: &str, supported: &[&str]) -> Self {
        let message = format!("protocol revision `{}` is not supported", shortened(requested));
        Self::new(code::UNSUPPORTED_VERSION, message)
            .with(json!({"supported": supported, "requested": requested}))
    }

    /// The client did not declare an extension that this needs.
    #[must_use]
    pub fn missing_extension(extension: &str) -> Self {
        let message = format!("missing required client capability: declare the extension `{extension}`");
        Self::new(code::MISSING_CAPABILITY, message)
            .with(json!({"requiredCapabilities": {"extensions": {extension: {}}}}))
    }

    /// A server asked the client for something that it did not declare, and failed without it.
    #[must_use]
    pub fn missing_capability(server: &ServerName, wanted: Wanted, said: &str) -> Self {
        let needed: serde_json::Value = serde_json::from_str(wanted.required()).unwrap_or_default();
        let text = format!(
            "server `{server}` needs a client with the capability `{}`, which this request does not declare: {said}",
            wanted.capability()
        );
        Self::new(code::MISSING_CAPABILITY, text).with(json!({"requiredCapabilities": needed}))
    }

    /// A `requestState` that leads nowhere: never given out, used, expired, or given to somebody else.
    #[must_use]
    pub fn unknown_state(method: &str) -> Self {
        let text = format!(
            "the `requestState` of this `{method}` is not known: it was used, has expired, or belongs to another request; \
             send the request anew, without it"
        );
        Self::new(code::INVALID_PARAMS, text)
    }

    /// More subscriptions than one client may have.
    #[must_use]
    pub fn too_many_subscriptions(limit: usize) -> Self {
        let text = format!(
            "this client has {limit} subscriptions (`gateway.limits.subscriptionsPerClient`); end some of them first"
        );
        Self::new(code::INVALID_REQUEST, text)
    }

    /// A second request with an id that is still in flight.
    #[must_use]
    pub fn duplicate_id(id: &str) -> Self {
        Self::new(code::INVALID_REQUEST, format!("a request with the id {id} is already in flight"))
    }

    /// Too many requests in flight.
    #[must_use]
    pub fn too_many(limit: usize) -> Self {
        let text = format!(
            "this client has {limit} requests in flight (`gateway.limits.inFlightPerClient`); wait for answers"
        );
        Self::new(code::INTERNAL_ERROR, text).with(json!({"retryable": true, "retryAfter": 1}))
    }

    /// Too many requests in flight, counted over those whom `whose` begins to tell of; `key` of the file says how many.
    #[must_use]
    pub fn too_busy(limit: usize, whose: &str, key: &str) -> Self {
        let requests = if limit == 1 { "request" } else { "requests" };
        let text = format!("{whose} {limit} {requests} in flight (`{key}`); try again in a moment");
        Self::new(code::INTERNAL_ERROR, text).with(json!({"retryable": true, "retryAfter": 1}))
    }

    /// A call more than the rate or quota of `whose` allows; `left` is how long it has to wait.
    #[must_use]
    pub fn too_often(whose: &str, allowed: &str, left: Duration) -> Self {
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let text = format!("{whose} has had {allowed} (`gateway.rates`); try again in {seconds} s");
        Self::new(code::INTERNAL_ERROR, text).with(json!({"retryable": true, "retryAfter": seconds}))
    }

    /// The gateway lost track of a request: its own fault. `incident` stands in its log, too.
    #[must_use]
    pub fn dropped(incident: &str) -> Self {
        let text = format!(
            "the gateway dropped this request, which is a bug in the gateway; its log says more under incident {incident}"
        );
        Self::new(code::INTERNAL_ERROR, text).with(json!({"incident": incident}))
    }

    /// The gateway is going down.
    #[must_use]
    pub fn shutting_down() -> Self {
        Self::new(code::INTERNAL_ERROR, "the gateway is shutting down")
    }

    /// The client left while its request waited for lists.
    #[must_use]
    pub fn session_ended() -> Self {
        Self::new(code::INTERNAL_ERROR, "the session ended before the servers were asked")
    }

    /// A message that could not be read.
    #[must_use]
    pub fn malformed(malformed: &Malformed) -> Self {
        Self::new(malformed.code, malformed.text.clone())
    }

    /// No connection for this caller.
    #[must_use]
    pub fn no_connection(why: &NoConnection) -> Self {
        Self::new(code::INTERNAL_ERROR, why.to_string())
    }

    /// A request that belongs to nobody, for a server that everybody must have for themselves.
    #[must_use]
    pub fn no_session(server: &ServerName) -> Self {
        let text = format!(
            "server `{server}` has a connection for each session (`sharing` is `per-session`), and this request has \
             neither a session nor a known caller: begin with `initialize`, or send a token"
        );
        Self::new(code::INVALID_REQUEST, text).with(json!({"server": server.as_str()}))
    }

    /// The entry shows the credential of the caller, and `caller` has none. The gateway's own is not shown instead.
    #[must_use]
    pub fn no_credential(server: &Server, caller: &Caller) -> Self {
        let name = &server.name;
        let (what, hint) = match server.logs_callers_in() {
            true => ("login", "only callers who show who they are can have one"),
            false => ("credential", "add one to `auth.callers` of its entry"),
        };
        let text = format!(
            "server `{name}` is asked with the {what} of the caller, and there is none for `{caller}`: {hint}"
        );
        Self::new(code::INVALID_REQUEST, text)
            .with(json!({"server": name.as_str(), "authorization": "needed"}))
    }

    /// A subscription that no connection could carry.
    #[must_use]
    pub fn no_updates(server: &ServerName) -> Self {
        let text = format!(
            "server `{server}` has a connection for each call (`sharing` is `per-call`) that shows who calls, so that it \
             cannot tell of updates"
        );
        Self::new(code::INVALID_REQUEST, text).with(json!({"server": server.as_str()}))
    }

    /// A call that `server` never answered, for the reader who wants to know why.
    #[must_use]
    pub fn lost(server: &ServerName, method: &str, lost: &Lost) -> Self {
        let text = match lost {
            Lost::Closed(reason) => {
                format!("server `{server}` {reason}; the call may have run, it is not repeated")
            }
            Lost::Silent(after) => {
                format!("server `{server}` gave no answer to `{method}` within {} s", after.as_secs_f64())
            }
            Lost::Endless(after) => format!(
                "server `{server}` did not finish `{method}` within {} s (`maxCallTime`); it was told to stop",
                after.as_secs_f64()
            ),
            Lost::Unreadable(why) => format!("server `{server}` sent an answer that cannot be read: {why}"),
            Lost::NotSent(why) => format!("server `{server}`: {why}"),
            Lost::NotStarted(why) | Lost::Held(why) => why.to_string(),
            Lost::Unauthorized(why) => why.to_string(),
            Lost::Cancelled => {
                format!("the session ended before server `{server}` answered; the call was cancelled")
            }
        };
        let code = if matches!(lost, Lost::Held(_)) { code::INVALID_PARAMS } else { code::INTERNAL_ERROR };
        let data = match lost {
            Lost::Held(_) => json!({"server": server.as_str(), "held": true}),
            Lost::Unauthorized(_) => json!({"server": server.as_str(), "authorization": "needed"}),
            _ => json!({"server": server.as_str()}),
        };
        Self::new(code, text).with(data)
    }
}

/// At most 200 characters of what somebody sent, for use inside a message.
fn shortened(text: &str) -> String {
    let seen = |c: char| if c.is_control() || is_hidden(c) { '\u{fffd}' } else { c };
    let start: String = text.chars().take(200).map(seen).collect();
    if text.chars().count() > 200 { format!("{start}…") } else { start }
}
