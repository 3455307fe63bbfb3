//! An entry as it stands in the file → what a lock file pins of it.
//!
//! Variables stay references (`${TOKEN}`): what the environment brings in never counts. It decides nothing.

use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::dialect::entry::Given;
use crate::config::digest::Parts;
use crate::config::expand::Scope;
use crate::config::expand::template;
use crate::config::expand::template::Part;
use crate::config::model::EnvValue;
use crate::config::model::Transport;
use crate::config::model::outbound::Source;
use crate::config::secretive::is_secretive;
use crate::config::secretive::without_password;
use crate::config::syntax::Node;
use crate::config::syntax::Value;

/// The digest of all that `entry` says about what is started, connected to, and shown there: 64 hex digits. It must not
/// leave the process unsalted.
#[must_use]
pub fn digest(entry: &Entry<'_>, transport: &Transport, scope: &Scope<'_>) -> String {
    let mut writer = Writer { parts: Parts::default(), scope };
    let mut given: Vec<_> = entry.all().filter(|given| counts(given.key) && !is_default(given)).collect();
    given.sort_by_key(|given| format!("{:?}", given.key));
    for given in given {
        writer.parts.text(&format!("{:?}", given.key));
        match given.key {
            // A list of `Name: value`.
            Key::Headers if matches!(given.node.value, Value::List(_)) => writer.lines(given.node),
            // Names of variables, whatever header they are for.
            Key::EnvHeaders => writer.node(given.node, Secretive::Never),
            Key::Bearer => writer.node(given.node, Secretive::Yes),
            _ => writer.node(given.node, Secretive::ByName),
        }
    }
    writer.parts.text("envFile");
    for (name, variable) in variables(transport).iter().filter(|(_, variable)| variable.from_file) {
        writer.parts.text(name);
        // A text of such a file has no variables.
        let value = if is_secretive(name) { "" } else { variable.value.expose() };
        writer.parts.text(&without_password(value));
    }
    writer.parts.digest()
}

/// False for what changes neither what is started nor where anything goes: how it is shown, and for how long it is waited.
fn counts(key: Key) -> bool {
    match key {
        Key::Kind
        | Key::Command
        | Key::Args
        | Key::Env
        | Key::InheritEnv
        | Key::EnvFile
        | Key::Cwd
        | Key::Url
        | Key::Tcp
        | Key::Headers
        | Key::EnvHeaders
        | Key::Bearer
        | Key::BearerEnv
        | Key::OAuth
        | Key::HeaderCommand
        | Key::PassHeaders
        | Key::AllowPlain
        | Key::Era
        | Key::Sharing
        | Key::Sandbox
        | Key::Settings => true,
        // Its headers count by themselves.
        Key::RequestOptions => false,
        Key::Disabled | Key::Enabled | Key::Prefix | Key::Description => false,
        Key::Include | Key::IncludeEmptyIsAll | Key::Tools | Key::Exclude => false,
        Key::Timeout
        | Key::CallTimeout
        | Key::CallTimeoutMs
        | Key::CallTimeoutSec
        | Key::MaxCallTime
        | Key::Retry
        | Key::StuckAfter
        | Key::StartTimeout
        | Key::StartTimeoutMs
        | Key::StartTimeoutSec
        | Key::ListTimeout
        | Key::IdleTimeout
        | Key::Lifecycle
        | Key::StopGrace
        | Key::MaxInFlight
        | Key::Parallel
        | Key::ValidateArguments
        | Key::ResultLimit => false,
    }
}

/// True for what says no more than if it were not there.
fn is_default(given: &Given<'_>) -> bool {
    match given.key {
        Key::Era | Key::Sharing => given.node.text() == Some("auto"),
        Key::AllowPlain | Key::InheritEnv | Key::Sandbox => given.node.value == Value::Bool(false),
        _ => false,
    }
}

fn variables(transport: &Transport) -> &[(String, EnvValue)] {
    match transport {
        Transport::Stdio(child) => &child.env,
        Transport::Http(remote) => match &remote.outbound.source {
            Source::Command(command) => &command.env,
            _ => &[],
        },
    }
}

/// Whether plain text may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secretive {
    /// It stands under such a name.
    Yes,
    /// It does where a name in it says so.
    ByName,
    /// It does not, whatever it is called.
    Never,
}

