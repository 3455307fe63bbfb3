//! The `gateway` section as users write it, for the JSON Schema.
//!
//! `check/settings.rs` is what reads it; a test keeps the two alike.

use crate::config::file::access::Access;
use crate::config::file::access::PathOrAgents;
use crate::config::file::access::Rates;
use crate::config::file::auth::Auth;
use crate::config::file::auth::NamedCaller;
use crate::config::file::egress::Egress;
use crate::config::file::value::TextOrFlag;
use indexmap::IndexMap;
use schemars::JsonSchema;

/// Settings of the gateway itself. Durations are texts like `"500ms"`, `"30s"`, `"10m"`, `"1h"`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Gateway {
    /// How the names that clients see are built.
    pub naming: Option<Naming>,
    /// Sizes and counts that are refused beyond.
    pub limits: Option<Limits>,
    /// The HTTP front.
    pub http: Option<Http>,
    /// Who may connect over HTTP.
    pub auth: Option<Auth>,
    /// Who a client on stdio may be, by name.
    pub callers: Option<IndexMap<String, NamedCaller>>,
    /// The one that a client on stdio is which was started without `--as`. Default: the owner of the process.
    pub default_caller: Option<String>,
    /// How this file is followed.
    pub watch: Option<Watch>,
    /// Who may use what.
    pub access: Option<Access>,
    /// Rules of agents: the path of a file, or the rules.
    pub rules: Option<PathOrAgents>,
    /// How often something may be called.
    pub rates: Option<Rates>,
    /// Where requests may go whose address a server or a client has a say in.
    pub egress: Option<Egress>,
    /// Longest wait of a first list for servers whose tools are not known yet. Default `"8s"`.
    pub list_timeout: Option<String>,
    /// Longest wait for calls in flight at shutdown, or on a removed server. Default `"10s"`.
    pub drain_timeout: Option<String>,
    /// Longest wait for a user who was asked something by a server. Default `"600s"`.
    pub answer_timeout: Option<String>,
    /// What happens to servers, tools, prompts and resources that are not in the lock file beside this one
    /// (`mcp.lock.json`, written by `mcp-manifold lock`) or changed since. Default `"off"`.
    pub lock: Option<LockName>,
    /// Where calls and decisions are written down.
    pub audit: Option<Audit>,
    /// Whether stdio clients of this file share one gateway. Default `true`.
    pub share: Option<bool>,
    /// How long a shared gateway stays after its last client. Default `"60s"`.
    pub linger: Option<String>,
    /// Own text at the head of the instructions that clients get.
    pub instructions: Option<String>,
    /// Default of `callTimeout` of all servers. Default `"600s"`.
    pub call_timeout: Option<String>,
    /// The same as `callTimeout`.
    pub tool_timeout: Option<String>,
    /// Default of `maxCallTime` of all servers. Default `"1h"`.
    pub max_call_time: Option<String>,
    /// When calls to a server that keeps failing are refused at once.
    pub breaker: Option<Breaker>,
    /// Default of `startTimeout` of all servers. Default `"60s"`.
    pub start_timeout: Option<String>,
    /// Default of `idleTimeout` of all servers. Default `"600s"`; `"never"` or `false` keeps servers running.
    pub idle_timeout: Option<TextOrFlag>,
    /// Default of `maxInFlight` of all servers. Default 256.
    pub max_in_flight: Option<u32>,
}

/// How the names that clients see are built.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Naming {
    /// Between the server's name and the tool's. Default `"__"`.
    pub separator: Option<String>,
    /// For example `"mcp_{server}__{tool}"`.
    pub template: Option<String>,
    /// Longest name, in bytes; longer ones are shortened. Default 46.
    #[schemars(range(min = 16, max = 128))]
    pub max_length: Option<u32>,
}

