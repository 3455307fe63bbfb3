//! Which capabilities are offered to clients, and which are declared to servers.

use crate::protocol::extension;
use crate::protocol::extension::MEMBER;
use crate::protocol::extension::TASKS;
use crate::protocol::extension::UI;
use crate::protocol::version::Era;
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;

/// What every client is offered: always the same superset, so that an answer never waits for a server.
const OFFERED: &str = r#""tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{}"#;

/// Tasks of 2025-11-25.
const LEGACY_TASKS: &str = r#""tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}"#;

/// What a client of `era` is offered, as JSON text. `apps` says whether views of MCP Apps would work.
#[must_use]
pub fn offered(era: Era, apps: bool) -> String {
    let ui = apps.then(|| format!(r#""{UI}":{{}}"#));
    match era {
        Era::Legacy => {
            let extensions = ui.map(|ui| format!(r#","{MEMBER}":{{{ui}}}"#)).unwrap_or_default();
            format!("{{{OFFERED},{LEGACY_TASKS}{extensions}}}")
        }
        Era::Modern => {
            let ui = ui.map(|ui| format!(",{ui}")).unwrap_or_default();
            format!(r#"{{{OFFERED},"{MEMBER}":{{"{TASKS}":{{}}{ui}}}}}"#)
        }
    }
}

/// Declared to legacy servers, once per connection. Requests from servers are relayed for these, but for roots: one
/// client's folders would change what a server allows to all of them, so the gateway itself answers that it has none.
pub const DECLARED_TO_LEGACY: &str = r#"{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}"#;

/// Capabilities of a client that can be relayed to a modern server, because their requests travel inside results.
const RELAYABLE: [&str; 3] = ["elicitation", "sampling", "roots"];

/// The full set that lists are read with: some servers list more tools to more capable clients.
pub const FULL: &str = r#"{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{},"extensions":{"io.modelcontextprotocol/tasks":{},"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}"#;

/// What one client declared ∩ what can be relayed, for a legacy connection of its own: in one spelling, so that equal
/// sets are equal texts. A client of the modern era cannot tell that its roots changed.
///
/// ```
/// use mcp_manifold::protocol::capability::of_one_client;
/// use mcp_manifold::protocol::version::Era;
/// let declared = r#"{"x":1, "roots": {"listChanged": true}, "elicitation":{"url":{},"form":{}}}"#;
/// let text = r#"{"elicitation":{"form":{},"url":{}},"roots":{"listChanged":true}}"#;
/// assert_eq!(of_one_client(declared, Era::Legacy), text);
/// assert_eq!(of_one_client(declared, Era::Modern), text.replace(r#""listChanged":true"#, ""));
/// ```
#[must_use]
pub fn of_one_client(declared: &str, era: Era) -> String {
    const DETAILS: [(&str, &[&str]); 3] =
        [("elicitation", &["form", "url"]), ("sampling", &["tools"]), ("roots", &[])];
    let members = Members::parse(declared).unwrap_or_else(|_| Members::empty());
    let mut kept = Vec::new();
    for (capability, details) in DETAILS {
        let Some(raw) = members.get(capability).map(|raw| raw.get()).filter(|raw| *raw != "null") else {
            continue;
        };
        let inner = Members::parse(raw).unwrap_or_else(|_| Members::empty());
        let mut inside: Vec<String> = details
            .iter()
            .filter(|detail| inner.get(detail).is_some_and(|raw| raw.get() != "null"))
            .map(|detail| format!(r#""{detail}":{{}}"#))
            .collect();
        let lasts = capability == "roots" && era == Era::Legacy;
        if lasts && inner.get("listChanged").is_some_and(|raw| raw.get() == "true") {
            inside.push(r#""listChanged":true"#.to_owned());
        }
        kept.push(format!(r#""{capability}":{{{}}}"#, inside.join(",")));
    }
    if let Some(views) = members.get(MEMBER).and_then(|declared| extension::only(declared, &[UI])) {
        kept.push(format!(r#""{MEMBER}":{}"#, String::from_utf8_lossy(&views)));
    }
    format!("{{{}}}", kept.join(","))
}

/// What a client of `era` declared ∩ what can be relayed, as JSON text. Of extensions: those in `extension.rs`,
/// and MCP Apps only if their views would work.
///
/// ```
/// use mcp_manifold::protocol::capability::relayable;
/// use mcp_manifold::protocol::version::Era;
/// assert_eq!(relayable(r#"{"roots":{},"extensions":{"x":{}}}"#, Era::Modern, true), r#"{"roots":{}}"#);
/// let tasks = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
/// assert_eq!(relayable(tasks, Era::Modern, true), tasks);
/// assert_eq!(relayable(tasks, Era::Legacy, true), "{}");
/// ```
#[must_use]
pub fn relayable(declared: &str, era: Era, apps: bool) -> String {
    let Ok(members) = Members::parse(declared) else { return "{}".into() };
    let mut out = Vec::new();
    let passing: &[&str] = match (era, apps) {
        (Era::Modern, true) => &[TASKS, UI],
        (Era::Modern, false) => &[TASKS],
        (Era::Legacy, true) => &[UI],
        (Era::Legacy, false) => &[],
    };
    let extensions = members.get(MEMBER).and_then(|declared| extension::only(declared, passing));
    let keep = |key: &str| match &extensions {
        Some(extensions) if key == MEMBER => Edit::Replace(extensions),
        _ if RELAYABLE.contains(&key) => Edit::Keep,
        _ => Edit::Drop,
    };
    write_object(&mut out, &members, keep, &[]);
    String::from_utf8(out).unwrap_or_else(|_| "{}".into())
}
