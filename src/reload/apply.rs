//! A new configuration and the running servers → the next snapshot, in one step.
//!
//! It starts nothing that nobody needs and waits for nothing: unchanged servers keep their processes, removed and
//! changed ones finish their calls on the old snapshot.

use crate::config::diff::Changes;
use crate::config::diff::diff;
use crate::config::model::Config;
use crate::config::model::Server;
use crate::downstream::handle::ServerHandle;
use crate::gateway::Gateway;
use crate::gateway::snapshot::Snapshot;
use crate::gateway::standing::Reload;
use crate::name::ServerName;
use crate::telemetry::event::ReloadCounts;
use indexmap::IndexMap;
use std::sync::Arc;

/// What a reload did.
#[derive(Debug)]
pub struct Outcome {
    /// In numbers of servers.
    pub counts: ReloadCounts,
    /// In names.
    pub changes: Changes,
}

/// Makes `config` the configuration of `gateway`.
pub fn apply(gateway: &Gateway, config: Config) -> Outcome {
    let before = gateway.snapshot();
    let changes = diff(&before.config, &config);
    let config = Arc::new(config);
    gateway.core().connector().configured(&config);
    let servers: IndexMap<ServerName, ServerHandle> = config
        .servers
        .iter()
        .map(|(name, entry)| (name.clone(), next_handle(gateway, &before, &changes, name, entry)))
        .collect();
    let first = gateway.core().publish(Arc::clone(&config), servers);
    gateway.core().standing().reloaded(Reload::Used);
    retire(gateway, &before, &changes, config.settings.drain_timeout);
    if !first {
        list_new(&gateway.snapshot(), &changes);
    }
    let counts = ReloadCounts {
        added: changes.added.len(),
        removed: changes.removed.len(),
        changed: changes.changed.len() + changes.cosmetic.len(),
        unchanged: changes.unchanged.len(),
        left_out: config.left_out.len(),
    };
    Outcome { counts, changes }
}

/// The handle of one entry: the running one, the running one under its new entry, or a new one.
fn next_handle(
    gateway: &Gateway,
    before: &Snapshot,
    changes: &Changes,
    name: &ServerName,
    entry: &Arc<Server>,
) -> ServerHandle {
    let running = before.servers.get(name);
    match running {
        Some(running) if changes.unchanged.contains(name) => running.clone(),
        Some(running) if changes.cosmetic.contains(name) => running.with_entry(Arc::clone(entry)),
        // Its old lists stand until the new ones are read, so that tools do not vanish and come back.
        _ => gateway.core().launch(Arc::clone(entry), running.and_then(ServerHandle::lists)),
    }
}

fn retire(gateway: &Gateway, before: &Snapshot, changes: &Changes, drain: std::time::Duration) {
    for name in changes.removed.iter().chain(&changes.changed) {
        if let Some(handle) = before.servers.get(name).filter(|handle| gateway.core().retire(handle, drain)) {
            gateway.core().standing().leaves(handle.clone());
        }
    }
}

/// Clients are waiting for the lists of what is new, so it is started now.
fn list_new(now: &Snapshot, changes: &Changes) {
    let changed = changes.changed.iter();
    // What was held back until now has no lists either.
    let others = changes.added.iter().chain(&changes.cosmetic);
    let unlisted = others.filter(|name| now.catalog.missing().contains(name));
    for name in changed.chain(unlisted) {
        if let Some(handle) = now.servers.get(name).filter(|handle| !handle.server().pins.hold_all()) {
            handle.want();
        }
    }
}
