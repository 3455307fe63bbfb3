//! `gateway.access` → policies and to whom they apply.
//!
//! Everything wrong here is an error of the section: a policy that is read in half could let somebody in.

use crate::config::check::agents::named_servers;
use crate::config::check::read::wrong;
use crate::config::check::section::Section;
use crate::config::finding::Findings;
use crate::config::model::Settings;
use crate::config::model::access::Access;
use crate::config::model::access::Attachment;
use crate::config::model::access::Level;
use crate::config::model::access::ObjectKind;
use crate::config::model::access::PolicyTerms;
use crate::config::model::access::RuleTerms;
use crate::config::model::access::Whom;
use crate::config::model::auth::PRINCIPALS;
use crate::config::suggest::did_you_mean;
use crate::config::syntax::Member;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use crate::config::syntax::is_remark;

/// Longest pattern, in bytes: `?` makes the time of a match grow with it.
const MAX_PATTERN: usize = 512;

/// Reads the section; `None` when there is none.
pub fn check(node: Option<&Node>, findings: &mut Findings) -> Option<Access> {
    let node = node?;
    let mut section = Section::new("gateway.access", Some(node), findings);
    let mut access = Access { default: Level::Execute, policies: Vec::new(), attached: Vec::new() };
    if let Some(node) = section.get("default") {
        access.default = level("gateway.access.default", node, findings).unwrap_or(Level::Deny);
    }
    for member in members("gateway.access.policies", section.get("policies"), findings) {
        let path = format!("gateway.access.policies.{}", member.key);
        access.policies.push(policy(&path, &member.key, &member.node, findings));
    }
    attachments(section.inner("attach", findings), &mut access, findings);
    section.finish(findings);
    Some(access)
}

/// Warns of servers that rules name and the file does not. `named` says which it does.
pub fn warn_of_unknown(
    settings: &Settings,
    named: &dyn Fn(&str) -> bool,
    gateway: Option<&Node>,
    findings: &mut Findings,
) {
    let at = |key: &str| gateway.and_then(|node| node.get(key)).map_or(0, |member| member.at);
    let rules = settings.access.iter().flat_map(|access| &access.policies);
    let in_policies =
        rules.flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule.server.as_str())));
    for (policy, server) in in_policies.filter(|(_, server)| is_unknown(server, named)) {
        let text =
            format!("policy `{}` has a rule about server `{server}`, which is not in the file", policy.name);
        findings.warn(at("access"), text);
    }
    let file = gateway.and_then(|node| node.get("rules")).and_then(|member| member.node.text());
    let source = file.map(|file| format!(" of `{file}`")).unwrap_or_default();
    for agent in settings.rules.iter().flat_map(|rules| &rules.agents) {
        for server in named_servers(agent).filter(|server| is_unknown(server, named)) {
            let text = format!(
                "agent `{}`{source} has a rule about server `{server}`, which is not in the file",
                agent.name
            );
            findings.warn(at("rules"), text);
        }
    }
}

fn is_unknown(server: &str, named: &dyn Fn(&str) -> bool) -> bool {
    !server.contains(['*', '?']) && !named(server)
}

fn policy(path: &str, name: &str, node: &Node, findings: &mut Findings) -> PolicyTerms {
    let mut section = Section::new(path, Some(node), findings);
    let default = match section.get("default") {
        Some(node) => level(&section.name("default"), node, findings),
        None => {
            let text = format!("`{path}` has no `default`");
            findings.error(node.start, text).hint(
                "the level of everything that no rule is about: `\"deny\"` when the rules say what is allowed, \
                 `\"execute\"` when they say what is not",
            );
            None
        }
    };
    let mut rules = Vec::new();
    if let Some(node) = section.get("rules") {
        match &node.value {
            Value::List(items) => {
                rules.extend(
                    items
                        .iter()
                        .enumerate()
                        .filter_map(|(at, item)| rule(&format!("{path}.rules[{at}]"), item, findings)),
                );
            }
            _ => _ = wrong::<()>(&section.name("rules"), node, "a list of rules", findings),
        }
    }
    section.finish(findings);
    PolicyTerms { name: name.to_owned(), default: default.unwrap_or(Level::Deny), rules }
}

fn rule(path: &str, node: &Node, findings: &mut Findings) -> Option<RuleTerms> {
    let mut section = Section::new(path, Some(node), findings);
    let server = pattern_at(&mut section, "server", findings).unwrap_or_else(|| "*".to_owned());
    let mut about: Vec<(ObjectKind, String)> = Vec::new();
    for (key, kind) in
        [("tool", ObjectKind::Tool), ("prompt", ObjectKind::Prompt), ("resource", ObjectKind::Resource)]
    {
        about.extend(pattern_at(&mut section, key, findings).map(|pattern| (kind, pattern)));
    }
    if about.len() > 1 {
        let text = format!("`{path}` is about more than one of `tool`, `prompt` and `resource`");
        findings.error(node.start, text).hint("write one rule for each");
    }
    let given = match section.get("level") {
        Some(node) => level(&section.name("level"), node, findings),
        None => {
            findings.error(node.start, format!("`{path}` has no `level`")).hint(LEVELS);
            None
        }
    };
    section.finish(findings);
    let (kind, object) = about.pop().map_or((None, "*".to_owned()), |(kind, object)| (Some(kind), object));
    Some(RuleTerms { server, kind, object, level: given? })
}

