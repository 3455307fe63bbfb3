//! Where the servers stand in a file of any client, in one shape: named entries in file order.
//!
//! It decides by exact keys only and reads nothing inside an entry.

use crate::config::dialect::entry::Raw;
use crate::config::finding::Findings;
use crate::config::suggest::did_you_mean;
use crate::config::suggest::suggest;
use crate::config::syntax::Member;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use crate::config::syntax::is_remark;

pub mod alias;
pub mod entry;

/// Keys of the root that hold servers, in the order they are looked for.
const ROOTS: [&str; 6] =
    ["mcpServers", "servers", "context_servers", "mcp_servers", "amp.mcpServers", "mcp.servers"];

/// Keys of the root that are ours or an editor's, and never a server.
const SECTIONS: [&str; 3] = ["gateway", "inputs", "imports"];

/// The file, taken apart.
#[derive(Debug, Default)]
pub struct Found<'a> {
    /// The servers, in the order of the file.
    pub entries: Vec<Raw<'a>>,
    /// The `gateway` section.
    pub gateway: Option<&'a Node>,
    /// The `inputs` list of VS Code.
    pub inputs: Option<&'a Node>,
    /// `{env:X}` and `{file:x}` mean variables too (opencode).
    pub braces: bool,
    /// `mcp.allowed` of Gemini CLI: servers that are not named are off.
    pub allowed: Option<Vec<&'a str>>,
    /// `mcp.excluded` of Gemini CLI: servers that are off.
    pub excluded: Vec<&'a str>,
}

struct Place<'a> {
    label: &'static str,
    at: usize,
    node: &'a Node,
    braces: bool,
}

/// Takes the file apart, or says in `findings` why that is not possible.
pub fn find<'a>(root: &'a Node, findings: &mut Findings) -> Option<Found<'a>> {
    if !root.is_object() {
        let text = format!("the file must hold an object, not {}", root.kind());
        findings.error(root.start, text).hint("write `{ \"mcpServers\": { … } }`");
        return None;
    }
    let mut found = Found { gateway: root.get("gateway").map(|m| &m.node), ..Found::default() };
    let mcp = root.get("mcp").map(|member| &member.node);
    let inputs = root.get("inputs").or_else(|| mcp.and_then(|node| node.get("inputs")));
    found.inputs = inputs.map(|member| &member.node);

    let places = places(root);
    let Some(place) = places.first() else { return without_place(root, found, findings) };
    for other in &places[1..] {
        let text = format!("`{}` is ignored, because `{}` is there too", other.label, place.label);
        findings.warn(other.at, text);
    }
    found.braces = place.braces;
    found.entries = entries(place.label, place.node, findings)?;
    if let Some(mcp) = mcp.filter(|_| !place.braces) {
        found.allowed = mcp.get("allowed").and_then(|member| texts(&member.node));
        found.excluded = mcp.get("excluded").and_then(|member| texts(&member.node)).unwrap_or_default();
    }
    look_at_other_keys(root, findings).then_some(found)
}

fn places(root: &Node) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    for label in ROOTS {
        if let Some(member) = root.get(label) {
            places.push(Place { label, at: member.at, node: &member.node, braces: false });
        }
    }
    if let Some(member) = root.get("amp").and_then(|amp| amp.node.get("mcpServers")) {
        places.push(Place { label: "amp.mcpServers", at: member.at, node: &member.node, braces: false });
    }
    if let Some(mcp) = root.get("mcp") {
        match mcp.node.get("servers").filter(|servers| !is_entry(&servers.node)) {
            Some(servers) => {
                places.push(Place {
                    label: "mcp.servers",
                    at: servers.at,
                    node: &servers.node,
                    braces: true,
                });
            }
            None if mcp.node.members().iter().any(|member| is_entry(&member.node)) => {
                places.push(Place { label: "mcp", at: mcp.at, node: &mcp.node, braces: true });
            }
            None => {}
        }
    }
    places
}

