//! One entry with its keys sorted out: nested spellings flattened, doubles settled, unknown keys told.
//!
//! It does not look at values beyond their shape.

use crate::config::dialect::alias::Key;
use crate::config::dialect::alias::Means;
use crate::config::dialect::alias::SPELLINGS;
use crate::config::dialect::alias::look_up;
use crate::config::finding::Findings;
use crate::config::suggest::did_you_mean;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use crate::config::syntax::is_remark;

/// One entry as it stands in the file.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    /// Its key, or its `name` in a list.
    pub name: &'a str,
    /// Offset of the key.
    pub at: usize,
    /// What it says.
    pub node: &'a Node,
}

/// One entry, key by key.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Its name.
    pub name: &'a str,
    /// Offset of its name.
    pub at: usize,
    given: Vec<Given<'a>>,
}

/// One key of an entry with its value, never `null`.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// What it says.
    pub key: Key,
    /// How it is spelt.
    pub written: &'a str,
    /// Offset of the key.
    pub at: usize,
    /// The value.
    pub node: &'a Node,
    pub(in crate::config) rank: usize,
}

impl<'a> Entry<'a> {
    /// Sorts out the keys of `raw`.
    pub fn new(raw: Raw<'a>, findings: &mut Findings) -> Self {
        let mut entry = Self { name: raw.name, at: raw.at, given: Vec::new() };
        entry.take(raw.node, findings);
        if let Some(transport) = entry.get(Key::Kind).filter(|given| given.node.is_object()) {
            entry.given.retain(|given| given.key != Key::Kind);
            entry.take(transport.node, findings);
        }
        if let Some(command) = entry.get(Key::Command).filter(|given| given.node.is_object()) {
            entry.given.retain(|given| given.key != Key::Command);
            entry.take_nested_command(command.node, findings);
        }
        if let Some(options) = entry.get(Key::RequestOptions) {
            entry.take_request_options(options.node, findings);
        }
        entry
    }

    /// The value of a key, when it is given and not `null`.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<Given<'a>> {
        self.given.iter().find(|given| given.key == key).copied()
    }

    /// Every key that is given.
    pub fn all(&self) -> impl Iterator<Item = &Given<'a>> {
        self.given.iter()
    }

    fn take(&mut self, node: &'a Node, findings: &mut Findings) {
        for member in node.members() {
            let key = member.key.as_str();
            let ignored = |why: &str| format!("`{key}` {why}");
            match look_up(key) {
                _ if member.node.value == Value::Null => {}
                Some((rank, Means::Is(means))) => {
                    let given = Given { key: means, written: key, at: member.at, node: &member.node, rank };
                    self.add(given, findings);
                }
                Some((_, Means::Nothing)) => {}
                Some((_, Means::Approval)) => {
                    findings.note(member.at, ignored("is ignored: approving calls is the client's business"));
                }
                Some((_, Means::Unsupported)) => {
                    findings.warn(member.at, ignored("is not supported yet and has no effect"));
                }
                None if is_remark(key) => {}
                None => {
                    let known = SPELLINGS.iter().map(|(spelling, _)| *spelling);
                    let finding = findings.warn(member.at, format!("unknown key `{key}`"));
                    finding.hint = did_you_mean(key, known);
                }
            }
        }
    }

    fn add(&mut self, new: Given<'a>, findings: &mut Findings) {
        let Some(old) = self.given.iter_mut().find(|given| given.key == new.key) else {
            self.given.push(new);
            return;
        };
        let (loser, winner) = if new.rank < old.rank { (*old, new) } else { (new, *old) };
        *old = winner;
        let told_elsewhere = new.key == Key::Sandbox;
        if !told_elsewhere {
            let text = format!("`{}` is ignored, because `{}` is given", loser.written, winner.written);
            findings.warn(loser.at, text);
        }
    }

    /// Old Zed: `"command": {"path", "args", "env"}`.
    fn take_nested_command(&mut self, node: &'a Node, findings: &mut Findings) {
        for member in node.members() {
            let key = match member.key.as_str() {
                "path" => Key::Command,
                "args" => Key::Args,
                "env" => Key::Env,
                other => {
                    findings.warn(member.at, format!("unknown key `{other}`"));
                    continue;
                }
            };
            if member.node.value != Value::Null {
                let rank = usize::MAX;
                let given = Given { key, written: &member.key, at: member.at, node: &member.node, rank };
                self.add(given, findings);
            }
        }
    }

    /// Continue: `"requestOptions": {"headers"}`.
    fn take_request_options(&mut self, node: &'a Node, findings: &mut Findings) {
        for member in node.members() {
            if member.key == "headers" {
                let (key, rank) = (Key::Headers, usize::MAX);
                let given = Given { key, written: &member.key, at: member.at, node: &member.node, rank };
                self.add(given, findings);
            } else {
                findings.warn(member.at, format!("`requestOptions.{}` has no effect", member.key));
            }
        }
    }
}
