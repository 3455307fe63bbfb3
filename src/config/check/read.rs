//! Values of the expected kind, or a finding that says what was there instead.
//!
//! It never quotes a value: it may be a secret.

use crate::config::dialect::entry::Given;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::expand::expand;
use crate::config::finding::Findings;
use crate::config::model::Expanded;
use crate::config::syntax::Node;
use crate::config::syntax::Value;

/// A string.
pub fn text<'a>(given: Given<'a>, findings: &mut Findings) -> Option<&'a str> {
    let text = given.node.text();
    if text.is_none() {
        wrong::<()>(given.written, given.node, "a string", findings);
    }
    text
}

/// `true` or `false`.
pub fn flag(given: Given<'_>, findings: &mut Findings) -> Option<bool> {
    match given.node.value {
        Value::Bool(flag) => Some(flag),
        _ => wrong(given.written, given.node, "`true` or `false`", findings),
    }
}

/// A list of strings, each with its place.
pub fn texts<'a>(given: Given<'a>, findings: &mut Findings) -> Option<Vec<(&'a str, usize)>> {
    let Value::List(items) = &given.node.value else {
        return wrong(given.written, given.node, "a list of strings", findings);
    };
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        match item.text() {
            Some(text) => texts.push((text, item.start)),
            None => return wrong(given.written, item, "a list of strings only", findings),
        }
    }
    Some(texts)
}

/// A scalar as text: numbers and booleans as written.
#[must_use]
pub fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) | Value::Number(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A whole number in a range.
pub fn count(
    key: &str,
    node: &Node,
    range: std::ops::RangeInclusive<usize>,
    findings: &mut Findings,
) -> Option<usize> {
    let Value::Number(written) = &node.value else { return wrong(key, node, "a whole number", findings) };
    let number = written.parse::<usize>().ok().filter(|number| range.contains(number));
    if number.is_none() {
        let text = format!("`{key}` must be a whole number from {} to {}", range.start(), range.end());
        findings.error(node.start, text);
    }
    number
}

/// Says that `key` is of the wrong kind.
pub fn wrong<T>(key: &str, node: &Node, expected: &str, findings: &mut Findings) -> Option<T> {
    findings.error(node.start, format!("`{key}` must be {expected}, not {}", node.kind()));
    None
}

/// `written` expanded, with a finding for everything that is wrong with it.
pub fn expanded(
    written: &str,
    at: usize,
    scope: &mut Scope<'_>,
    style: Style,
    findings: &mut Findings,
) -> Option<Expanded> {
    if let Some(name) = bare_variable(written) {
        let finding = findings.warn(at, format!("`${name}` is taken as it stands"));
        finding.hint(format!("write `${{{name}}}` for the value of the variable"));
    }
    match expand(written, scope, style) {
        Ok(outcome) => {
            for name in outcome.padded {
                findings.warn(at, format!("the value of `{name}` begins or ends with white space"));
            }
            if outcome.expanded.value.contains('\0') {
                findings.error(at, "a NUL character in a value");
                return None;
            }
            Some(outcome.expanded)
        }
        Err(faults) => {
            for fault in faults {
                findings.error(at, fault.text).hint = fault.hint;
            }
            None
        }
    }
}

/// `$NAME` as the whole text, which other programs would expand.
fn bare_variable(written: &str) -> Option<&str> {
    let name = written.strip_prefix('$')?;
    let like_a_name = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    like_a_name.then_some(name)
}