struct Writer<'a, 'b> {
    parts: Parts,
    scope: &'a Scope<'b>,
}

impl Writer<'_, '_> {
    fn node(&mut self, node: &Node, secretive: Secretive) {
        match &node.value {
            Value::Null => self.parts.text("null"),
            Value::Bool(flag) => self.text(if *flag { "true" } else { "false" }, secretive),
            Value::Number(text) | Value::Text(text) => self.text(text, secretive),
            Value::List(items) => {
                self.parts.text("list");
                self.parts.number(items.len());
                items.iter().for_each(|item| self.node(item, secretive));
            }
            Value::Object(members) => {
                self.parts.text("object");
                self.parts.number(members.len());
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|member| &member.key);
                for member in members {
                    self.parts.text(&member.key);
                    self.node(&member.node, under(secretive, &member.key));
                }
            }
        }
    }

    fn lines(&mut self, list: &Node) {
        let Value::List(items) = &list.value else { return };
        for text in items.iter().filter_map(Node::text) {
            let (name, value) = text.split_once(':').unwrap_or((text, ""));
            self.parts.text(name.trim());
            self.text(value.trim(), under(Secretive::ByName, name));
        }
    }

    /// A text as it is written; of one that may be a secret only its variables, without their defaults.
    fn text(&mut self, text: &str, secretive: Secretive) {
        self.parts.text("text");
        match secretive {
            Secretive::Yes => {}
            Secretive::ByName | Secretive::Never => self.parts.text(&without_password(text)),
        }
        for part in template::split(text, self.scope.braces) {
            let Part::Variable { inside, .. } = part else { continue };
            match template::scheme(inside) {
                (Some("input"), id) => {
                    self.parts.text(id);
                    let default = self.scope.inputs.default_of(id).unwrap_or_default();
                    if secretive != Secretive::Yes && !is_secretive(id) {
                        self.parts.text(&without_password(default));
                    }
                }
                _ => self.parts.text(inside.split(":-").next().unwrap_or_default()),
            }
        }
    }
}

fn under(secretive: Secretive, name: &str) -> Secretive {
    if secretive == Secretive::ByName && is_secretive(name) { Secretive::Yes } else { secretive }
}

#[cfg(test)]
mod tests {
    use crate::config;
    use crate::config::digest::pin_digest;
    use crate::config::environment::Environment;
    use std::fs;
    use std::path::Path;

