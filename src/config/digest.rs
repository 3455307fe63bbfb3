//! Digests: of an entry without its secrets, of its secrets under a key, and of the bytes a configuration came from.
//!
//! Every part goes in with its length before it, so that no two entries spell the same bytes.

use crate::config::model::Server;
use crate::config::model::Stdio;
use crate::config::model::Transport;
use crate::config::model::Wire;
use crate::config::model::oauth::OAuth;
use crate::config::model::outbound::Outbound;
use crate::config::secretive::without_password;
use crate::secret::hex::hex;
use sha2::Digest;
use sha2::Sha256;
use std::path::Path;

/// Changes whenever the parts that go into a digest change.
const FORMAT: &str = "mcp-manifold entry 1";

/// The identity of an entry, without any value that could be secret: 64 hex digits.
///
/// Texts go in as written (`${TOKEN}`), variables and headers by name. Prefix, filter, times and description do not
/// count: they do not change what the server offers.
#[must_use]
pub fn entry_digest(server: &Server) -> String {
    let mut parts = Parts::default();
    parts.text(FORMAT);
    parts.text(server.name.as_str());
    parts.text(&format!("{:?}", server.era));
    match &server.transport {
        Transport::Stdio(child) => {
            parts.text("stdio");
            parts.text(&child.command.written);
            parts.list(child.args.iter().map(|arg| arg.written.as_bytes()));
            parts.list(declared(child).map(|(name, _)| name));
            match &child.cwd {
                Some(cwd) => parts.list([cwd.as_os_str().as_encoded_bytes()].into_iter()),
                None => parts.list(std::iter::empty()),
            }
        }
        Transport::Http(remote) => {
            parts.text(match remote.wire {
                Wire::Streamable | Wire::Either => "http",
                Wire::Sse => "sse",
                Wire::WebSocket => "ws",
            });
            parts.text(&without_password(&remote.url.written));
            parts.list(remote.headers.iter().map(|(name, _)| name.as_bytes()));
            if remote.outbound != Outbound::default() {
                parts.list(remote.outbound.written().iter().map(String::as_bytes));
            }
            // Who is logged in as whom may be shown other tools.
            if let Some(login) = remote.oauth.as_ref().filter(|login| **login != OAuth::default()) {
                parts.list(login.written().iter().map(String::as_bytes));
            }
        }
    }
    hex(&Sha256::digest(&parts.bytes))
}

/// All values of an entry that could be secret, in a fixed order. Never show or store it.
#[must_use]
pub fn secret_material(server: &Server) -> Vec<u8> {
    let mut parts = Parts::default();
    match &server.transport {
        Transport::Stdio(child) => {
            parts.text(&child.command.value);
            parts.list(child.args.iter().map(|arg| arg.value.as_bytes()));
            parts.list(declared(child).flat_map(|(name, value)| [name, value]));
        }
        Transport::Http(remote) => {
            parts.text(&remote.url.value);
            let pairs = remote.headers.iter();
            parts.list(pairs.flat_map(|(name, value)| [name.as_bytes(), value.expose().as_bytes()]));
            if remote.outbound != Outbound::default() {
                parts.list(remote.outbound.secrets().into_iter().map(str::as_bytes));
            }
        }
    }
    parts.bytes
}

/// A digest of [`secret_material`] that says nothing without `key`: 64 hex digits.
#[must_use]
pub fn secret_digest(server: &Server, key: &[u8; 32]) -> String {
    // Keyed twice, as in HMAC: the length of what was hashed cannot be extended from outside.
    let inner = Sha256::new().chain_update(key).chain_update(secret_material(server)).finalize();
    hex(&Sha256::new().chain_update(key).chain_update(inner).finalize())
}

/// [`entry_digest`] and [`secret_digest`] in one, where lists read with one secret must not be shown to who has another.
#[must_use]
pub fn whole_digest(server: &Server, key: &[u8; 32]) -> String {
    let mut parts = Parts::default();
    parts.text(&entry_digest(server));
    parts.text(&secret_digest(server, key));
    hex(&Sha256::digest(&parts.bytes))
}

/// The digest of a file and of the extra files read with it, `None` for one that could not be read: 64 hex digits.
#[must_use]
pub fn content_digest<'a>(
    file: &[u8],
    extra: impl IntoIterator<Item = (&'a Path, Option<&'a [u8]>)>,
) -> String {
    let mut parts = Parts::default();
    parts.part(file);
    for (path, content) in extra {
        parts.part(path.as_os_str().as_encoded_bytes());
        parts.list(content.into_iter());
    }
    hex(&Sha256::digest(&parts.bytes))
}

