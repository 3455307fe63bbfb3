//! An object of our own keys: each key is asked for once, what was not asked for is unknown.
//!
//! Other clients' files are read through `dialect/alias.rs` instead.

use crate::config::check::duration;
use crate::config::check::duration::Bare;
use crate::config::check::read;
use crate::config::finding::Findings;
use crate::config::suggest::suggest;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use crate::config::syntax::is_remark;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The topics of `gateway` that say who may do what.
const GUARDS: [&str; 8] = ["access", "audit", "auth", "defaultCaller", "http", "lock", "rates", "rules"];

/// An object being read.
pub struct Section<'a> {
    path: String,
    node: Option<&'a Node>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The object at `path`; absent and `null` are an empty one.
    pub fn new(path: &str, node: Option<&'a Node>, findings: &mut Findings) -> Self {
        let mut node = node.filter(|node| node.value != Value::Null);
        if let Some(other) = node.filter(|node| !node.is_object()) {
            node = read::wrong(path, other, "an object", findings);
        }
        Self { path: path.to_owned(), node, known: Vec::new() }
    }

    /// The value of `key`, when it is given and not `null`.
    pub fn get(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        self.node?.get(key).map(|member| &member.node).filter(|node| node.value != Value::Null)
    }

    /// The object at `key`.
    pub fn inner(&mut self, key: &'static str, findings: &mut Findings) -> Section<'a> {
        let node = self.get(key);
        Section::new(&self.name(key), node, findings)
    }

    /// Sets `target` to the whole number at `key`.
    pub fn count(
        &mut self,
        key: &'static str,
        target: &mut usize,
        range: RangeInclusive<usize>,
        findings: &mut Findings,
    ) {
        if let Some(node) = self.get(key)
            && let Some(number) = read::count(&self.name(key), node, range, findings)
        {
            *target = number;
        }
    }

    /// Sets `target` to the boolean at `key`.
    pub fn flag(&mut self, key: &'static str, target: &mut bool, findings: &mut Findings) {
        let Some(node) = self.get(key) else { return };
        match node.value {
            Value::Bool(value) => *target = value,
            _ => _ = read::wrong::<bool>(&self.name(key), node, "`true` or `false`", findings),
        }
    }

    /// Sets `target` to the duration at `key`, which must be at least `least`.
    pub fn duration(
        &mut self,
        key: &'static str,
        target: &mut Duration,
        least: Duration,
        findings: &mut Findings,
    ) {
        let Some(node) = self.get(key) else { return };
        let name = self.name(key);
        match duration::of_node(&name, node, Bare::Refuse, findings) {
            Some(duration) if duration < least => {
                findings.error(node.start, format!("`{name}` must be at least {least:?}"));
            }
            Some(duration) => *target = duration,
            None => {}
        }
    }

    /// The string at `key`.
    pub fn text(&mut self, key: &'static str, findings: &mut Findings) -> Option<&'a Node> {
        let node = self.get(key)?;
        match node.value {
            Value::Text(_) => Some(node),
            _ => read::wrong(&self.name(key), node, "a string", findings),
        }
    }

    /// The strings of the list at `key`.
    pub fn texts(&mut self, key: &'static str, findings: &mut Findings) -> Vec<(&'a str, usize)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            return read::wrong::<Vec<_>>(&self.name(key), node, "a list of strings", findings)
                .unwrap_or_default();
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match item.text() {
                Some(text) => texts.push((text, item.start)),
                None => {
                    return read::wrong(&self.name(key), item, "a list of strings only", findings)
                        .unwrap_or_default();
                }
            }
        }
        texts
    }

    /// The full name of a key of this object, for messages.
    #[must_use]
    pub fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// Tells the keys that nobody asked for. Where a slip would let somebody in they are errors.
    pub fn finish(self, findings: &mut Findings) {
        for member in self.node.map(Node::members).unwrap_or_default() {
            let key = member.key.as_str();
            if self.known.contains(&key) || is_remark(key) {
                continue;
            }
            let meant = suggest(key, self.known.iter().copied());
            let text = format!("unknown key `{}`", self.name(key));
            let finding = if self.guards(meant) {
                findings.error(member.at, text)
            } else {
                findings.warn(member.at, text)
            };
            finding.hint = meant.map(|near| format!("did you mean `{near}`?"));
        }
    }

    /// True when a key that is not read may leave open what it was to close. `meant` is what it looks like.
    fn guards(&self, meant: Option<&str>) -> bool {
        let Some(path) = self.path.strip_prefix("gateway") else { return false };
        match path.trim_start_matches('.').split('.').next() {
            Some("") => meant.is_some_and(|meant| GUARDS.contains(&meant)),
            // Rules are shared with other programs, which may know more keys; of HTTP only the tokens matter.
            Some("rules" | "http") => meant.is_some(),
            Some(topic) => GUARDS.contains(&topic),
            None => false,
        }
    }
}
