//! What an entry says about calls of its tools: times for single ones, and which calls may be sent twice.
//!
//! Which tools are shown is `filter.rs`.

use crate::config::check::duration;
use crate::config::check::duration::Bare;
use crate::config::check::section::Section;
use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::dialect::entry::Given;
use crate::config::finding::Findings;
use crate::config::model::terms::Retry;
use crate::config::model::terms::ToolTerms;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use std::time::Duration;

/// Which calls of the entry may be sent once more.
pub fn retry(entry: &Entry<'_>, findings: &mut Findings) -> Retry {
    let given = entry.get(Key::Retry);
    given.and_then(|given| named(given.written, given.node, findings)).unwrap_or_default()
}

/// What the entry says about single tools: the object `tools`. A list there is a filter.
pub fn check(entry: &Entry<'_>, findings: &mut Findings) -> Vec<ToolTerms> {
    let Some(given) = entry.get(Key::Tools) else { return Vec::new() };
    let Value::Object(members) = &given.node.value else { return Vec::new() };
    // Codex writes there which calls need no approval.
    let mut approval = false;
    let mut all = Vec::new();
    for member in members {
        let path = format!("{}.{}", given.written, member.key);
        let mut section = Section::new(&path, Some(&member.node), findings);
        approval |= section.get("approval_mode").is_some();
        let own = ToolTerms {
            pattern: member.key.clone(),
            call_timeout: time(given, &mut section, "callTimeout", findings),
            max_call_time: time(given, &mut section, "maxCallTime", findings),
            retry: section.get("retry").and_then(|node| named(&section.name("retry"), node, findings)),
        };
        section.finish(findings);
        if own.call_timeout.is_some() || own.max_call_time.is_some() || own.retry.is_some() {
            all.push(own);
        }
    }
    if approval {
        findings
            .note(given.at, "`approval_mode` of tools is ignored: approving calls is the client's business");
    }
    all
}

fn time(
    given: Given<'_>,
    section: &mut Section<'_>,
    key: &'static str,
    findings: &mut Findings,
) -> Option<Duration> {
    let (node, name) = (section.get(key)?, section.name(key));
    duration::of_key(Given { node, written: &name, ..given }, Bare::GuessAndWarn, findings)
}

fn named(name: &str, node: &Node, findings: &mut Findings) -> Option<Retry> {
    match (&node.value, node.text()) {
        (Value::Bool(false), _) | (_, Some("never")) => Some(Retry::Never),
        (_, Some("readOnly")) => Some(Retry::ReadOnly),
        (_, Some("idempotent")) => Some(Retry::Idempotent),
        _ => {
            findings
                .error(node.start, format!("`{name}` must be `never`, `readOnly` or `idempotent`"))
                .hint("a call is never repeated unless its tool says that this is harmless");
            None
        }
    }
}
