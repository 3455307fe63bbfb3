//! Takes the secret values of one entry out of texts that people see: what a server says of itself, on stderr or in an
//! error, may repeat what it was given.
//!
//! It knows values as they stand in the entry; what a server makes of them (an encoding, a part) it does not find.

use crate::config::expand::template::Part;
use crate::config::expand::template::scheme;
use crate::config::expand::template::split;
use crate::config::model::EnvValue;
use crate::config::model::Expanded;
use crate::config::model::Http;
use crate::config::model::Server;
use crate::config::model::Stdio;
use crate::config::model::Transport;
use crate::secret::Secret;
use std::sync::Arc;

/// Shorter values of the entry are letters and digits that stand everywhere.
const SHORTEST: usize = 4;
/// Values that come from our own environment are words when they are shorter.
const SHORTEST_PASSED_ON: usize = 8;
/// Names of variables that are passed on and hold secrets.
const SECRET_WORDS: [&str; 8] = ["KEY", "TOKEN", "SECRET", "PASS", "PWD", "AUTH", "CRED", "COOKIE"];
/// Values that every program prints.
const EVERYDAY: [&str; 12] = [
    "true",
    "false",
    "none",
    "null",
    "info",
    "debug",
    "warn",
    "error",
    "trace",
    "test",
    "production",
    "development",
];
/// Variables that say where something is.
const PLACES: [&str; 10] =
    ["self", "/", "pathSeparator", "userHome", "workspaceFolder", "HOME", "PWD", "USER", "TMPDIR", "PATH"];

/// The values of one entry that nobody may read. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Veil(Arc<[Secret]>);

impl Veil {
    /// For what is said by or about `server`.
    #[must_use]
    pub fn of(server: &Server) -> Self {
        match &server.transport {
            Transport::Stdio(stdio) => Self::of_child(stdio),
            Transport::Http(http) => Self::of_endpoint(http),
        }
    }

    /// For what a child says.
    #[must_use]
    pub fn of_child(stdio: &Stdio) -> Self {
        let env = stdio.env.iter().filter(|(name, env)| is_secret(name, env));
        let env = env.map(|(_, env)| env.value.expose().to_owned());
        let args = stdio.args.iter().chain([&stdio.command]).flat_map(brought_in);
        Self::new(env.chain(args))
    }

    fn of_endpoint(http: &Http) -> Self {
        // A server may repeat a token with or without the word before it.
        let headers = http.headers.iter().map(|(_, value)| value.expose());
        let headers = headers.flat_map(|value| [Some(value), value.split_once(' ').map(|(_, token)| token)]);
        Self::new(headers.flatten().map(str::to_owned).chain(brought_in(&http.url)))
    }

    /// Hides `values`, and each line of those that have several.
    fn new(values: impl Iterator<Item = String>) -> Self {
        let mut values: Vec<String> = values
            .flat_map(|value| value.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>())
            .filter(|line| line.len() >= SHORTEST && !EVERYDAY.contains(&&*line.to_ascii_lowercase()))
            .collect();
        // A value may be the beginning of another one.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self(values.into_iter().map(Secret::new).collect())
    }

    /// `text` without them.
    #[must_use]
    pub fn hide(&self, mut text: String) -> String {
        for secret in &*self.0 {
            if text.contains(secret.expose()) {
                text = text.replace(secret.expose(), "***");
            }
        }
        text
    }
}

fn is_secret(name: &str, env: &EnvValue) -> bool {
    let name = name.to_ascii_uppercase();
    let named = || SECRET_WORDS.iter().any(|word| name.contains(word));
    env.declared || (env.value.expose().len() >= SHORTEST_PASSED_ON && named())
}

/// What variables brought into a text.
fn brought_in(text: &Expanded) -> Vec<String> {
    let (mut found, mut rest, mut open) = (Vec::new(), text.value.as_str(), None);
    for part in split(&text.written, true) {
        match part {
            Part::Plain(plain) => {
                let Some(at) = rest.find(plain) else {
                    // It was made in another way; with a variable in it, nothing of it is shown.
                    let varies = text.written != text.value && text.written.contains('{');
                    return if varies { vec![text.value.clone()] } else { Vec::new() };
                };
                if open.take() == Some(true) {
                    found.push(rest[..at].to_owned());
                }
                rest = &rest[at + plain.len()..];
            }
            Part::Variable { inside, .. } => open = Some(open == Some(true) || !is_place(inside)),
            Part::Unclosed => {}
        }
    }
    if open == Some(true) {
        found.push(rest.to_owned());
    }
    found
}

fn is_place(inside: &str) -> bool {
    let (_, name) = scheme(inside);
    let name = name.split(":-").next().unwrap_or(name);
    PLACES.contains(&name) || PLACES.contains(&inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str, value: &str, declared: bool) -> (String, EnvValue) {
        (name.to_owned(), EnvValue { value: Secret::new(value), declared, from_file: false })
    }

    fn expanded(written: &str, value: &str) -> Expanded {
        Expanded { written: written.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn values_of_the_entry_are_hidden_and_those_passed_on_by_name() {
        let stdio = Stdio {
            env: vec![
                env("API_KEY", "0123456789", false),
                env("REGION", "eu-west-9", true),
                env("REGION_ALL", "eu-west-9,eu-west-1", true),
                env("DEBUG", "true", true),
                env("N", "7", true),
                env("LANG", "C.UTF-8x", false),
                env("PEM", "-----BEGIN\nline-of-a-key\n", true),
            ],
            args: vec![
                expanded("--token=${TOKEN}", "--token=abcd1234"),
                expanded("${env:A}@${B:-b}", "user@pass"),
                expanded("${userHome}/x", "/home/me/x"),
                expanded("~/notes", "/home/me/notes"),
            ],
            ..Stdio::default()
        };
        let said = "0123456789 eu-west-9 eu-west-9,eu-west-1 true 7 C.UTF-8x line-of-a-key abcd1234 \
                    --token=abcd1234 user pass /home/me/notes";
        assert_eq!(
            Veil::of_child(&stdio).hide(said.to_owned()),
            "*** *** *** true 7 C.UTF-8x *** *** --token=*** *** *** /home/me/notes"
        );
    }

    #[test]
    fn headers_and_variables_of_an_address_are_hidden() {
        let http = Http {
            url: expanded("https://h.example/${KEY}/mcp", "https://h.example/k-123/mcp"),
            headers: vec![("authorization".to_owned(), Secret::new("Bearer t-12345"))],
            ..Http::default()
        };
        let said = "bad token t-12345 (Bearer t-12345) at https://h.example/k-123/mcp";
        assert_eq!(
            Veil::of_endpoint(&http).hide(said.to_owned()),
            "bad token *** (***) at https://h.example/***/mcp"
        );
    }
}
