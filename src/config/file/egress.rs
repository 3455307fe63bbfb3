//! `gateway.egress` as users write it, for the JSON Schema.
//!
//! `check/egress.rs` is what reads it.

use schemars::JsonSchema;

/// Where requests may go whose address a server or a client has a say in: metadata of logins, keys of issuers, token
/// endpoints. By default these are public addresses, over https.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Egress {
    /// Hosts (`sso.corp.example`, `*.corp.example`), addresses or networks (`10.0.0.0/8`) that may be private ones.
    pub allow_private: Option<Vec<String>>,
    /// Whether `http` is good enough off this machine. Default `false`.
    pub allow_http: Option<bool>,
}
