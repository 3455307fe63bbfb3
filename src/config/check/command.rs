//! A command that prints headers (`headersHelper`) → [`HeaderCommand`].
//!
//! It is not run here, and never by a shell.

use crate::config::check::outbound;
use crate::config::check::outbound::Auth;
use crate::config::check::read;
use crate::config::check::variables;
use crate::config::dialect::entry::Entry;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::finding::Findings;
use crate::config::model::outbound::HeaderCommand;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use std::time::Duration;

/// Longest time for the command, as other clients have it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the command that stands in `node`; `None` when something is wrong, which is told.
pub fn check(
    entry: &Entry<'_>,
    name: &str,
    node: &Node,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Option<HeaderCommand> {
    let words = words(name, node, findings)?;
    let declared = variables::declared(entry, scope, findings)?;
    scope.own = variables::known(&declared);
    let style = Style { tilde: true, lenient: false };
    let mut argv = Vec::with_capacity(words.len());
    for word in words {
        argv.push(read::expanded(&word, node.start, scope, style, findings)?);
    }
    if argv.first().is_none_or(|program| program.value.trim().is_empty()) {
        findings.error(node.start, format!("`{name}` is empty"));
        return None;
    }
    let env = variables::of_child(entry, declared, scope.environment);
    Some(HeaderCommand { argv, env, cwd: scope.folder.to_owned(), ttl: None, timeout: PATIENCE })
}

/// The same from an `auth`, with its times.
pub fn of_auth(
    entry: &Entry<'_>,
    auth: &mut Auth<'_>,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Option<HeaderCommand> {
    let name = format!("{}.command", auth.written);
    let Some(node) = auth.get("command") else {
        findings.error(auth.node.start, format!("`{}` needs `command`", auth.written));
        return None;
    };
    let mut command = check(entry, &name, node, scope, findings)?;
    command.ttl = outbound::time(auth, "ttl", findings)?;
    command.timeout = outbound::time(auth, "timeout", findings)?.unwrap_or(PATIENCE);
    Some(command)
}

/// A list of words, or one text that is split as a shell would.
fn words(name: &str, node: &Node, findings: &mut Findings) -> Option<Vec<String>> {
    let text = match &node.value {
        Value::List(items) => {
            let words: Option<Vec<String>> = items.iter().map(read::scalar).collect();
            return words.or_else(|| read::wrong(name, node, "a list of strings", findings));
        }
        Value::Text(text) => text,
        _ => return read::wrong(name, node, "a string or a list of strings", findings),
    };
    let Some(words) = shlex::split(text) else {
        findings.error(node.start, format!("`{name}` has an open quote"));
        return None;
    };
    let shell = |word: &String| {
        matches!(word.as_str(), "|" | "||" | "&&" | ";" | "&" | ">" | "<") || word.contains("$(")
    };
    if words.iter().any(shell) {
        let finding = findings.warn(node.start, format!("`{name}` is not run by a shell"));
        finding.hint("write `[\"sh\", \"-c\", \"…\"]` if it needs one");
    }
    Some(words)
}
