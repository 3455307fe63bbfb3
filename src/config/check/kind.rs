//! Child process or endpoint? Every spelling of the transport, and what cannot be reached yet.
//!
//! It does not read the endpoint or the command.

use crate::config::check::read;
use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::dialect::entry::Given;
use crate::config::finding::Findings;
use crate::config::model::Wire;
use crate::config::suggest::did_you_mean;
use crate::config::syntax::Value;

const OF_ENDPOINTS: [Key; 5] = [Key::Headers, Key::EnvHeaders, Key::Bearer, Key::BearerEnv, Key::AllowPlain];
/// What would be missed without a word: a credential, or that callers are kept apart.
const NEEDS_AN_ENDPOINT: [Key; 3] = [Key::OAuth, Key::HeaderCommand, Key::PassHeaders];
const OF_PROCESSES: [Key; 4] = [Key::Args, Key::Cwd, Key::EnvFile, Key::InheritEnv];

/// How an entry is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A child process.
    Stdio,
    /// An endpoint.
    Http(Wire),
}

/// What the transport of an entry is; `None` when there is none to use, which is told.
pub fn check(entry: &Entry<'_>, findings: &mut Findings) -> Option<Kind> {
    let kind = decide(entry, findings)?;
    let (keys, other): (&[Key], _) = match kind {
        Kind::Stdio => (&OF_ENDPOINTS, "a process"),
        Kind::Http(_) => (&OF_PROCESSES, "an endpoint"),
    };
    for given in keys.iter().filter_map(|key| entry.get(*key)) {
        findings.warn(given.at, format!("`{}` has no effect on {other}", given.written));
    }
    if kind == Kind::Stdio {
        refuse_credentials(entry, findings)?;
    }
    Some(kind)
}

fn refuse_credentials(entry: &Entry<'_>, findings: &mut Findings) -> Option<()> {
    let mut given = NEEDS_AN_ENDPOINT.iter().filter_map(|key| entry.get(*key));
    let Some(given) = given.find(|given| given.node.value != Value::Bool(false)) else { return Some(()) };
    let text =
        format!("`{}` is for servers with a `url`; a process gets its credentials in `env`", given.written);
    findings.error(given.at, text);
    None
}

fn decide(entry: &Entry<'_>, findings: &mut Findings) -> Option<Kind> {
    let (command, url) = (entry.get(Key::Command), entry.get(Key::Url));
    let Some(given) = entry.get(Key::Kind) else {
        return match (command, url) {
            (Some(_), None) => Some(Kind::Stdio),
            (None, Some(url)) => Some(Kind::Http(of_url(&url))),
            (Some(_), Some(url)) => {
                let text = format!("both `command` and `{}` are given", url.written);
                findings.error(entry.at, text).hint("say which with `\"type\": \"stdio\"` or `\"http\"`");
                None
            }
            (None, None) => neither(entry, findings),
        };
    };
    let word = read::text(given, findings)?;
    let kind = named(word, given.node.start, findings)?;
    let (needed, there) = match kind {
        Kind::Stdio => ("command", command.is_some()),
        Kind::Http(_) => ("url", url.is_some()),
    };
    if !there {
        findings.error(entry.at, format!("`{}` is `{word}`, but there is no `{needed}`", given.written));
        return None;
    }
    let unused = if kind == Kind::Stdio { url } else { command };
    if let Some(unused) = unused {
        findings.warn(unused.at, format!("`{}` has no effect, because `type` is `{word}`", unused.written));
    }
    Some(kind)
}

fn named(word: &str, at: usize, findings: &mut Findings) -> Option<Kind> {
    let folded: String =
        word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect();
    match folded.as_str() {
        "stdio" | "local" => Some(Kind::Stdio),
        "http" | "streamablehttp" | "streamable" | "httpstream" | "remote" => {
            Some(Kind::Http(Wire::Streamable))
        }
        "sse" | "httpsse" => Some(Kind::Http(Wire::Sse)),
        "ws" | "wss" | "websocket" => Some(Kind::Http(Wire::WebSocket)),
        "tcp" => {
            findings.error(at, "transport `tcp` is not supported yet").hint("use `command` or `url`");
            None
        }
        "builtin" | "platform" | "frontend" | "inlinepython" => {
            findings
                .error(at, format!("`{word}` is a part of another program and cannot be started from here"));
            None
        }
        _ => {
            let near = did_you_mean(word, ["stdio", "http", "streamable-http", "sse", "websocket"]);
            let hint = near.unwrap_or_else(|| "use `stdio`, `http`, `sse` or `ws`".to_owned());
            findings.error(at, format!("unknown transport `{word}`")).hint(hint);
            None
        }
    }
}

/// Without a `type` the scheme tells a WebSocket; of HTTP it is found out what is spoken.
fn of_url(url: &Given<'_>) -> Wire {
    let text = url.node.text().unwrap_or_default().trim_start().to_ascii_lowercase();
    match text.starts_with("ws:") || text.starts_with("wss:") {
        true => Wire::WebSocket,
        false => Wire::Either,
    }
}

fn neither(entry: &Entry<'_>, findings: &mut Findings) -> Option<Kind> {
    if let Some(tcp) = entry.get(Key::Tcp) {
        let text = "transport `tcp` is not supported yet";
        findings.error(tcp.at, text).hint("use `command` or `url`");
    } else if entry.get(Key::Settings).is_some() {
        let text = "it belongs to an extension of an editor and cannot be started from here";
        findings.error(entry.at, text).hint("write the `command` that the extension runs");
    } else {
        findings.error(entry.at, "neither `command` nor `url` is given");
    }
    None
}
