//! Which tools of a server are shown: every client's way to say so → one filter.
//!
//! It matches no names; the catalog does.

use crate::config::check::read;
use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::dialect::entry::Given;
use crate::config::finding::Findings;
use crate::config::model::ToolFilter;
use crate::config::syntax::Value;

/// Reads the filter of an entry.
pub fn check(entry: &Entry<'_>, findings: &mut Findings) -> ToolFilter {
    let mut filter = ToolFilter::default();
    if let Some(given) = entry.get(Key::Exclude) {
        filter.exclude = patterns(given, findings).unwrap_or_default();
    }
    if let Some(given) = entry.get(Key::Include) {
        filter.include = patterns(given, findings);
    } else if let Some(given) = entry.get(Key::IncludeEmptyIsAll) {
        filter.include = patterns(given, findings).filter(|patterns| !patterns.is_empty());
    }
    if let Some(given) = entry.get(Key::Tools) {
        match &given.node.value {
            // What holds for single tools: `tool_terms.rs` reads it.
            Value::Object(_) => {}
            _ if filter.include.is_some() => {
                findings.warn(given.at, "`tools` is ignored, because another list of tools to show is given");
            }
            _ => filter.include = patterns(given, findings),
        }
    }
    if filter.include.as_ref().is_some_and(|include| include.iter().any(|pattern| pattern == "*")) {
        filter.include = None;
    }
    filter
}

/// Names or patterns; what Gemini CLI writes in brackets after a name is about arguments and is dropped.
fn patterns(given: Given<'_>, findings: &mut Findings) -> Option<Vec<String>> {
    let texts = read::texts(given, findings)?;
    let mut patterns = Vec::with_capacity(texts.len());
    for (text, at) in texts {
        let name = text.split_once('(').map_or(text, |(name, _)| name).trim();
        if name.is_empty() {
            findings.error(at, format!("`{}` holds an empty name", given.written));
        }
        patterns.push(name.to_owned());
    }
    Some(patterns)
}