/// A bare map of entries, a file without servers, or an error.
fn without_place<'a>(root: &'a Node, mut found: Found<'a>, findings: &mut Findings) -> Option<Found<'a>> {
    let rest = || root.members().iter().filter(|m| !SECTIONS.contains(&m.key.as_str()) && !is_remark(&m.key));
    if rest().next().is_none() {
        findings.warn(root.start, "the file names no servers").hint("add them under `mcpServers`");
        return Some(found);
    }
    if rest().any(|member| is_entry(&member.node)) && rest().all(|member| member.node.is_object()) {
        found.entries = named(root.members(), |member| !SECTIONS.contains(&member.key.as_str()));
        return Some(found);
    }
    let near = rest().find_map(|member| did_you_mean(&member.key, ROOTS).map(|hint| (member.at, hint)));
    if is_entry(root) {
        findings
            .error(root.start, "the file holds a single entry without a name")
            .hint("write `{ \"mcpServers\": { \"name\": { … } } }`");
    } else if let Some((at, hint)) = near {
        findings.error(at, "the file has no `mcpServers`").hint(hint);
    } else {
        findings.error(root.start, "the file has no `mcpServers`").hint("put the servers under `mcpServers`");
    }
    None
}

fn entries<'a>(label: &str, node: &'a Node, findings: &mut Findings) -> Option<Vec<Raw<'a>>> {
    match &node.value {
        Value::Object(members) => {
            let skipped: &[&str] =
                if label == "mcp" { &["allowed", "excluded", "serverCommand"] } else { &[] };
            Some(named(members, |member| !skipped.contains(&member.key.as_str())))
        }
        Value::List(items) => Some(items.iter().filter_map(|item| from_list(item, findings)).collect()),
        Value::Null => Some(Vec::new()),
        _ => {
            let text = format!("`{label}` must be an object of servers, not {}", node.kind());
            findings.error(node.start, text);
            None
        }
    }
}

fn named(members: &[Member], keep: impl Fn(&Member) -> bool) -> Vec<Raw<'_>> {
    let kept = members.iter().filter(|member| keep(member) && !member.key.starts_with('$'));
    kept.map(|member| Raw { name: &member.key, at: member.at, node: &member.node }).collect()
}

fn from_list<'a>(item: &'a Node, findings: &mut Findings) -> Option<Raw<'a>> {
    let name = item.get("name").and_then(|member| member.node.text());
    if name.is_none() {
        findings.error(item.start, "an entry of a list needs a `name`");
    }
    name.map(|name| Raw { name, at: item.start, node: item })
}

/// True when a value looks like an entry: an object that says what to start or where to connect.
fn is_entry(node: &Node) -> bool {
    node.members().iter().any(|member| alias::starts_an_entry(&member.key) && !member.node.is_object())
        || node.get("command").is_some_and(|command| command.node.get("path").is_some())
}

/// False when the section that says who may do what seems to be there under a wrong name.
fn look_at_other_keys(root: &Node, findings: &mut Findings) -> bool {
    let mut usable = true;
    for member in root.members() {
        let key = member.key.as_str();
        if key == "imports" && member.node.value != Value::List(Vec::new()) {
            findings.warn(member.at, "`imports` is not followed").hint("put the servers into this file");
        }
        let known = SECTIONS.contains(&key) || ROOTS.contains(&key) || key == "mcp" || key == "amp";
        if known || is_remark(key) {
            continue;
        }
        let Some(meant) = suggest(key, SECTIONS.into_iter().chain(ROOTS)) else { continue };
        let (hint, text) = (format!("did you mean `{meant}`?"), format!("unknown key `{key}`"));
        if meant == "gateway" {
            usable = false;
            findings.error(member.at, text).hint(hint);
        } else {
            findings.warn(member.at, text).hint(hint);
        }
    }
    usable
}

fn texts(node: &Node) -> Option<Vec<&str>> {
    let Value::List(items) = &node.value else { return None };
    Some(items.iter().filter_map(Node::text).collect())
}

#[cfg(test)]
mod tests;