/// Sizes and counts that are refused beyond.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Limits {
    /// Longest message in either direction, in bytes. Default 16 MiB.
    pub message_bytes: Option<u64>,
    /// Deepest nesting of a message. Default 128.
    pub depth: Option<u32>,
    /// Requests in flight of one client. Default 1024.
    pub in_flight_per_client: Option<u32>,
    /// Requests in flight of all clients of one caller who is known (by a token). Default 4096.
    pub in_flight_per_caller: Option<u32>,
    /// Requests in flight of everybody. Default 16384.
    pub in_flight_total: Option<u32>,
    /// Servers starting at once. Default 8.
    pub starts_at_once: Option<u32>,
    /// Bytes waiting for a client that does not read; beyond it is cut off. Default 64 MiB.
    pub client_queue_bytes: Option<u64>,
    /// Bytes waiting for a server that does not read; beyond calls are refused. Default 16 MiB.
    pub server_queue_bytes: Option<u64>,
    /// Items of one list of one server. Default 20000.
    pub list_items: Option<u32>,
    /// Pages of one list of one server. Default 1000.
    pub list_pages: Option<u32>,
    /// Bytes of the items of one list of one server. Default 64 MiB.
    pub list_bytes: Option<u64>,
    /// Items on one page of a list to clients. Default 5000.
    pub page_size: Option<u32>,
    /// Connections of one server that belong to one session, caller or call each. Default 64.
    pub private_connections: Option<u32>,
    /// Calls of one caller that wait for an answer of a user. Default 64.
    pub parked_per_caller: Option<u32>,
    /// Calls of everybody that wait for an answer of a user. Default 1024.
    pub parked_total: Option<u32>,
    /// Resources that one client is subscribed to. Default 1000.
    pub subscriptions_per_client: Option<u32>,
}

/// The HTTP front.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Http {
    /// `Host` values accepted besides loopback ones: `host` or `host:port`.
    pub allowed_hosts: Option<Vec<String>>,
    /// `Origin` values accepted: `scheme://host[:port]`. None by default; requests without `Origin` pass.
    pub allowed_origins: Option<Vec<String>>,
    /// When given, every request needs `Authorization: Bearer` with one of these: at least 16 characters each, best
    /// written as `${NAME}` or `${file:path}`.
    pub bearer_tokens: Option<Vec<String>>,
    /// Longest time for the header of a request. Default `"10s"`.
    pub header_timeout: Option<String>,
    /// Longest time for the body of a request. Default `"30s"`.
    pub body_timeout: Option<String>,
    /// Idle time after which a session is forgotten. Default `"1h"`.
    pub session_idle: Option<String>,
    /// Sessions at once. Default 10000.
    pub max_sessions: Option<u32>,
    /// Sessions at once of one caller who is known (by a token). Default 1000.
    pub max_sessions_per_caller: Option<u32>,
    /// Connections at once. Default 4096.
    pub max_connections: Option<u32>,
    /// Bytes that each stream of a session keeps after they were sent, for a client that lost its connection and resumes
    /// the stream. Default 1048576.
    pub replay_bytes: Option<u64>,
    /// `true` serves the old HTTP+SSE (2024-11-05) too, at `/sse`. Default `false`.
    pub sse: Option<bool>,
    /// `true` serves WebSockets too, at `/ws`. Default `false`.
    pub websocket: Option<bool>,
}

/// When calls to a server that keeps failing are refused at once: after failures of the transport and timeouts in a row.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Breaker {
    /// How many; 0 is never. Default 5.
    pub failures: Option<u32>,
    /// How long calls are refused, before one is tried. Default `"5s"`.
    pub pause: Option<String>,
    /// How long at most: the pause doubles with every try that fails. Default `"60s"`.
    pub max_pause: Option<String>,
}

/// Where calls and decisions are written down: one JSON object to a line.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Audit {
    /// The file, relative to the folder of this one.
    pub file: String,
    /// Bytes after which it is put aside. Default 67108864.
    pub rotate_bytes: Option<u64>,
    /// Files kept that were put aside. Default 5.
    pub keep: Option<u32>,
    /// What is written of arguments. Default `"shape"`.
    pub arguments: Option<AuditArguments>,
    /// What happens to calls while nothing can be written. Default `"ignore"`.
    pub on_failure: Option<AuditFailure>,
}

/// What is written of arguments.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum AuditArguments {
    /// Names and types.
    Shape,
    /// Everything.
    Values,
}

/// What happens to calls while nothing can be written.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum AuditFailure {
    /// They are made, and a line says how many are missing.
    Ignore,
    /// They are refused.
    Refuse,
}

/// What happens to what was not approved.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum LockName {
    /// Nothing.
    Off,
    /// It is reported.
    Warn,
    /// It is reported, hidden, and cannot be called.
    Enforce,
}

/// How this file is followed.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Watch {
    /// Quiet time after the last change before the file is read. Default `"200ms"`.
    pub debounce: Option<String>,
    /// How often the content is compared although nothing was told. Default `"1s"`.
    pub poll: Option<String>,
}
