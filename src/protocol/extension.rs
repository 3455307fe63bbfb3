//! Extensions of the protocol that are relayed, and whether a peer declared one.
//!
//! What they mean stands elsewhere: `gateway/tasks.rs`, `catalog/apps.rs`. An extension that is not named here is
//! neither offered nor declared, because nobody would relay its messages.

use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use memchr::memmem;
use serde_json::value::RawValue;

/// Tasks of 2026-07-28 (`modelcontextprotocol/ext-tasks`).
pub const TASKS: &str = "io.modelcontextprotocol/tasks";
/// MCP Apps (`modelcontextprotocol/ext-apps`).
pub const UI: &str = "io.modelcontextprotocol/ui";
/// The member of capabilities that holds them.
pub const MEMBER: &str = "extensions";

/// True when `capabilities` (JSON text) declare `extension`.
///
/// ```
/// use mcp_manifold::protocol::extension;
/// assert!(extension::is_declared(r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#, extension::TASKS));
/// assert!(!extension::is_declared(r#"{"x":"io.modelcontextprotocol/tasks"}"#, extension::TASKS));
/// ```
#[must_use]
pub fn is_declared(capabilities: &str, extension: &str) -> bool {
    if memmem::find(capabilities.as_bytes(), extension.as_bytes()).is_none() {
        return false;
    }
    let members = Members::parse(capabilities).ok();
    let declared = members.and_then(|members| Members::of(members.get(MEMBER)?).ok());
    declared.is_some_and(|declared| declared.get(extension).is_some())
}

/// The member `extensions` with only those in `passing`; `None` when none of them is in it.
#[must_use]
pub fn only(declared: &RawValue, passing: &[&str]) -> Option<Vec<u8>> {
    let members = Members::of(declared).ok()?;
    if !passing.iter().any(|name| members.get(name).is_some()) {
        return None;
    }
    let mut out = Vec::new();
    let keep = |key: &str| if passing.contains(&key) { Edit::Keep } else { Edit::Drop };
    write_object(&mut out, &members, keep, &[]);
    Some(out)
}
