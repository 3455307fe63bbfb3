//! The `auth` of an entry at which people log in, for the JSON Schema.
//!
//! Spellings of other clients are in `check/oauth.rs`.

use crate::config::file::outbound::IdentityName;
use schemars::JsonSchema;

/// How somebody logs in at a server that wants OAuth. Nothing of it is needed where the authorization server registers
/// clients by itself.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct OAuthLogin {
    /// `oauth`.
    #[schemars(rename = "type")]
    pub kind: Option<Kind>,
    /// Who logs in: the gateway for everybody (the default), or each caller.
    pub identity: Option<IdentityName>,
    /// The id under which the gateway is registered at the authorization server.
    pub client_id: Option<String>,
    /// The secret that goes with it; needs `issuer` unless the server is its own authorization server.
    pub client_secret: Option<String>,
    /// The authorization server that may be logged in at.
    pub issuer: Option<String>,
    /// What is asked for, instead of what the server names.
    pub scopes: Option<Vec<String>>,
    /// An `https` address of a document that describes this client (Client ID Metadata Document).
    pub client_metadata_url: Option<String>,
    /// The port of this machine that browsers are sent back to; a free one by default.
    pub redirect_port: Option<u16>,
}

/// What is spoken.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub enum Kind {
    /// OAuth 2.1 with a person and a browser.
    #[schemars(rename = "oauth")]
    OAuth,
}
