//! Which capabilities are offered to clients, and which are declared to servers.

use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;

/// What every client is offered: always the same superset, so that an answer never waits for a server.
pub const OFFERED: &str = r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{}}"#;

/// Declared to legacy servers, once per connection. Requests from servers are relayed for these, but for roots: one
/// client's folders would change what a server allows to all of them, so the gateway itself answers that it has none.
pub const DECLARED_TO_LEGACY: &str = FULL;

/// Capabilities of a client that can be relayed to a modern server, because their requests travel inside results.
const RELAYABLE: [&str; 3] = ["elicitation", "sampling", "roots"];

/// The full set that lists are read with: some servers list more tools to more capable clients.
pub const FULL: &str = r#"{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{}}"#;

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