fn declared(child: &Stdio) -> impl Iterator<Item = (&[u8], &[u8])> {
    let declared = child.env.iter().filter(|(_, variable)| variable.declared);
    declared.map(|(name, variable)| (name.as_bytes(), variable.value.expose().as_bytes()))
}

/// The digest of an entry in a lock file: of everything that it says but what is left out as secret, and salted, so that it
/// tells nobody whether two entries say the same: 64 hex digits.
#[must_use]
pub fn pin_digest(server: &Server, salt: &str) -> String {
    let mut parts = Parts::default();
    parts.text("mcp-manifold pin 1");
    parts.text(salt);
    parts.text(server.name.as_str());
    parts.text(&server.pins.written);
    parts.digest()
}

/// Parts of something, for a digest.
#[derive(Default)]
pub(super) struct Parts {
    bytes: Vec<u8>,
}

impl Parts {
    /// The digest of all parts: 64 hex digits.
    pub(super) fn digest(&self) -> String {
        hex(&Sha256::digest(&self.bytes))
    }

    fn part(&mut self, part: &[u8]) {
        self.number(part.len());
        self.bytes.extend_from_slice(part);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.part(text.as_bytes());
    }

    fn list<'a>(&mut self, items: impl Iterator<Item = &'a [u8]>) {
        let items: Vec<_> = items.collect();
        self.number(items.len());
        items.into_iter().for_each(|item| self.part(item));
    }

    pub(super) fn number(&mut self, number: usize) {
        self.bytes.extend_from_slice(&(number as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::config::environment::Environment;
    use std::sync::Arc;

    fn server(entry: &str, token: &str) -> Arc<Server> {
        let environment = Environment::new([("TOKEN", token), ("PATH", token)], "/w");
        let text = format!("{{\"mcpServers\": {{\"a\": {entry}}}}}");
        let loaded = config::parse(text, Path::new("/w/mcp.json"), &environment).expect("valid");
        loaded.config.servers["a"].clone()
    }

    const ENTRY: &str = r#"{"command": "x", "args": ["a", "${TOKEN}"], "env": {"K": "${TOKEN}"}}"#;
    const REMOTE: &str = r#"{"url": "https://h/${TOKEN}", "headers": {"X-Key": "${TOKEN}"}}"#;

    #[test]
    fn a_secret_changes_only_the_keyed_digest() {
        for entry in [ENTRY, REMOTE] {
            let (one, two) = (server(entry, "one"), server(entry, "two"));
            assert_eq!(entry_digest(&one), entry_digest(&two));
            assert_ne!(secret_digest(&one, &[7; 32]), secret_digest(&two, &[7; 32]));
            assert_ne!(secret_digest(&one, &[7; 32]), secret_digest(&one, &[8; 32]));
            assert_eq!(secret_digest(&one, &[7; 32]), secret_digest(&server(entry, "one"), &[7; 32]));
            assert_ne!(whole_digest(&one, &[7; 32]), whole_digest(&two, &[7; 32]));
        }
        let passed_on = secret_material(&server(r#"{"command": "x"}"#, "sesame"));
        assert!(!passed_on.windows(6).any(|window| window == b"sesame"), "only declared variables count");
    }

    #[test]
    fn everything_that_identifies_an_entry_counts() {
        let entries = [
            r#"{"command": "x"}"#,
            r#"{"command": "y"}"#,
            r#"{"command": "x", "args": ["ab"]}"#,
            r#"{"command": "x", "args": ["a", "b"]}"#,
            r#"{"command": "x", "env": {"A": "1"}}"#,
            r#"{"command": "x", "env": {"B": "1"}}"#,
            r#"{"command": "x", "cwd": "A"}"#,
            r#"{"command": "x", "era": "legacy"}"#,
            r#"{"url": "http://h/"}"#,
            r#"{"url": "http://h/", "headers": {"a": "1"}}"#,
            r#"{"url": "https://h/", "auth": {"type": "oauth", "scopes": ["a"]}}"#,
            r#"{"url": "https://h/", "auth": {"type": "oauth", "clientId": "c"}}"#,
            r#"{"url": "http://localhost/", "auth": {"type": "oauth"}}"#,
            r#"{"url": "http://localhost/", "auth": {"type": "oauth", "identity": "caller"}}"#,
        ];
        let digests: std::collections::HashSet<_> =
            entries.iter().map(|entry| entry_digest(&server(entry, "t"))).collect();
        assert_eq!(digests.len(), entries.len());
        let dressed = r#"{"command": "x", "prefix": "p", "callTimeout": "5s", "description": "d"}"#;
        assert_eq!(entry_digest(&server(entries[0], "t")), entry_digest(&server(dressed, "t")));
    }
}
