//! What changed between two configurations. Pure, and about the checked model, never about texts.
//!
//! It does not say how a change is applied.

use crate::config::model::Config;
use crate::config::model::Server;
use crate::config::model::Settings;
use crate::name::ServerName;

/// The difference between an old and a new configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Servers that are new, in the order of the new file.
    pub added: Vec<ServerName>,
    /// Servers that are gone, in the order of the old file.
    pub removed: Vec<ServerName>,
    /// Servers that need a new process or connection, in the order of the new file.
    pub changed: Vec<ServerName>,
    /// Servers that go on running, with another prefix, filter, description or other times.
    pub cosmetic: Vec<ServerName>,
    /// Servers that are exactly as before.
    pub unchanged: Vec<ServerName>,
    /// True when servers that stay stand in another order, which settles ties between names.
    pub reordered: bool,
    /// Settings that changed, as they are called in the file without `gateway.`.
    pub settings_changed: Vec<&'static str>,
    /// True when the entries that are left out, or their reasons, changed.
    pub left_out_changed: bool,
    /// True when other extra files went into the configuration: the watcher must follow them.
    pub extra_files_changed: bool,
}

impl Changes {
    /// True when there is nothing to apply.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let servers = [&self.added, &self.removed, &self.changed, &self.cosmetic];
        servers.iter().all(|names| names.is_empty())
            && self.settings_changed.is_empty()
            && !(self.reordered || self.left_out_changed || self.extra_files_changed)
    }
}

/// Compares `old` with `new`.
#[must_use]
pub fn diff(old: &Config, new: &Config) -> Changes {
    let mut changes = Changes {
        settings_changed: settings(&old.settings, &new.settings),
        left_out_changed: old.left_out != new.left_out,
        extra_files_changed: old.extra_files != new.extra_files,
        ..Changes::default()
    };
    for (name, server) in &new.servers {
        let list = match old.servers.get(name) {
            None => &mut changes.added,
            Some(before) if before == server => &mut changes.unchanged,
            Some(before) if needs_restart(before, server) => &mut changes.changed,
            Some(_) => &mut changes.cosmetic,
        };
        list.push(name.clone());
    }
    changes.removed = old.servers.keys().filter(|name| !new.servers.contains_key(*name)).cloned().collect();
    let stay_before = old.servers.keys().filter(|name| new.servers.contains_key(*name));
    let stay_after = new.servers.keys().filter(|name| old.servers.contains_key(*name));
    changes.reordered = !stay_before.eq(stay_after);
    changes
}

/// True when what runs or is connected cannot serve the new entry.
#[must_use]
pub fn needs_restart(old: &Server, new: &Server) -> bool {
    old.transport != new.transport
        || old.era != new.era
        || old.max_in_flight != new.max_in_flight
        || old.stuck_after != new.stuck_after
}

fn settings(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let (a, b) = (&old.http, &new.http);
    let parts = [
        ("naming", old.naming != new.naming),
        ("limits", old.limits != new.limits),
        ("http.allowedHosts", a.allowed_hosts != b.allowed_hosts),
        ("http.allowedOrigins", a.allowed_origins != b.allowed_origins),
        ("http.headerTimeout", a.header_timeout != b.header_timeout),
        ("http.bodyTimeout", a.body_timeout != b.body_timeout),
        ("http.sessionIdle", a.session_idle != b.session_idle),
        ("http.maxSessions", a.max_sessions != b.max_sessions),
        ("http.maxSessionsPerCaller", a.max_sessions_per_caller != b.max_sessions_per_caller),
        ("http.maxConnections", a.max_connections != b.max_connections),
        ("http.replayBytes", a.replay_bytes != b.replay_bytes),
        ("http.sse", a.sse != b.sse),
        ("http.websocket", a.websocket != b.websocket),
        ("auth", old.auth != new.auth),
        ("callers", old.callers != new.callers),
        ("listTimeout", old.list_timeout != new.list_timeout),
        ("drainTimeout", old.drain_timeout != new.drain_timeout),
        ("share", old.share != new.share),
        ("linger", old.linger != new.linger),
        ("instructions", old.instructions != new.instructions),
        ("watch", old.watch != new.watch),
        ("egress", old.egress != new.egress),
        ("lock", old.lock != new.lock),
        ("audit", old.audit != new.audit),
    ];
    parts.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests;
