//! `gateway.callers` and `gateway.defaultCaller` → [`Callers`]: who the clients on stdio are.
//!
//! Who comes over HTTP shows a credential and is none of these.

use crate::config::check::auth::holder;
use crate::config::check::auth::is_plain;
use crate::config::check::auth::warn_of_name;
use crate::config::check::section::Section;
use crate::config::finding::Findings;
use crate::config::model::auth::Callers;
use crate::config::suggest::did_you_mean;
use crate::config::syntax::Node;
use crate::config::syntax::is_remark;

/// Reads both keys of the `gateway` section.
pub fn check(gateway: &mut Section<'_>, findings: &mut Findings) -> Callers {
    let mut callers = Callers::default();
    let node = gateway.get("callers");
    // It says what is wrong with something else than an object.
    Section::new("gateway.callers", node.filter(|node| !node.is_object()), findings);
    for member in node.map(Node::members).unwrap_or_default() {
        if is_remark(&member.key) {
            continue;
        }
        if !is_plain(&member.key) {
            findings.error(member.at, "a caller needs a name of 1 to 200 characters");
        }
        warn_of_name(&member.key, member.at, findings);
        let mut section = Section::new("gateway.callers.*", Some(&member.node), findings);
        let holder = holder(&mut section, member.key.clone(), findings);
        section.finish(findings);
        callers.known.insert(member.key.clone(), holder);
    }
    if let Some((node, name)) =
        gateway.text("defaultCaller", findings).and_then(|node| Some((node, node.text()?)))
    {
        if !callers.known.contains_key(name) {
            let finding = findings.error(node.start, format!("`gateway.callers` has no `{name}`"));
            finding.hint = did_you_mean(name, callers.known.keys().map(String::as_str));
        }
        callers.default = Some(name.to_owned());
    }
    callers
}
