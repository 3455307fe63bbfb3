//! The environment of a child: what is passed on from our own, and what the entry declares.
//!
//! Nothing else is passed on: a secret of ours, or of another entry, is not a server's business.

use crate::config::check::read;
use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::dialect::entry::Given;
use crate::config::envfile;
use crate::config::environment::Environment;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::expand::absolute;
use crate::config::finding::Findings;
use crate::config::model::EnvValue;
use crate::config::syntax::Value;
use crate::secret::Secret;
use std::collections::BTreeMap;

const PASSED_ON: [&str; 10] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "TZ", "TMPDIR", "CLAUDE_PROJECT_DIR"];
const PASSED_ON_PROXY: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"];
const PASSED_ON_WINDOWS: [&str; 20] = [
    "ALLUSERSPROFILE",
    "APPDATA",
    "COMSPEC",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "NUMBER_OF_PROCESSORS",
    "OS",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERNAME",
    "USERPROFILE",
    "WINDIR",
];

/// What an entry says about one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    name: String,
    /// `None` removes it.
    value: Option<String>,
    from_file: bool,
}

/// What an entry says about its variables.
pub type Declared = Vec<Variable>;

/// Those that have a value, as other texts of the entry may use them.
#[must_use]
pub fn known(declared: &Declared) -> Vec<(String, String)> {
    declared.iter().filter_map(|one| Some((one.name.clone(), one.value.clone()?))).collect()
}

/// Reads `inheritEnv`, `envFile` and `env` of an entry, later ones winning; `None` when something is wrong.
pub fn declared(entry: &Entry<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<Declared> {
    let mut declared = Declared::new();
    if let Some(given) = entry.get(Key::InheritEnv) {
        inherited(given, scope.environment, &mut declared, findings);
    }
    let mut whole = true;
    if let Some(given) = entry.get(Key::EnvFile) {
        whole &= from_file(given, scope, &mut declared, findings).is_some();
    }
    if let Some(given) = entry.get(Key::Env) {
        whole &= from_entry(given, scope, &mut declared, findings).is_some();
    }
    whole.then_some(declared)
}

/// All variables of the child, sorted by name.
#[must_use]
pub fn of_child(entry: &Entry<'_>, declared: Declared, environment: &Environment) -> Vec<(String, EnvValue)> {
    let everything = entry.get(Key::InheritEnv).is_some_and(|given| given.node.value == Value::Bool(true));
    let inherited = |(name, value): (&str, &str)| {
        (name.to_owned(), EnvValue { value: Secret::new(value), declared: false, from_file: false })
    };
    let mut child: BTreeMap<String, EnvValue> = match everything {
        true => environment.vars().map(inherited).collect(),
        false => {
            let unasked = environment.passed_on();
            unasked
                .filter(|(name, value)| is_passed_on(name) && !value.starts_with("()"))
                .map(inherited)
                .collect()
        }
    };
    for Variable { name, value, from_file } in declared {
        child.retain(|known, _| !same_name(known, &name));
        if let Some(value) = value {
            child.insert(name, EnvValue { value: Secret::new(value), declared: true, from_file });
        }
    }
    child.into_iter().collect()
}

fn is_passed_on(name: &str) -> bool {
    let windows = cfg!(windows) && PASSED_ON_WINDOWS.iter().any(|known| known.eq_ignore_ascii_case(name));
    let proxy = PASSED_ON_PROXY.iter().any(|known| known.eq_ignore_ascii_case(name));
    windows || proxy || name.starts_with("LC_") || PASSED_ON.iter().any(|known| same_name(known, name))
}

fn same_name(one: &str, other: &str) -> bool {
    if cfg!(windows) { one.eq_ignore_ascii_case(other) } else { one == other }
}

/// A list of names, Codex' `{name}` objects among them, or `true` for all (see [`of_child`]).
fn inherited(given: Given<'_>, environment: &Environment, declared: &mut Declared, findings: &mut Findings) {
    let Value::List(items) = &given.node.value else {
        if !matches!(given.node.value, Value::Bool(_)) {
            read::wrong::<()>(given.written, given.node, "a list of names, or `true` for all", findings);
        }
        return;
    };
    for item in items {
        let name = item.text().or_else(|| item.get("name").and_then(|member| member.node.text()));
        match name.map(|name| (name, environment.var(name))) {
            Some((name, Some(value))) => put(declared, name, Some(value.to_owned()), false),
            Some((name, None)) => {
                let text = format!("environment variable `{name}` is not set, so it is not passed on");
                findings.warn(item.start, text);
            }
            None => {
                read::wrong::<()>(given.written, item, "a list of names", findings);
            }
        }
    }
}

fn from_file(
    given: Given<'_>,
    scope: &mut Scope<'_>,
    declared: &mut Declared,
    findings: &mut Findings,
) -> Option<()> {
    let written = read::text(given, findings)?;
    let style = Style { tilde: true, lenient: false };
    let path = read::expanded(written, given.node.start, scope, style, findings)?;
    let path = absolute(&path.value, scope);
    let text = match scope.files.read(&path) {
        Ok(text) => text,
        Err(reason) => {
            let text = format!("`{}` cannot be read: {reason}", given.written);
            findings.error(given.node.start, text).hint(format!("looked for `{}`", path.display()));
            return None;
        }
    };
    match envfile::parse(&text) {
        Ok(vars) => vars.into_iter().for_each(|(name, value)| put(declared, &name, Some(value), true)),
        Err(line) => {
            let text = format!("`{}` is not understood in its line {line}", given.written);
            findings.error(given.node.start, text).hint("lines are `NAME=value`");
            return None;
        }
    }
    Some(())
}

fn from_entry(
    given: Given<'_>,
    scope: &mut Scope<'_>,
    declared: &mut Declared,
    findings: &mut Findings,
) -> Option<()> {
    if !given.node.is_object() {
        return read::wrong(given.written, given.node, "an object of names and values", findings);
    }
    let mut whole = Some(());
    for member in given.node.members() {
        let name = member.key.as_str();
        if name.is_empty() || name.contains(['=', '\0']) {
            findings.error(member.at, "the name of a variable must not be empty or hold `=`");
            whole = None;
            continue;
        }
        if member.node.value == Value::Null {
            put(declared, name, None, false);
            continue;
        }
        let Some(written) = read::scalar(&member.node) else {
            let key = format!("{}.{name}", given.written);
            whole = read::wrong(&key, &member.node, "a string, a number, a boolean or null", findings);
            continue;
        };
        let style = Style { tilde: true, lenient: false };
        match read::expanded(&written, member.node.start, scope, style, findings) {
            Some(expanded) => put(declared, name, Some(expanded.value), false),
            None => whole = None,
        }
    }
    whole
}

fn put(declared: &mut Declared, name: &str, value: Option<String>, from_file: bool) {
    declared.retain(|known| !same_name(&known.name, name));
    declared.push(Variable { name: name.to_owned(), value, from_file });
}
