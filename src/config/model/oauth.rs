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
    /// Each caller logs in, instead of the gateway for all of them.
    pub of_caller: bool,
}

impl OAuth {
    /// What tells it from others without any secret, for digests.
    #[must_use]
    pub fn written(&self) -> Vec<String> {
        let Self {
            client_id,
            issuer,
            scopes,
            client_metadata_url,
            redirect_port: _,
            client_secret: _,
            of_caller,
        } = self;
        let words = [client_id, issuer, client_metadata_url].map(|part| format!("{part:?}"));
        words.into_iter().chain([scopes.join(" "), of_caller.to_string()]).collect()
    }
}