    /// The pinned digest of the entry `entry`, in a file with an input `i` of this default, beside an `.env` of this text.
    fn pinned(entry: &str, input: &str, dotenv: &str, variable: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".env"), dotenv).unwrap();
        let environment = Environment::new([("TOKEN", variable), ("A", variable)], folder.path());
        let text =
            format!(r#"{{"inputs": [{{"id": "i", "default": "{input}"}}], "mcpServers": {{"a": {entry}}}}}"#);
        let loaded = config::parse(text, &folder.path().join("mcp.json"), &environment).unwrap();
        let server = loaded.config.servers.get("a").unwrap_or_else(|| panic!("{:?}", loaded.problems));
        pin_digest(server, "salt")
    }

    fn of(entry: &str) -> String {
        pinned(entry, "d", "B=1", "v")
    }

    #[test]
    fn s13_whatever_decides_what_is_started_or_shown_counts() {
        let pairs = [
            (r#"{"command": "x"}"#, r#"{"command": "x", "env": {"PYTHONPATH": "/good"}}"#),
            (
                r#"{"command": "x", "env": {"PYTHONPATH": "/good"}}"#,
                r#"{"command": "x", "env": {"PYTHONPATH": "/evil"}}"#,
            ),
            (r#"{"command": "x", "env": {"N": "${A}"}}"#, r#"{"command": "x", "env": {"N": "v"}}"#),
            (
                r#"{"command": "x", "env": {"N": "${A:-/good}"}}"#,
                r#"{"command": "x", "env": {"N": "${A:-/evil}"}}"#,
            ),
            (
                r#"{"command": "x", "env": {"API_TOKEN": "${A}"}}"#,
                r#"{"command": "x", "env": {"API_TOKEN": "${TOKEN}"}}"#,
            ),
            (r#"{"command": "x", "inheritEnv": []}"#, r#"{"command": "x", "inheritEnv": ["A"]}"#),
            (r#"{"command": "x", "args": ["ab"]}"#, r#"{"command": "x", "args": ["a", "b"]}"#),
            (r#"{"command": "x", "cwd": "a"}"#, r#"{"command": "x", "cwd": "b"}"#),
            (
                r#"{"url": "https://h", "headers": {"X-Tenant": "a"}}"#,
                r#"{"url": "https://h", "headers": {"X-Tenant": "b"}}"#,
            ),
            (
                r#"{"url": "https://h", "headers": ["X-Tenant: a"]}"#,
                r#"{"url": "https://h", "headers": ["X-Tenant: b"]}"#,
            ),
            (r#"{"url": "https://h"}"#, r#"{"url": "https://h", "auth": false}"#),
            (
                r#"{"url": "https://h", "auth": {"type": "oauth", "clientId": "c", "issuer": "https://good"}}"#,
                r#"{"url": "https://h", "auth": {"type": "oauth", "clientId": "c", "issuer": "https://evil"}}"#,
            ),
            (
                r#"{"url": "https://h", "auth": {"type": "oauth2", "tokenUrl": "https://good", "clientId": "c", "clientSecret": "s"}}"#,
                r#"{"url": "https://h", "auth": {"type": "oauth2", "tokenUrl": "https://evil", "clientId": "c", "clientSecret": "s"}}"#,
            ),
            (
                r#"{"url": "https://h", "headersHelper": "good"}"#,
                r#"{"url": "https://h", "headersHelper": "evil"}"#,
            ),
            (r#"{"url": "https://h"}"#, r#"{"url": "https://h", "passHeaders": ["x-a"]}"#),
        ];
        for (one, other) in pairs {
            assert_ne!(of(one), of(other), "{one} {other}");
        }
        let file = r#"{"command": "x", "envFile": ".env"}"#;
        assert_ne!(pinned(file, "d", "P=/good", "v"), pinned(file, "d", "P=/evil", "v"));
        let input = r#"{"command": "${input:i}"}"#;
        assert_ne!(pinned(input, "good", "", "v"), pinned(input, "evil", "", "v"));
        assert_eq!(pinned(input, "good", "", "v"), pinned(input, "good", "", "w"));
    }

    #[test]
    fn s13_secrets_and_what_is_shown_do_not_count() {
        let same = [
            (
                r#"{"command": "x", "env": {"API_KEY": "one"}}"#,
                r#"{"command": "x", "env": {"API_KEY": "two"}}"#,
            ),
            (
                r#"{"command": "x", "env": {"DB": "pg://a:one@h/"}}"#,
                r#"{"command": "x", "env": {"DB": "pg://a:two@h/"}}"#,
            ),
            (
                r#"{"url": "https://h", "headers": {"Authorization": "Bearer one"}}"#,
                r#"{"url": "https://h", "headers": {"Authorization": "Bearer two"}}"#,
            ),
            (
                r#"{"url": "https://h", "auth": {"type": "bearer", "token": "one"}}"#,
                r#"{"url": "https://h", "auth": {"type": "bearer", "token": "two"}}"#,
            ),
            (
                r#"{"command": "x", "env": {"A": "1", "B": "2"}}"#,
                r#"{"env": {"B": "2", "A": "1"}, "cmd": "x", "prefix": "p", "callTimeout": "5s", "description": "d"}"#,
            ),
        ];
        for (one, other) in same {
            assert_eq!(of(one), of(other), "{one} {other}");
        }
        let file = r#"{"command": "x", "envFile": ".env", "env": {"T": "${TOKEN}"}}"#;
        assert_eq!(pinned(file, "d", "DB_PASSWORD=one", "one"), pinned(file, "d", "DB_PASSWORD=two", "two"));
        let server = |name: &str| {
            let text = format!(r#"{{"mcpServers": {{"{name}": {{"command": "x"}}}}}}"#);
            let environment = Environment::new(Vec::<(String, String)>::new(), "/w");
            config::parse(text, Path::new("/w/mcp.json"), &environment).unwrap().config.servers[name].clone()
        };
        assert_ne!(pin_digest(&server("a"), "s"), pin_digest(&server("b"), "s"));
        assert_ne!(pin_digest(&server("a"), "s"), pin_digest(&server("a"), "t"));
    }
}
