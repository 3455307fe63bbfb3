//! What the legacy era writes and reads: the `initialize` handshake, in both directions.
//!
//! Source: MCP 2025-11-25, `basic/lifecycle`.

use crate::protocol::version::NEWEST_LEGACY;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Params of the `initialize` we send. `capabilities` is JSON text: what can be relayed for our clients.
#[must_use]
pub fn initialize_params(capabilities: &str) -> String {
    format!(
        r#"{{"protocolVersion":"{NEWEST_LEGACY}","capabilities":{capabilities},"clientInfo":{}}}"#,
        implementation()
    )
}

/// What a server answered to `initialize`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Initialized {
    /// The revision it chose.
    pub protocol_version: String,
    /// What it can do, raw.
    pub capabilities: Box<RawValue>,
    /// Who it is, raw.
    #[serde(default)]
    pub server_info: Option<Box<RawValue>>,
    /// How to use it.
    #[serde(default)]
    pub instructions: Option<String>,
}

/// What a client says in `initialize`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Initialize<'a> {
    /// The revision it wants.
    pub protocol_version: String,
    /// What it can do, raw.
    #[serde(borrow, default)]
    pub capabilities: Option<&'a RawValue>,
    /// Who it is.
    #[serde(default)]
    pub client_info: Option<ClientInfo>,
}

/// The name of a client, for people.
#[derive(Debug, Clone, Deserialize, Default)]
pub struct ClientInfo {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
}

/// The result of `initialize` that we answer.
#[must_use]
pub fn initialize_result(version: &str, capabilities: &str, instructions: &str) -> Vec<u8> {
    let instructions = serde_json::to_string(instructions).unwrap_or_default();
    format!(
        r#"{{"protocolVersion":"{version}","capabilities":{capabilities},"serverInfo":{},"instructions":{instructions}}}"#,
        implementation()
    )
    .into_bytes()
}

/// Who we are, as JSON text.
#[must_use]
pub fn implementation() -> &'static str {
    concat!(r#"{"name":"mcp-manifold","title":"manifold","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#)
}
