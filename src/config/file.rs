//! The file as users write it, for the JSON Schema that editors complete from.
//!
//! Only the spelling to be recommended is described; `dialect/alias.rs` knows the others, and it is what reads a file.

use crate::config::file::gateway::Gateway;
use crate::config::file::outbound::AuthOrLogin;
use crate::config::file::outbound::CommandText;
use crate::config::file::tool::RetryName;
use crate::config::file::tool::Tool;
use crate::config::file::value::NamesOrAll;
use crate::config::file::value::NumberOrObject;
use crate::config::file::value::Scalar;
use crate::config::file::value::TextOrFlag;
use crate::config::file::value::TextOrList;
use indexmap::IndexMap;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

pub mod access;
pub mod auth;
pub mod egress;
pub mod gateway;
pub mod oauth;
pub mod outbound;
pub mod tool;
pub mod value;

/// Servers of an MCP gateway, as every MCP client writes them.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", title = "mcp-manifold configuration")]
pub struct ConfigFile {
    /// Where this schema is, for editors.
    #[schemars(rename = "$schema")]
    pub schema: Option<String>,
    /// The servers, by name. A name that begins with `_` or `//` is skipped.
    pub mcp_servers: Option<IndexMap<String, Entry>>,
    /// The same, as VS Code writes it. Used when there is no `mcpServers`.
    pub servers: Option<IndexMap<String, Entry>>,
    /// Values for `${input:id}`, as VS Code writes them. Nobody is asked: `INPUT_<ID>` in the environment comes before
    /// `default`.
    pub inputs: Option<Vec<Input>>,
    /// Settings of the gateway itself. Other clients ignore this key.
    pub gateway: Option<Gateway>,
}

