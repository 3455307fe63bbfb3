//! With what the gateway shows who asks at one server: the `auth` of an entry.
//!
//! What never changes stands in the headers of the entry already. Logins of people are `model/oauth.rs`.

use crate::config::model::text::EnvValue;
use crate::config::model::text::Expanded;
use crate::secret::Secret;
use indexmap::IndexMap;
use std::path::PathBuf;
use std::time::Duration;

/// Headers as they are sent.
pub type Headers = Vec<(String, Secret)>;

/// The `auth` of an entry, beside what stands in its headers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outbound {
    /// Where credentials come from that change.
    pub source: Source,
    /// Who is shown.
    pub identity: Identity,
    /// Headers of HTTP clients that are passed on, lower-case names.
    pub pass: Vec<String>,
}

/// Where credentials come from that change.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Source {
    /// They do not change.
    #[default]
    Fixed,
    /// A token endpoint gives them to this gateway.
    Token(Box<TokenTerms>),
    /// A command prints them.
    Command(Box<HeaderCommand>),
    /// Each caller logs in.
    Login,
}

/// Who is shown at a server.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Identity {
    /// The gateway, whoever asks.
    #[default]
    Gateway,
    /// The caller, with headers of their own, by principal or name.
    Caller(IndexMap<String, Headers>),
}

/// OAuth 2 client credentials.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenTerms {
    /// The token endpoint.
    pub url: Expanded,
    /// Who this gateway is there.
    pub client_id: String,
    /// What shows it.
    pub proof: Proof,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// The resource that the token is for (RFC 8707).
    pub resource: Option<String>,
    /// The same in the way of some authorization servers.
    pub audience: Option<String>,
}

/// What shows at a token endpoint who the gateway is.
#[derive(Debug, Clone, PartialEq)]
pub enum Proof {
    /// A secret in the `Authorization` header.
    Basic(Secret),
    /// A secret in the body.
    Post(Secret),
    /// A signature (RFC 7523).
    Key {
        /// The private key, PEM.
        pem: Secret,
        /// The algorithm, as RFC 7518 calls it; otherwise it follows from the key.
        algorithm: Option<String>,
        /// The name of the key.
        key_id: Option<String>,
    },
}

/// A command that prints headers as a JSON object.
#[derive(Debug, Clone, PartialEq)]
pub struct HeaderCommand {
    /// The program and its arguments; there is no shell.
    pub argv: Vec<Expanded>,
    /// Its whole environment.
    pub env: Vec<(String, EnvValue)>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// How long its headers are good; `None` until the connection ends or the server refuses them.
    pub ttl: Option<Duration>,
    /// Longest time for it.
    pub timeout: Duration,
}

impl Outbound {
    /// True when two callers cannot use one connection.
    #[must_use]
    pub fn is_personal(&self) -> bool {
        matches!(self.identity, Identity::Caller(_)) || !self.pass.is_empty()
    }

    /// What tells it from others without any secret, for digests.
    #[must_use]
    pub fn written(&self) -> Vec<String> {
        let mut parts = Vec::new();
        match &self.source {
            Source::Fixed => {}
            Source::Login => parts.push("login".to_owned()),
            Source::Token(terms) => {
                let TokenTerms { url, client_id, scopes, resource, audience, .. } = &**terms;
                parts.extend(["token".to_owned(), url.written.clone(), client_id.clone(), scopes.join(" ")]);
                parts.extend([format!("{resource:?}"), format!("{audience:?}")]);
            }
            Source::Command(command) => {
                parts.push("command".to_owned());
                parts.extend(command.argv.iter().map(|word| word.written.clone()));
            }
        }
        if let Identity::Caller(_) = self.identity {
            parts.push("caller".to_owned());
        }
        parts
    }

    /// All that could be secret of it, for keyed digests. Never show or store it.
    #[must_use]
    pub fn secrets(&self) -> Vec<&str> {
        let mut parts = Vec::new();
        match &self.source {
            Source::Fixed | Source::Login => {}
            Source::Token(terms) => {
                parts.push(terms.url.value.as_str());
                match &terms.proof {
                    Proof::Basic(secret) | Proof::Post(secret) => parts.push(secret.expose()),
                    Proof::Key { pem, .. } => parts.push(pem.expose()),
                }
            }
            Source::Command(command) => {
                parts.extend(command.argv.iter().map(|word| word.value.as_str()));
                let declared = command.env.iter().filter(|(_, variable)| variable.declared);
                parts.extend(declared.flat_map(|(name, variable)| [name.as_str(), variable.value.expose()]));
            }
        }
        if let Identity::Caller(callers) = &self.identity {
            for (name, headers) in callers {
                parts.push(name);
                parts.extend(headers.iter().flat_map(|(name, value)| [name.as_str(), value.expose()]));
            }
        }
        parts.extend(self.pass.iter().map(String::as_str));
        parts
    }
}
