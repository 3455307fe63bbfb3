//! Who may connect over HTTP, as the `gateway` section has it, and who the clients on stdio are.
//!
//! Secrets that the user wrote as such are kept only as digests, but for passwords and tokens of variables.

use crate::secret::Secret;
use indexmap::IndexMap;
use std::path::PathBuf;
use std::time::Duration;

/// `gateway.auth`, with `gateway.http.bearerTokens`.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthSettings {
    /// Tokens of `gateway.http.bearerTokens`.
    pub tokens: Vec<Secret>,
    /// The file with keys.
    pub keys_file: Option<KeysFile>,
    /// Keys that stand in the configuration itself.
    pub keys: Vec<ApiKey>,
    /// Users with passwords.
    pub basic: Vec<BasicUser>,
    /// Issuers of tokens that are accepted.
    pub jwt: Vec<IssuerTerms>,
    /// The address of this gateway as its clients know it; that of the request when not given.
    pub resource: Option<String>,
    /// Wrong credentials of one peer within a minute, before it has to wait.
    pub failures_per_minute: usize,
}

/// A file with keys, which is read again when it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysFile {
    /// Where it is.
    pub path: PathBuf,
    /// The user it must belong to, when known.
    pub user: Option<u32>,
    /// Whether the configuration names it. Otherwise it counts once it is there.
    pub named: bool,
}

/// The one behind a credential.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holder {
    /// What people see.
    pub name: String,
    /// Its team.
    pub team: Option<String>,
    /// Its organisation.
    pub organisation: Option<String>,
    /// The agent that acts.
    pub agent: Option<String>,
    /// Whether requests may name another agent.
    pub may_name_agent: bool,
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name for people and for `key revoke`.
    pub id: String,
    /// SHA-256 of the key.
    pub digest: [u8; 32],
    /// Who has it.
    pub holder: Holder,
    /// From then on it is refused, in seconds since 1970.
    pub expires: Option<u64>,
}

/// A user with a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicUser {
    /// The name it logs in with.
    pub user: String,
    /// SHA-256 of the password.
    pub digest: [u8; 32],
    /// Who it is.
    pub holder: Holder,
}

/// Tokens of one issuer.
#[derive(Debug, Clone, PartialEq)]
pub struct IssuerTerms {
    /// What `iss` must say, exactly.
    pub issuer: String,
    /// `aud` must have one of these, exactly.
    pub audiences: Vec<String>,
    /// Where its keys are.
    pub keys: KeySource,
    /// Accepted algorithms, by their names in RFC 7518.
    pub algorithms: Vec<String>,
    /// How far clocks may be apart.
    pub clock_skew: Duration,
    /// How long keys are used that cannot be read again.
    pub max_stale: Duration,
    /// Which claims are read.
    pub claims: ClaimNames,
    /// Scopes that every token needs.
    pub required_scopes: Vec<String>,
    /// Whether requests may name the agent.
    pub may_name_agent: bool,
}

/// Where the keys of an issuer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Where its metadata says.
    Metadata,
    /// At this address.
    Url(String),
    /// In this file.
    File(PathBuf),
}

/// Names of claims; one that begins with `/` is a JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimNames {
    /// What people see; `sub` when it is missing in a token.
    pub caller: Option<String>,
    /// The team.
    pub team: Option<String>,
    /// The organisation.
    pub organisation: Option<String>,
    /// The agent.
    pub agent: Option<String>,
    /// Kept for policies.
    pub keep: Vec<String>,
}

/// `gateway.callers` and `gateway.defaultCaller`: who the clients on stdio are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Callers {
    /// Those that a client can be, by name.
    pub known: IndexMap<String, Holder>,
    /// The one that a client is which names none.
    pub default: Option<String>,
}

/// What unique ids of callers begin with, before a `:`.
pub const PRINCIPALS: [&str; 5] = ["key", "jwt", "basic", "token", "name"];

/// True for a name that is no unique id and none of those that the gateway gives: what the file says by it can mean its
/// bearer.
#[must_use]
pub fn is_free_name(name: &str) -> bool {
    let number = name.strip_prefix("token-").unwrap_or_default();
    let is_place = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    !(name.contains(':') || is_place || matches!(name, "local" | "anonymous"))
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            keys_file: None,
            keys: Vec::new(),
            basic: Vec::new(),
            jwt: Vec::new(),
            resource: None,
            failures_per_minute: Self::FAILURES_PER_MINUTE,
        }
    }
}

impl AuthSettings {
    /// Wrong credentials of one peer within a minute, when nothing else is said.
    pub const FAILURES_PER_MINUTE: usize = 60;

    /// Keeps these claims of tokens, which policies look at.
    pub fn keep<'c>(&mut self, claims: impl IntoIterator<Item = &'c str>) {
        for claim in claims {
            for terms in &mut self.jwt {
                if !terms.claims.keep.iter().any(|kept| kept == claim) {
                    terms.claims.keep.push(claim.to_owned());
                }
            }
        }
    }

    /// True when requests need a credential. A file of keys that is not named counts when it is there.
    #[must_use]
    pub fn asks_for_credentials(&self) -> bool {
        let file = self.keys_file.as_ref().is_some_and(|file| file.named || file.path.exists());
        file || !(self.tokens.is_empty()
            && self.keys.is_empty()
            && self.basic.is_empty()
            && self.jwt.is_empty())
    }
}
