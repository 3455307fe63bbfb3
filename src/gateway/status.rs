//! The state of a gateway for people and programs.

use crate::downstream::status::Status;
use crate::gateway::snapshot::Snapshot;
use indexmap::IndexMap;
use serde::Serialize;

/// One document; keys are stable, `schemaVersion` counts breaking changes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// Version of the gateway.
    pub version: &'static str,
    /// Tools shown to clients.
    pub tools: usize,
    /// Prompts shown to clients.
    pub prompts: usize,
    /// Resources shown to clients.
    pub resources: usize,
    /// Clients with a session.
    pub sessions: usize,
    /// The servers in use, in the order of the file.
    pub servers: IndexMap<String, Status>,
    /// Entries of the file that are not in use, with the reason.
    pub left_out: IndexMap<String, String>,
    /// Names that two servers want; who has it, who was left out.
    pub collisions: Vec<String>,
}

/// Reads the status off a snapshot.
#[must_use]
pub fn of(snapshot: &Snapshot, sessions: usize) -> GatewayStatus {
    let catalog = &snapshot.catalog;
    GatewayStatus {
        schema_version: 1,
        version: env!("CARGO_PKG_VERSION"),
        tools: catalog.tools().len(),
        prompts: catalog.prompts().len(),
        resources: catalog.resources().len(),
        sessions,
        servers: snapshot.servers.iter().map(|(name, handle)| (name.to_string(), handle.status())).collect(),
        left_out: snapshot.config.left_out.iter().map(|out| (out.name.clone(), out.reason.clone())).collect(),
        collisions: catalog.collisions().iter().map(ToString::to_string).collect(),
    }
}
