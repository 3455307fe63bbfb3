//! The state of a gateway for people and programs.
//!
//! It only looks. Nothing in it can be used: ids are cut short, secrets were hidden before.

use crate::downstream::handle::ServerHandle;
use crate::downstream::status::Status;
use crate::gateway::core::Core;
use crate::gateway::session::Session;
use crate::gateway::snapshot::Snapshot;
use crate::gateway::standing::Configured;
use crate::gateway::standing::Reload;
use crate::protocol::version::Era;
use crate::telemetry::clean::clean;
use crate::telemetry::metric;
use indexmap::IndexMap;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// Sessions that are listed; there may be thousands.
const LISTED: usize = 1000;
/// Longest name of a client, in bytes.
const NAME: usize = 80;

/// One document; keys are stable, `schemaVersion` counts breaking changes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// Version of the gateway.
    pub version: &'static str,
    /// Its process.
    pub pid: u32,
    /// How long it has been running, in seconds.
    pub uptime_secs: u64,
    /// `ready`, or why it takes no requests.
    pub state: &'static str,
    /// The file, and what became of it.
    pub config: ConfigStatus,
    /// Tools of servers that are shown to clients.
    pub tools: usize,
    /// Prompts shown to clients.
    pub prompts: usize,
    /// Resources shown to clients.
    pub resources: usize,
    /// Requests of all clients that are not answered yet.
    pub requests: usize,
    /// Calls in flight on all servers, or waiting for one to start.
    pub in_flight: usize,
    /// Calls of modern clients that wait for their client to come back with an answer.
    pub parked: usize,
    /// Open `subscriptions/listen` requests of modern clients.
    pub listening: usize,
    /// Snapshots that a request or task still holds, the current one among them.
    pub live_snapshots: usize,
    /// Clients with a session.
    pub sessions: usize,
    /// These sessions, oldest first; the first thousand.
    pub session_list: Vec<SessionStatus>,
    /// The servers in use, in the order of the file.
    pub servers: IndexMap<String, Status>,
    /// Servers that left the file or were changed there, and finish their calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaving: Vec<Leaving>,
    /// Gateways beside this one, for clients for whom the file resolves otherwise, with what differs there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<ViewStatus>,
    /// Entries of the file that are not in use, with the reason.
    pub left_out: IndexMap<String, String>,
    /// Names that two servers want; who has it, who was left out.
    pub collisions: Vec<String>,
    /// Servers and definitions that are not as they were locked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_as_locked: Vec<String>,
    /// What was counted since the start.
    pub counters: metric::Snapshot,
}

/// The configuration in use.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigStatus {
    /// The file that is followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// How many configurations were put to use so far.
    pub generation: u64,
    /// What became of the file when it was last looked at: `used`, `refused` or `absent`.
    pub outcome: &'static str,
    /// How long ago that was, in seconds.
    pub ago_secs: u64,
    /// Why it is not in use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// One session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionStatus {
    /// The beginning of its id, or its number.
    pub id: String,
    /// `stdio`, `http`, `sse`, `websocket` or `program`.
    pub transport: &'static str,
    /// The era that its client speaks, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub era: Option<Era>,
    /// What its client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// How long it has been there, in seconds.
    pub age_secs: u64,
    /// How long its client was not heard, in seconds.
    pub idle_secs: u64,
    /// Requests that are not answered yet.
    pub in_flight: usize,
    /// Requests that it has made so far.
    pub requests: u64,
    /// Its gateway, when that stands beside this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
}

/// A server that finishes its calls.
#[derive(Debug, Serialize)]
pub struct Leaving {
    /// Its name; another one of that name may be in use.
    pub name: String,
    /// How it is.
    #[serde(flatten)]
    pub status: Status,
}

/// A gateway beside another.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewStatus {
    /// Its number, and the folder of the client for whom it was made.
    pub view: String,
    /// Its sessions, which are listed with the others.
    pub sessions: usize,
    /// Its servers, but for those that it shares with a gateway listed before.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub servers: IndexMap<String, Status>,
    /// Entries of the file that are not in use here, with the reason.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub left_out: IndexMap<String, String>,
}