fn attachments(mut section: Section<'_>, access: &mut Access, findings: &mut Findings) {
    let plain = [
        ("callers", Whom::Caller),
        ("teams", Whom::Team),
        ("organisations", Whom::Organisation),
        ("agents", Whom::Agent),
    ];
    for (key, whom) in plain {
        let node = section.get(key);
        attach(&section.name(key), node, &whom, access, findings);
    }
    let claims = section.get("claims");
    for member in members(&section.name("claims"), claims, findings) {
        let path = format!("{}.{}", section.name("claims"), member.key);
        attach(&path, Some(&member.node), &Whom::Claim(member.key.clone()), access, findings);
    }
    section.finish(findings);
}

fn attach(path: &str, node: Option<&Node>, whom: &Whom, access: &mut Access, findings: &mut Findings) {
    for member in members(path, node, findings) {
        let path = format!("{path}.{}", member.key);
        let Some(pattern) = checked_pattern(&path, &member.key, member.at, findings) else { continue };
        if *whom == Whom::Caller {
            warn_of_nobody(&path, &pattern, member.at, findings);
        }
        let names: Vec<(&str, usize)> = match &member.node.value {
            Value::Text(name) => vec![(name, member.node.start)],
            Value::List(items) if items.iter().all(|item| item.text().is_some()) => {
                items.iter().filter_map(|item| Some((item.text()?, item.start))).collect()
            }
            _ => {
                wrong::<()>(&path, &member.node, "the name of a policy, or a list of names", findings);
                continue;
            }
        };
        let place = |(name, at): (&str, usize)| {
            let known = access.policies.iter().position(|policy| policy.name == name);
            if known.is_none() {
                let text =
                    format!("`{path}` names policy `{name}`, which is not in `gateway.access.policies`");
                let names = access.policies.iter().map(|policy| policy.name.as_str());
                findings.error(at, text).hint = did_you_mean(name, names);
            }
            known
        };
        let policies = names.into_iter().filter_map(place).collect();
        access.attached.push(Attachment { whom: whom.clone(), pattern, policies });
    }
}

/// Warns of a pattern for callers that none can be like.
pub(super) fn warn_of_nobody(path: &str, pattern: &str, at: usize, findings: &mut Findings) {
    let kind = pattern.split_once(':').map(|(kind, _)| kind);
    if kind.is_some_and(|kind| !kind.contains(['*', '?']) && !PRINCIPALS.contains(&kind)) {
        let text = format!("`{path}` means nobody: names with a `:` do not count");
        findings.warn(at, text).hint("write the unique id: `key:ID`, `basic:USER`, `jwt:ISSUER|SUBJECT`");
    }
}

const LEVELS: &str = "one of `\"deny\"`, `\"read\"`, `\"execute\"` and `\"admin\"`";

fn level(path: &str, node: &Node, findings: &mut Findings) -> Option<Level> {
    let Some(text) = node.text() else { return wrong(path, node, LEVELS, findings) };
    let known = Level::NAMES.iter().find(|(name, _)| *name == text);
    if known.is_none() {
        let hint = did_you_mean(text, Level::NAMES.iter().map(|(name, _)| *name));
        findings.error(node.start, format!("`{path}` must be {LEVELS}")).hint = hint;
    }
    known.map(|(_, level)| *level)
}

fn pattern_at(section: &mut Section<'_>, key: &'static str, findings: &mut Findings) -> Option<String> {
    let node = section.text(key, findings)?;
    checked_pattern(&section.name(key), node.text()?, node.start, findings)
}

/// A pattern that is not empty and not too long.
pub(super) fn checked_pattern(path: &str, text: &str, at: usize, findings: &mut Findings) -> Option<String> {
    if text.is_empty() || text.len() > MAX_PATTERN {
        findings.error(at, format!("`{path}` must be a pattern of 1 to {MAX_PATTERN} bytes"));
        return None;
    }
    Some(text.to_owned())
}

/// The members of an object but for remarks; says so when it is none.
pub(super) fn members<'a>(
    path: &str,
    node: Option<&'a Node>,
    findings: &mut Findings,
) -> impl Iterator<Item = &'a Member> + use<'a> {
    let node = node.filter(|node| node.value != Value::Null);
    if let Some(other) = node.filter(|node| !node.is_object()) {
        wrong::<()>(path, other, "an object", findings);
    }
    node.map(Node::members).unwrap_or_default().iter().filter(|member| !is_remark(&member.key))
}

#[cfg(test)]
mod tests;
