//! Error codes of JSON-RPC and MCP.
//!
//! Source: JSON-RPC 2.0 section 5.1; MCP 2026-07-28 `basic/index`, error codes; 2025-11-25 `server/resources`.

/// The text is not JSON.
pub const PARSE_ERROR: i32 = -32700;
/// The JSON is not a message, or comes at the wrong time.
pub const INVALID_REQUEST: i32 = -32600;
/// Nobody knows this method.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// The method is known, the parameters are wrong; also an unknown tool or prompt.
pub const INVALID_PARAMS: i32 = -32602;
/// The gateway or a server failed.
pub const INTERNAL_ERROR: i32 = -32603;
/// Legacy: no such resource. Modern peers get [`INVALID_PARAMS`].
pub const RESOURCE_NOT_FOUND: i32 = -32002;
/// Legacy: a URL elicitation is needed first.
pub const URL_ELICITATION_REQUIRED: i32 = -32042;
/// Modern: an HTTP header contradicts the body.
pub const HEADER_MISMATCH: i32 = -32020;
/// Modern: the client lacks a capability that is needed.
pub const MISSING_CAPABILITY: i32 = -32021;
/// Modern: this revision is not spoken here.
pub const UNSUPPORTED_VERSION: i32 = -32022;