/// Reads the status of `core`, and of those beside it.
#[must_use]
pub fn of(core: &Core) -> GatewayStatus {
    let snapshot = core.current();
    let (catalog, standing) = (&snapshot.catalog, core.standing());
    // A gateway beside the first speaks for itself alone.
    let beside = if core.label.is_none() { core.pool.beside(core) } else { Vec::new() };
    let all = || std::iter::once(core).chain(beside.iter().map(|other| &**other));
    let servers: IndexMap<String, Status> =
        snapshot.servers.iter().map(|(name, handle)| (name.to_string(), handle.status())).collect();
    let leaving = all().flat_map(|core| core.standing().leaving());
    let leaving: Vec<Leaving> = leaving
        .map(|handle| Leaving { name: handle.server().name.to_string(), status: handle.status() })
        .collect();
    let views = views(core, &beside);
    let every = servers.values().chain(leaving.iter().map(|one| &one.status));
    let every = every.chain(views.iter().flat_map(|view| view.servers.values()));
    let in_flight = every.map(|server| server.in_flight).sum();
    let mut sessions: Vec<_> = all().flat_map(of_sessions).collect();
    sessions.sort_by_key(|(_, session)| session.key());
    let listed = sessions.iter().take(LISTED);
    GatewayStatus {
        schema_version: 1,
        version: env!("CARGO_PKG_VERSION"),
        pid: std::process::id(),
        uptime_secs: standing.uptime().as_secs(),
        state: standing.unready().unwrap_or("ready"),
        config: config_status(standing.configured()),
        // Those of the gateway itself are no server's.
        tools: catalog.tools().filter(|tool| snapshot.server(&tool.route.server).is_some()).count(),
        prompts: catalog.prompts().len(),
        resources: catalog.resources().len(),
        requests: core.pool.loads.in_flight(),
        in_flight,
        parked: all().map(|core| core.current().parking.len()).sum(),
        listening: all().map(|core| core.subscribers.len()).sum(),
        live_snapshots: all().map(|core| core.standing().live_snapshots()).sum(),
        sessions: sessions.len(),
        session_list: listed.filter_map(|(view, session)| session_status(*view, session)).collect(),
        servers,
        leaving,
        views,
        left_out: left_out(&snapshot),
        collisions: catalog.collisions().iter().map(ToString::to_string).collect(),
        not_as_locked: not_as_locked(&snapshot),
        counters: core.around.metrics.snapshot(),
    }
}

/// True while anybody waits for an answer, at `core` or beside it. It looks at counters alone.
#[must_use]
pub fn is_busy(core: &Core) -> bool {
    let requests = core.pool.loads.in_flight();
    let subscriptions = |core: &Core| core.subscribers.len();
    requests > 0 && {
        let beside: usize = core.pool.beside(core).iter().map(|core| subscriptions(core)).sum();
        requests > beside + subscriptions(core)
    }
}

fn of_sessions(core: &Core) -> impl Iterator<Item = (Option<&str>, Arc<Session>)> {
    core.sessions().into_iter().map(|session| (core.label.as_deref(), session))
}

fn not_as_locked(snapshot: &Snapshot) -> Vec<String> {
    let mut all: Vec<_> = snapshot.catalog.lock().alarming().map(ToString::to_string).collect();
    all.sort_unstable();
    all.truncate(LISTED);
    all
}

fn left_out(snapshot: &Snapshot) -> IndexMap<String, String> {
    snapshot.config.left_out.iter().map(|out| (out.name.clone(), out.reason.clone())).collect()
}

fn views(core: &Core, beside: &[Arc<Core>]) -> Vec<ViewStatus> {
    let mut known: Vec<ServerHandle> = core.current().servers.values().cloned().collect();
    let mut views = Vec::with_capacity(beside.len());
    for core in beside {
        let snapshot = core.current();
        let mut servers = IndexMap::new();
        for (name, handle) in &snapshot.servers {
            if !known.iter().any(|other| other.is_same(handle)) {
                servers.insert(name.to_string(), handle.status());
                known.push(handle.clone());
            }
        }
        let view = core.label.clone().unwrap_or_default();
        views.push(ViewStatus {
            view,
            sessions: core.sessions().len(),
            servers,
            left_out: left_out(&snapshot),
        });
    }
    views
}

fn config_status(configured: Configured) -> ConfigStatus {
    let Configured { file, generation, last } = configured;
    let (ago, last) = last.unwrap_or((Duration::ZERO, Reload::Absent("was not looked at")));
    let (outcome, problems) = match last {
        Reload::Used => ("used", Vec::new()),
        Reload::Refused(problems) => ("refused", problems),
        Reload::Absent(seen) => ("absent", vec![format!("the file {seen}")]),
    };
    let file = file.map(|file| file.display().to_string());
    ConfigStatus { file, generation, outcome, ago_secs: ago.as_secs(), problems }
}

/// `None` for a session of one request.
fn session_status(view: Option<&str>, session: &Session) -> Option<SessionStatus> {
    let presence = session.presence()?;
    let client = session.client().or_else(|| presence.modern_client().cloned());
    Some(SessionStatus {
        id: presence.id().map_or_else(|| format!("#{}", session.key()), str::to_owned),
        transport: presence.transport(),
        era: presence.era(session.version()),
        client: client.map(|client| clean(format!("{} {}", client.name, client.version).trim(), NAME)),
        age_secs: presence.age().as_secs(),
        idle_secs: presence.idle().as_secs(),
        in_flight: session.in_flight(),
        requests: presence.requests(),
        view: view.map(str::to_owned),
    })
}
