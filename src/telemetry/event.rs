//! Everything worth telling while the gateway runs: one function is one log line and its counter.
//!
//! Texts are fixed and the rest are fields, so that lines can be searched and counted. No arguments, results or
//! secrets are ever passed in here.

use crate::name::ServerName;
use crate::telemetry::clean::clean;
use crate::telemetry::metric::Metrics;
use crate::telemetry::throttle::Pass;
use crate::telemetry::throttle::Throttle;
use std::fmt::Display;
use std::time::Duration;
use tokio::time::Instant;
use tracing::debug;
use tracing::info;
use tracing::warn;

/// Longest text from outside in one field, in bytes.
const FIELD: usize = 300;

/// What a reload did, in numbers of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReloadCounts {
    /// New in the file.
    pub added: usize,
    /// No longer in the file, or disabled.
    pub removed: usize,
    /// In the file with other values.
    pub changed: usize,
    /// As before: their processes run on.
    pub unchanged: usize,
    /// In the file and not in use, for a problem.
    pub left_out: usize,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A server answered its handshake and its lists.
pub fn server_started(metrics: &Metrics, name: &ServerName, took: Duration, tools: usize) {
    metrics.server_starts.up();
    info!(server = %name, ms = millis(took), tools, "server started");
}

/// A connection of its own was made for one session, caller or call.
pub fn private_connection(metrics: &Metrics, name: &ServerName, took: Duration) {
    metrics.server_starts.up();
    info!(server = %name, ms = millis(took), "server started for one client");
}

/// A server asked its client for something for the first time.
pub fn server_asks(name: &ServerName, method: &str) {
    info!(server = %name, method = clean(method, FIELD), "server asks its client, each session gets its own connection");
}

/// A server could not be started; it is tried again on a call after `retry`.
pub fn server_failed(metrics: &Metrics, name: &ServerName, reason: &dyn Display, retry: Duration) {
    metrics.server_failures.up();
    warn!(server = %name, reason = %reason, retry_ms = millis(retry), "server failed to start");
}

/// A server was stopped because it was asked to; `why` is `idle`, `removed`, `changed` or `shutdown`, `how` what it took.
pub fn server_stopped(metrics: &Metrics, name: &ServerName, why: &str, how: &dyn Display) {
    metrics.server_stops.up();
    info!(server = %name, why, how = %how, "server stopped");
}

/// A connection ended without being asked to.
pub fn server_closed(metrics: &Metrics, name: &ServerName, error: &dyn Display) {
    metrics.server_closes.up();
    warn!(server = %name, error = %error, "server connection closed");
}

/// A server wrote something on stdout that is not protocol. `throttle` belongs to the connection.
pub fn noise(metrics: &Metrics, name: &ServerName, throttle: &mut Throttle, line: &str) {
    metrics.noise_lines.up();
    if let Pass::Yes { held } = throttle.ask(Instant::now()) {
        debug!(server = %name, line = clean(line, FIELD), left_out = held, "server wrote no protocol on stdout");
    }
}

/// A call was refused before any server was asked. `tool` is what the client named.
pub fn call_refused(metrics: &Metrics, tool: &str, reason: &dyn Display) {
    metrics.calls_refused.up();
    debug!(tool = clean(tool, FIELD), reason = %reason, "call refused");
}

/// A call ended in an error.
pub fn call_failed(metrics: &Metrics, name: &ServerName, tool: &str, error: &dyn Display) {
    metrics.calls_failed.up();
    info!(server = %name, tool = clean(tool, FIELD), error = %error, "call failed");
}

/// A server ended before it answered a call that may be made twice.
pub fn call_repeated(name: &ServerName, method: &str, why: &str) {
    info!(server = %name, method, error = clean(why, FIELD), "call is made once more");
}

/// A server keeps failing: calls to it are refused for `pause`.
pub fn breaker_opened(metrics: &Metrics, name: &ServerName, failures: u32, why: &str, pause: Duration) {
    metrics.breakers_opened.up();
    let why = clean(why, FIELD);
    warn!(server = %name, failures, error = why, pause_ms = millis(pause), "server keeps failing, calls are refused");
}

/// A server that kept failing answers again.
pub fn breaker_closed(name: &ServerName) {
    info!(server = %name, "server answers again");
}

/// A message was given up because of a bug; the client was told `incident`.
pub fn dropped(incident: &str, request: &str) {
    tracing::error!(
        incident,
        request = clean(request, FIELD),
        "a bug: a request was dropped and answered with an error"
    );
}

/// A configuration is in use.
pub fn config_reloaded(metrics: &Metrics, counts: ReloadCounts) {
    metrics.config_reloads.up();
    let ReloadCounts { added, removed, changed, unchanged, left_out } = counts;
    info!(added, removed, changed, unchanged, left_out, "configuration in use");
}

/// A configuration was refused and the last good one stays; one line per problem.
pub fn config_refused<P: Display>(metrics: &Metrics, problems: &[P], why: &impl Display) {
    metrics.config_refusals.up();
    for problem in problems {
        warn!(problem = %problem, "configuration problem");
    }
    warn!(error = %why, "configuration refused, the last good one stays in use");
}

/// The file is empty or gone and the last good configuration stays; `seen` is `empty` or `gone`.
pub fn config_absent(metrics: &Metrics, file: &std::path::Path, seen: &str) {
    metrics.config_refusals.up();
    warn!(file = %file.display(), seen, "configuration file cannot be used, the last good one stays in use");
}

/// Two items want one exposed name; `owner` keeps it.
pub fn collision(metrics: &Metrics, exposed: &str, owner: &ServerName, left_out: &ServerName) {
    metrics.collisions.up();
    warn!(name = clean(exposed, FIELD), owner = %owner, server = %left_out, "name is taken, item left out");
}

/// A server or a definition of one is not as it was locked; `what` is safe to show.
pub fn not_as_locked(metrics: &Metrics, server: &ServerName, what: &dyn Display) {
    metrics.not_as_locked.up();
    warn!(server = %server, what = %what, "not as it was locked");
}

/// Arguments of a tool cannot be checked; `why` is about its schema.
pub fn schema_unusable(name: &ServerName, tool: &str, why: &dyn Display) {
    warn!(server = %name, tool = clean(tool, FIELD), why = %why, "arguments are not checked, the schema cannot be used");
}

/// A client finished its handshake. `front` is `stdio` or `http`; `client` is what it calls itself.
pub fn client_connected(metrics: &Metrics, front: &str, client: &str, version: &str) {
    metrics.clients.up();
    metrics.clients_now.up();
    info!(front, client = clean(client, FIELD), version = clean(version, FIELD), "client connected");
}

/// A client went away.
pub fn client_left(metrics: &Metrics, front: &str) {
    metrics.clients_now.down();
    info!(front, "client left");
}

/// A client did not read what it asked for.
pub fn client_cut_off(metrics: &Metrics, front: &str, waiting_bytes: usize) {
    metrics.clients_cut_off.up();
    warn!(front, waiting_bytes, "client does not read and was cut off");
}

/// A legacy HTTP session was opened.
pub fn session_opened(metrics: &Metrics) {
    metrics.sessions.up();
    metrics.sessions_now.up();
    debug!(open = metrics.sessions_now.get(), "session opened");
}

/// A legacy HTTP session ended; `why` is `deleted`, `idle` or `shutdown`.
pub fn session_closed(metrics: &Metrics, why: &str) {
    metrics.sessions_now.down();
    debug!(why, open = metrics.sessions_now.get(), "session closed");
}
