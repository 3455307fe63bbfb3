//! What the modern era writes and reads: `_meta` of every request, and `server/discover`.
//!
//! Source: MCP 2026-07-28, `basic/index`, `basic/versioning`, `server/discover`.

use crate::protocol::legacy;
use crate::protocol::version;
use crate::protocol::version::NEWEST_MODERN;
use crate::wire::members::Members;
use crate::wire::message::read_text;
use serde::Deserialize;
use serde_json::value::RawValue;

/// `_meta` key: the revision of this request. Required.
pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// `_meta` key: what the client can do. Required.
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// `_meta` key: who the client is.
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// `_meta` key: which log messages the client wants for this request.
pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// How long a client may keep a complete list, in milliseconds.
pub const LIST_TTL_MS: u32 = 5_000;

/// The params of `server/discover` that we send. `capabilities` is JSON text.
#[must_use]
pub fn discover_params(capabilities: &str) -> String {
    format!(
        r#"{{"_meta":{{"{PROTOCOL_VERSION}":"{NEWEST_MODERN}","{CLIENT_INFO}":{},"{CLIENT_CAPABILITIES}":{capabilities}}}}}"#,
        legacy::implementation()
    )
}

/// What a server answered to `server/discover`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discovered {
    /// The revisions it speaks.
    pub supported_versions: Vec<String>,
    /// What it can do, raw.
    pub capabilities: Box<RawValue>,
    /// How to use it.
    #[serde(default)]
    pub instructions: Option<String>,
    /// Its `_meta`, which holds who it is.
    #[serde(default, rename = "_meta")]
    pub meta: Option<Box<RawValue>>,
}

/// The result of `server/discover` that we answer.
#[must_use]
pub fn discover_result(capabilities: &str, instructions: &str) -> Vec<u8> {
    let instructions = serde_json::to_string(instructions).unwrap_or_default();
    let versions = serde_json::to_string(&version::supported()).unwrap_or_default();
    format!(
        r#"{{"resultType":"complete","supportedVersions":{versions},"capabilities":{capabilities},"instructions":{instructions},"ttlMs":{LIST_TTL_MS},"cacheScope":"private","_meta":{{"io.modelcontextprotocol/serverInfo":{}}}}}"#,
        legacy::implementation()
    )
    .into_bytes()
}

/// What one modern request says about its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestMeta<'a> {
    /// The revision, one we may or may not speak.
    pub version: String,
    /// What the client can do, raw.
    pub capabilities: Option<&'a str>,
    /// The level of log messages it wants.
    pub log_level: Option<String>,
}

/// Reads the modern keys out of a request's `_meta`. `None` when it names no revision: then it is no modern request.
#[must_use]
pub fn request_meta<'a>(meta: &Members<'a>) -> Option<RequestMeta<'a>> {
    let version = read_text(meta.get(PROTOCOL_VERSION)?).ok()?.into_owned();
    let capabilities = meta.get(CLIENT_CAPABILITIES).map(RawValue::get).filter(|raw| raw.starts_with('{'));
    let log_level = meta.get(LOG_LEVEL).and_then(|raw| read_text(raw).ok()).map(std::borrow::Cow::into_owned);
    Some(RequestMeta { version, capabilities, log_level })
}
