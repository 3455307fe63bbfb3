//! Who may use what: levels, agents, rates, in every revision and over every transport.
//!
//! The rules themselves are compared with a model in `src/policy/tests.rs`; who a caller is, is tested elsewhere.

mod agents;
mod asked;
mod explain;
mod heard;
mod hidden;
mod levels;
mod link;
mod names;
mod narrowed;
mod own;
mod rates;
mod routes;
mod sent;

use serde_json::Value;
use serde_json::json;

/// A token for each role, in the order of [`ROLES`].
pub const TOKENS: [&str; 4] =
    ["deny-token-aaaaaaaaaa", "read-token-aaaaaaaaaa", "exec-token-aaaaaaaaaa", "admn-token-aaaaaaaaaa"];
/// Levels, lowest first.
pub const ROLES: [&str; 4] = ["deny", "read", "execute", "admin"];

/// A section with a policy per role, attached to the token of its place; `local` is the role of a client on pipes.
pub fn roles(local: &str) -> Value {
    let policies: serde_json::Map<String, Value> =
        ROLES.iter().map(|role| ((*role).to_owned(), json!({ "default": role }))).collect();
    let mut callers = json!({ "local": local });
    for (place, role) in ROLES.iter().enumerate() {
        callers[format!("token-{}", place + 1)] = json!(role);
    }
    json!({
        "http": { "bearerTokens": TOKENS },
        "access": { "default": "deny", "policies": policies, "attach": { "callers": callers } }
    })
}
