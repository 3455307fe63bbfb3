//! How somebody logs in at a server that wants OAuth, as its entry has it.
//!
//! Nothing of it is needed where the authorization server registers clients by itself.

use crate::secret::Secret;

/// The `auth` of an entry with `"type": "oauth"`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OAuth {
    /// The id under which the gateway is registered.
    pub client_id: Option<String>,
    /// The secret that goes with it.
    pub client_secret: Option<Secret>,
    /// The authorization server that may see `client_secret`.
    pub issuer: Option<String>,
    /// What is asked for instead of what the server names.
    pub scopes: Vec<String>,
    /// A document on the web that describes the gateway, for authorization servers that read such documents.
    pub client_metadata_url: Option<String>,
    /// The port of this machine that browsers are sent back to, where it was registered.
    pub redirect_port: Option<u16>,
}
