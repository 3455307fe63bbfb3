//! An entry that starts a child → [`Stdio`].
//!
//! The program is not looked up: that happens when it is first needed.

use crate::config::check::read;
use crate::config::check::variables;
use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::expand::absolute;
use crate::config::finding::Findings;
use crate::config::model::Stdio;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use std::path::PathBuf;

/// Reads the child of an entry; `None` when something is wrong, which is told.
pub fn check(entry: &Entry<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<Stdio> {
    // The environment first: the other texts may use what the entry declares.
    let declared = variables::declared(entry, scope, findings);
    scope.own = declared.as_ref().map(variables::known).unwrap_or_default();

    let words = words(entry, findings);
    let remote = words.iter().flatten().any(|(word, _)| is_mcp_remote(word));
    let mut argv = Vec::new();
    for (index, (word, at)) in words.iter().flatten().enumerate() {
        // mcp-remote replaces variables in its arguments itself.
        let style = Style { tilde: true, lenient: remote && index > 0 };
        argv.push(read::expanded(word, *at, scope, style, findings));
    }
    let cwd = working_directory(entry, scope, findings);
    let (declared, _, cwd) = (declared?, words?, cwd?);
    let mut argv = argv.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
    let command = argv.next()?;
    if command.value.trim().is_empty() {
        findings.error(entry.get(Key::Command)?.node.start, "`command` is empty");
        return None;
    }
    let args: Vec<_> = argv.collect();
    let shell = matches!(command.value.as_str(), "cmd" | "cmd.exe");
    if shell && !cfg!(windows) && args.first().is_some_and(|arg| arg.value.eq_ignore_ascii_case("/c")) {
        let text = "`cmd /c` exists on Windows only";
        findings.warn(entry.get(Key::Command)?.at, text).hint("start the program itself, for example `npx`");
    }
    Some(Stdio { command, args, env: variables::of_child(entry, declared, scope.environment), cwd })
}

fn is_mcp_remote(word: &str) -> bool {
    word == "mcp-remote" || word.starts_with("mcp-remote@")
}

/// The whole argument vector, as written, with places.
fn words(entry: &Entry<'_>, findings: &mut Findings) -> Option<Vec<(String, usize)>> {
    let given = entry.get(Key::Command)?;
    let mut words = match &given.node.value {
        Value::Text(text) => vec![(text.clone(), given.node.start)],
        Value::List(items) if !items.is_empty() => scalars(given.written, items, findings)?,
        Value::List(_) => {
            findings.error(given.node.start, format!("`{}` is empty", given.written));
            return None;
        }
        _ => return read::wrong(given.written, given.node, "a string", findings),
    };
    let Some(given) = entry.get(Key::Args) else { return Some(words) };
    match &given.node.value {
        Value::List(items) => words.extend(scalars(given.written, items, findings)?),
        Value::Text(text) => {
            let Some(split) = shlex::split(text) else {
                findings.error(given.node.start, format!("`{}` has an open quote", given.written));
                return None;
            };
            let text = format!("`{}` is a string, and is split like a shell would", given.written);
            findings.warn(given.node.start, text).hint("write a list of strings");
            words.extend(split.into_iter().map(|word| (word, given.node.start)));
        }
        _ => return read::wrong(given.written, given.node, "a list of strings", findings),
    }
    Some(words)
}

fn scalars(key: &str, items: &[Node], findings: &mut Findings) -> Option<Vec<(String, usize)>> {
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        match read::scalar(item) {
            Some(word) => words.push((word, item.start)),
            None => return read::wrong(key, item, "a list of strings", findings),
        }
    }
    Some(words)
}

/// `Some(None)` when the entry names none.
fn working_directory(
    entry: &Entry<'_>,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Option<Option<PathBuf>> {
    let Some(given) = entry.get(Key::Cwd) else { return Some(None) };
    let written = read::text(given, findings)?;
    let style = Style { tilde: true, lenient: false };
    let path = read::expanded(written, given.node.start, scope, style, findings)?;
    if path.value.is_empty() {
        return Some(None);
    }
    Some(Some(absolute(&path.value, scope)))
}
