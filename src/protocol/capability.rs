//! Which capabilities are offered to clients, and which are declared to servers.

use crate::protocol::version::Era;
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;

/// What every client is offered: always the same superset, so that an answer never waits for a server.
pub const OFFERED: &str = r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true},"completions":{},"logging":{}}"#;

/// Declared to legacy servers, once per connection. Requests from servers are relayed for these, but for roots: one
/// client's folders would change what a server allows to all of them, so the gateway itself answers that it has none.
pub const DECLARED_TO_LEGACY: &str = FULL;

/// Capabilities of a client that can be relayed to a modern server, because their requests travel inside results.
const RELAYABLE: [&str; 3] = ["elicitation", "sampling", "roots"];

/// The full set that lists are read with: some servers list more tools to more capable clients.
pub const FULL: &str = r#"{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{}}"#;

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
    format!("{{{}}}", kept.join(","))
}

/// What a modern client declared ∩ what can be relayed, as JSON text.
///
/// ```
/// use mcp_manifold::protocol::capability::relayable;
/// assert_eq!(relayable(r#"{"roots":{},"extensions":{"x":{}}}"#), r#"{"roots":{}}"#);
/// ```
#[must_use]
pub fn relayable(declared: &str) -> String {
    let Ok(members) = Members::parse(declared) else { return "{}".into() };
    let mut out = Vec::new();
    let keep = |key: &str| if RELAYABLE.contains(&key) { Edit::Keep } else { Edit::Drop };
    write_object(&mut out, &members, keep, &[]);
    String::from_utf8(out).unwrap_or_else(|_| "{}".into())
}
