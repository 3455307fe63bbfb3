//! `gateway.rules` → rules of agents: inline, or a file of its own with the same content.
//!
//! A file that cannot be read or is wrong is an error of the section: without its rules everybody could do everything.

use crate::config::check::access::checked_pattern;
use crate::config::check::access::members;
use crate::config::check::exposure;
use crate::config::check::read;
use crate::config::check::read::wrong;
use crate::config::check::section::Section;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::finding::Findings;
use crate::config::model::access::AgentRules;
use crate::config::model::access::AgentSet;
use crate::config::model::access::AgentTerms;
use crate::config::problem::Severity;
use crate::config::syntax;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use crate::config::syntax::lines::Lines;
use std::path::Path;

/// Names the agent whose rules hold for callers without one.
pub const DEFAULT_AGENT: &str = "MCP_MANIFOLD_DEFAULT_AGENT";

/// Reads the rules; `None` when there are none.
pub fn check(node: Option<&Node>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<AgentRules> {
    let node = node?;
    let mut rules = match &node.value {
        Value::Object(_) => rules("gateway.rules", node, findings),
        Value::Text(written) => {
            let style = Style { tilde: true, lenient: false };
            match read::expanded(written, node.start, scope, style, findings) {
                Some(path) => of_file(&scope.folder.join(&path.value), node.start, scope, findings),
                None => AgentRules { deny_on_missing: true, ..AgentRules::default() },
            }
        }
        _ => {
            let expected = "the path of a file, or an object with `agents` and `defaults`";
            wrong::<AgentRules>("gateway.rules", node, expected, findings)?
        }
    };
    rules.fallback = scope.environment.var(DEFAULT_AGENT).filter(|name| !name.is_empty()).map(str::to_owned);
    Some(rules)
}

/// The servers that rules of an agent name.
pub fn named_servers(agent: &AgentTerms) -> impl Iterator<Item = &str> {
    let sets = [&agent.allow, &agent.deny];
    sets.into_iter().flat_map(|set| {
        let of_tools = set.tools.iter().map(|(server, _)| server);
        set.servers.iter().chain(of_tools).map(String::as_str)
    })
}

/// The rules of the file at `path`; what is wrong in it is said at the place `at` that names it.
fn of_file(path: &Path, at: usize, scope: &mut Scope<'_>, findings: &mut Findings) -> AgentRules {
    let shown = path.display();
    let nothing = AgentRules { deny_on_missing: true, ..AgentRules::default() };
    if !exposure::check(path, &format!("`{shown}`"), at, true, scope.environment, findings) {
        return nothing;
    }
    let text = match scope.files.read(path) {
        Ok(text) => text,
        Err(why) => {
            findings.error(at, format!("`gateway.rules`: `{shown}` cannot be read: {why}"));
            return nothing;
        }
    };
    let lines = Lines::new(text.as_bytes());
    let mut found = Findings::default();
    let rules = match syntax::parse(&text, &lines) {
        Ok(root) => rules("gateway.rules", &root, &mut found),
        Err(wrong) => {
            found.append(wrong);
            nothing
        }
    };
    for finding in found.into_list() {
        let (line, _) = lines.position(finding.at);
        let text = format!("`{shown}`, line {line}: {}", finding.text);
        let said = match finding.severity {
            Severity::Error => findings.error(at, text),
            Severity::Warning => findings.warn(at, text),
            _ => findings.note(at, text),
        };
        said.hint = finding.hint;
    }
    rules
}

fn rules(path: &str, node: &Node, findings: &mut Findings) -> AgentRules {
    let mut section = Section::new(path, Some(node), findings);
    let mut rules = AgentRules::default();
    for member in members(&section.name("agents"), section.get("agents"), findings) {
        let path = format!("{path}.agents.{}", member.key);
        rules.agents.push(agent(&path, &member.key, &member.node, findings));
    }
    let mut defaults = section.inner("defaults", findings);
    defaults.flag("deny_on_missing_agent", &mut rules.deny_on_missing, findings);
    defaults.finish(findings);
    section.finish(findings);
    rules
}

fn agent(path: &str, name: &str, node: &Node, findings: &mut Findings) -> AgentTerms {
    let mut section = Section::new(path, Some(node), findings);
    // What the file is made of besides, for people.
    section.get("description");
    let allow = set(section.inner("allow", findings), findings);
    let deny = set(section.inner("deny", findings), findings);
    section.finish(findings);
    AgentTerms { name: name.to_owned(), allow, deny }
}

fn set(mut section: Section<'_>, findings: &mut Findings) -> AgentSet {
    let path = section.name("servers");
    let servers = section.texts("servers", findings).into_iter();
    let servers = servers.filter_map(|(text, at)| pattern(&path, text, at, findings)).collect();
    let path = section.name("tools");
    let mut tools = Vec::new();
    for member in members(&path, section.get("tools"), findings) {
        let path = format!("{path}.{}", member.key);
        let Value::List(items) = &member.node.value else {
            wrong::<()>(&path, &member.node, "a list of tools", findings);
            continue;
        };
        let mut patterns = Vec::with_capacity(items.len());
        for item in items {
            match item.text() {
                Some(text) => patterns.extend(pattern(&path, text, item.start, findings)),
                None => _ = wrong::<()>(&path, item, "a list of strings only", findings),
            }
        }
        tools.push((member.key.clone(), patterns));
    }
    section.finish(findings);
    AgentSet { servers, tools }
}

fn pattern(path: &str, text: &str, at: usize, findings: &mut Findings) -> Option<String> {
    if text.contains('[') {
        let text = format!("`{path}` has a `[`, which stands for itself: patterns know `*` and `?` only");
        findings.warn(at, text);
    }
    checked_pattern(path, text, at, findings)
}