/// One server: a process to start (`command`) or an endpoint to connect to (`url`).
///
/// In `command`, `args`, `env`, `cwd`, `url` and `headers` these are replaced: `${NAME}`, `${NAME:-default}`,
/// `${env:NAME}`, `${file:path}`, `${input:id}`, `${userHome}`, `${workspaceFolder}`, `${self}` (this program).
/// `$${` is a plain `${`. A variable that is not set leaves the entry out.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Entry {
    /// `stdio` for a process, `http` for Streamable HTTP, `sse` for the old HTTP+SSE, `ws` for a WebSocket. May be left out.
    #[schemars(rename = "type")]
    pub kind: Option<Kind>,
    /// The program to start, without arguments. There is no shell.
    pub command: Option<TextOrList>,
    /// Its arguments.
    pub args: Option<Vec<Scalar>>,
    /// Variables for the process. `null` removes one that would be passed on.
    pub env: Option<IndexMap<String, Option<Scalar>>>,
    /// Names of own variables to pass on; `true` passes on all of them. By default only `PATH`, `HOME`, the locale and
    /// the like are.
    pub inherit_env: Option<NamesOrAll>,
    /// A file with `NAME=value` lines; `env` wins over it.
    pub env_file: Option<String>,
    /// Working directory, relative to the folder of this file.
    pub cwd: Option<String>,
    /// The endpoint, `http` or `https`.
    pub url: Option<String>,
    /// Headers sent with every request.
    pub headers: Option<IndexMap<String, Scalar>>,
    /// A token for `Authorization: Bearer`.
    pub bearer_token: Option<String>,
    /// The variable that holds that token.
    pub bearer_token_env: Option<String>,
    /// With what the gateway shows who asks, or how somebody logs in there. `false` offers no login.
    pub auth: Option<AuthOrLogin>,
    /// A command that prints headers as a JSON object; there is no shell.
    pub headers_helper: Option<CommandText>,
    /// Headers of HTTP clients that are passed on; never credentials.
    pub pass_headers: Option<Vec<String>>,
    /// Whether credentials may go over `http` and `ws` off this machine. Default `false`.
    pub allow_plain_http: Option<bool>,
    /// `true` keeps the entry in the file without using it.
    pub disabled: Option<bool>,
    /// One line about the server, for the instructions that clients get.
    pub description: Option<String>,
    /// What stands before its tool names instead of the server name; `""` for nothing.
    pub prefix: Option<String>,
    /// Which tools are shown; `*` and `?` match. An empty list shows none.
    pub include_tools: Option<Vec<String>>,
    /// Which tools are not shown; wins over `includeTools`.
    pub exclude_tools: Option<Vec<String>>,
    /// Which era of the protocol is spoken.
    pub era: Option<EraName>,
    /// Longest time without an answer or progress for one call: `"500ms"`, `"30s"`, `"10m"`, `"1h"`.
    pub call_timeout: Option<String>,
    /// The same, in milliseconds.
    pub call_timeout_ms: Option<u64>,
    /// Longest time for one call, whatever progress it reports. Default `"1h"`, or `callTimeout` when that is longer.
    pub max_call_time: Option<String>,
    /// Which calls are sent once more when the server ended before it answered. Default `"never"`.
    pub retry: Option<RetryName>,
    /// What holds for some tools instead, by their own names; `*` and `?` match.
    pub tools: Option<IndexMap<String, Tool>>,
    /// A process that takes nothing from its stdin for this long, while something waits for it, is ended. Default `"5s"`;
    /// `"never"` or `false` waits for it.
    pub stuck_after: Option<TextOrFlag>,
    /// Longest time for starting or connecting.
    pub start_timeout: Option<String>,
    /// The same, in milliseconds.
    pub start_timeout_ms: Option<u64>,
    /// Longest time for reading one of its lists, with all pages.
    pub list_timeout: Option<String>,
    /// Idle time after which it is stopped; `"never"` or `false` keeps it running.
    pub idle_timeout: Option<TextOrFlag>,
    /// Waits while a process is stopped.
    pub stop_grace: Option<StopGrace>,
    /// Calls at once; more are refused.
    pub max_in_flight: Option<u32>,
    /// Who shares a connection to it.
    pub sharing: Option<SharingName>,
    /// Whether arguments of calls are held against the schema of the tool. By default those of commands and of programs
    /// that embed the gateway are, and what a client sends is not.
    pub validate_arguments: Option<bool>,
    /// Longest result of a call, in bytes; beyond it is an error.
    pub result_limit: Option<u64>,
    /// Longest time for one call without a unit, as other clients write it: seconds below 1000, else milliseconds.
    pub timeout: Option<NumberOrObject>,
}

/// Waits while a process is stopped: stdin is closed, then SIGTERM, then SIGKILL.
#[derive(JsonSchema)]
pub struct StopGrace {
    /// From closing stdin to SIGTERM.
    pub eof: Option<String>,
    /// From SIGTERM to SIGKILL.
    pub term: Option<String>,
}

/// A named value.
#[derive(JsonSchema)]
pub struct Input {
    /// The name used in `${input:id}`.
    pub id: String,
    /// The value when `INPUT_<ID>` is not set.
    pub default: Option<String>,
}

/// How a server is reached.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Kind {
    /// A process.
    Stdio,
    /// Streamable HTTP.
    Http,
    /// The same.
    StreamableHttp,
    /// The old HTTP+SSE of 2024-11-05.
    Sse,
    /// A WebSocket.
    Ws,
    /// The same.
    Websocket,
}

/// An era of the protocol.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum EraName {
    /// Find out, and remember.
    Auto,
    /// Up to 2025-11-25.
    Legacy,
    /// From 2026-07-28.
    Modern,
}

/// Who shares a connection to a server.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum SharingName {
    /// All clients, until the server asks its client for something; from then on each session has its own.
    Auto,
    /// All clients.
    Shared,
    /// Each session has its own process or connection.
    PerSession,
    /// Each call has its own, which ends with it.
    PerCall,
}

/// The JSON Schema of the file (draft 7), as it is committed under `schema/`.
#[must_use]
pub fn schema_json() -> String {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<ConfigFile>();
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
