//! What a login leaves: which authorization server issued tokens for which resource, to which client, and the tokens.
//!
//! It is plain content: where it is kept is `folder.rs`, how it is used is `bearer.rs`.

use crate::name::ServerName;
use crate::secret::Secret;
use crate::secret::hex::hex;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// The format of kept logins; those of another one are not read.
pub const FORMAT: u32 = 1;
/// A token that ends within this time, in seconds, is renewed before it is sent; one that lives shortly in the last quarter
/// of its life.
const SOON: u64 = 30;
/// Whose login it is when all callers share it.
pub const GATEWAY: &str = "gateway";

/// Which login is meant: that of one principal at one server and address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The name of the server in the file.
    pub server: ServerName,
    /// Whose it is: [`GATEWAY`], or the principal of a caller.
    pub principal: String,
    id: String,
}

/// A login, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// [`FORMAT`].
    pub format: u32,
    /// The name of the server in the file.
    pub server: String,
    /// Whose it is.
    pub principal: String,
    /// What the tokens are for, as the authorization server was told (RFC 8707).
    pub resource: String,
    /// Who issued them; no other authorization server ever gets them.
    pub issuer: String,
    /// Where they are renewed.
    pub token_endpoint: String,
    /// As whom they were issued.
    pub client: Client,
    /// The tokens; none once the authorization server has withdrawn them.
    pub tokens: Option<Tokens>,
    /// When somebody logged in, in seconds since 1970.
    pub logged_in_at: u64,
    /// The configuration files whose gateways use it.
    pub used_by: Vec<String>,
}

/// As whom the gateway is known to an authorization server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// Its id there.
    pub id: String,
    /// The secret it was given when it registered itself. One of the entry stays in the file of the entry.
    #[serde(default, with = "exposed", skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// The secret goes into the body instead of a header.
    pub secret_in_body: bool,
    /// Where it came from.
    pub known_by: KnownBy,
    /// Where browsers are sent back to.
    pub redirect: String,
}

/// How the gateway came by its client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KnownBy {
    /// It stands in the entry.
    Entry,
    /// It is the address of a document that describes the client.
    Document,
    /// The authorization server gave it out.
    Registration,
}

/// What is shown to a server, and what renews it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// Shown to the server.
    #[serde(with = "exposed_one")]
    pub access: Secret,
    /// Renews it.
    #[serde(default, with = "exposed", skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Secret>,
    /// When `access` ends, in seconds since 1970, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// How long `access` was good when it was issued, in seconds, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<u64>,
    /// What they allow, as far as the authorization server said.
    pub scopes: Vec<String>,
}

impl Key {
    /// The login of `principal` for the entry `server` with the address `url`.
    #[must_use]
    pub fn new(server: &ServerName, url: &str, principal: &str) -> Self {
        let mut digest = Sha256::new();
        for part in [server.as_str(), url, principal] {
            digest.update(part.len().to_le_bytes());
            digest.update(part.as_bytes());
        }
        let digest = digest.finalize();
        let id = hex(&digest[..16]);
        Self { server: server.clone(), principal: principal.to_owned(), id }
    }

    /// A short name of it, the same in every process; it tells nothing of the address.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Tokens {
    /// True when `access` is to be renewed before it is sent.
    #[must_use]
    pub fn end_soon(&self) -> bool {
        let ahead = self.life.map_or(SOON, |life| SOON.min(life / 4));
        self.expires_at.is_some_and(|at| at <= now() + ahead)
    }

    /// True when `access` has ended.
    #[must_use]
    pub fn have_ended(&self) -> bool {
        self.expires_at.is_some_and(|at| at <= now())
    }
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Secrets are written out here and nowhere else: into the file that only its user can read.
mod exposed_one {
    use crate::secret::Secret;
    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serializer;

    pub(super) fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

mod exposed {
    use crate::secret::Secret;
    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serialize;
    use serde::Serializer;

    #[expect(clippy::ref_option, reason = "the form that serde calls")]
    pub(super) fn serialize<S: Serializer>(
        secret: &Option<Secret>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::expose).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Secret>, D::Error> {
        Option::<String>::deserialize(deserializer).map(|text| text.map(Secret::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_of_other_servers_addresses_and_people_have_other_names() {
        let name = |server: &str, url: &str, who: &str| {
            Key::new(&ServerName::new(server).unwrap(), url, who).id().to_owned()
        };
        let one = name("a", "https://h/mcp", GATEWAY);
        assert_eq!(one, name("a", "https://h/mcp", GATEWAY));
        for other in [
            name("b", "https://h/mcp", GATEWAY),
            name("a", "https://h/other", GATEWAY),
            name("a", "https://h/mcp", "key:1"),
            name("ah", "ttps://h/mcp", GATEWAY),
        ] {
            assert_ne!(one, other);
        }
        assert!(one.len() == 32 && !one.contains("https"));
    }

    #[test]
    fn tokens_show_in_the_file_and_nowhere_else() {
        let tokens = Tokens {
            access: Secret::new("at-1"),
            refresh: Some(Secret::new("rt-1")),
            expires_at: None,
            life: None,
            scopes: Vec::new(),
        };
        let shown = format!("{tokens:?}");
        assert!(!shown.contains("at-1") && !shown.contains("rt-1"), "{shown}");
        let kept = serde_json::to_string(&tokens).unwrap();
        assert_eq!(serde_json::from_str::<Tokens>(&kept).unwrap(), tokens);
        assert!(kept.contains("at-1") && kept.contains("rt-1"));
    }

    #[test]
    fn a_token_is_renewed_shortly_before_it_ends() {
        let ends = |at: Option<u64>, life: Option<u64>| Tokens {
            access: Secret::default(),
            refresh: None,
            expires_at: at,
            life,
            scopes: Vec::new(),
        };
        assert!(!ends(None, None).end_soon() && !ends(Some(now() + 3600), Some(3600)).end_soon());
        for life in [None, Some(3600)] {
            let soon = ends(Some(now() + SOON / 2), life);
            assert!(soon.end_soon() && !soon.have_ended());
        }
        assert!(!ends(Some(now() + 20), Some(20)).end_soon(), "it was issued just now");
        assert!(ends(Some(now() + 4), Some(20)).end_soon());
        assert!(ends(Some(now() - 1), Some(20)).have_ended());
    }
}
