//! What is written down of a call: who, what, where, what was decided, how it ended.
//!
//! Only requests that lead somewhere are written down, not lists. Values of arguments are left out unless the file asks
//! for them; results never come here.

mod asked;
pub mod refused;
pub mod shape;
pub mod verdict;

use crate::auth::caller::Caller;
use crate::catalog::Catalog;
use crate::catalog::route::Route;
use crate::config::model::audit::AuditSettings;
use crate::gateway::audit::refused::RefusedClient;
use crate::gateway::audit::verdict::Decision;
use crate::gateway::audit::verdict::Ending;
use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::secret::hex::hex;
use crate::telemetry::audit::AuditLog;
use crate::telemetry::audit::time::rfc3339;
use crate::telemetry::clean::seen_json;
use crate::wire::mailbox::Kind;
use crate::wire::members::Members;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use tokio::time::Instant;

/// The audit log of a gateway.
#[derive(Debug)]
pub struct Audit {
    settings: AuditSettings,
    log: AuditLog,
    /// Before the numbers of requests, so that those of two runs differ.
    run: String,
    last: AtomicU64,
}

/// A request that is written down when it ends.
#[derive(Debug)]
pub struct Entry {
    audit: Arc<Audit>,
    began: Instant,
    time: SystemTime,
    caller: Caller,
    method: String,
    name: Option<String>,
    arguments: Option<Box<RawValue>>,
    route: Option<Route>,
    decision: Decision,
    ending: Option<Ending>,
}

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    request: String,
    caller: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    decision: Decision,
    outcome: Ending,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a RawValue>,
}

/// Has a request written down when it ends. `None` when it was refused, because that cannot be done.
pub(super) fn begin(
    snapshot: &Snapshot,
    incoming: &Incoming<'_>,
    mut exchange: Exchange,
) -> Option<Exchange> {
    let Some(audit) = snapshot.audit.as_ref().filter(|_| exchange.entry().is_none()) else {
        return Some(exchange);
    };
    let Some(entry) = Entry::of(audit, &snapshot.catalog, exchange.session().caller(), incoming) else {
        return Some(exchange);
    };
    if !audit.admits() {
        exchange.fail(&Failure::no_audit());
        return None;
    }
    exchange.write_down(entry);
    Some(exchange)
}

impl Core {
    /// Writes down a request that was refused because there are too many.
    pub(super) fn limited(&self, caller: &Caller, incoming: &Incoming<'_>, failure: &Failure) {
        let current = self.current();
        let audit = current.audit.as_ref();
        if let Some(mut entry) = audit.and_then(|audit| Entry::of(audit, &current.catalog, caller, incoming))
        {
            entry.decided(Decision::Limited);
            entry.answered(Kind::Error(failure.code), b"");
        }
    }

    /// Writes down that the HTTP front refused a request, where such things are written down.
    pub fn refused_client(&self, refused: &RefusedClient<'_>) {
        if let Some(audit) = &self.current().audit {
            audit.refused(refused);
        }
    }
}

impl Audit {
    /// The HTTP front refused a request.
    pub fn refused(&self, refused: &RefusedClient<'_>) {
        self.log.count(&refused.kind(), || refused.say());
    }

    /// Opens the log, and writes a line there that says so.
    #[must_use]
    pub fn open(settings: AuditSettings) -> Self {
        let mut bytes = [0u8; 4];
        // Without randomness it is a poorer name, and still one.
        let _ = getrandom::fill(&mut bytes);
        let run = hex(&bytes);
        let time = rfc3339(SystemTime::now());
        let version = env!("CARGO_PKG_VERSION");
        let opening = json!({"time": time, "event": "opened", "run": run, "version": version}).to_string();
        let log = AuditLog::open(settings.place.clone(), &opening);
        Self { log, settings, run, last: AtomicU64::new(0) }
    }

    /// The settings it was opened with.
    #[must_use]
    pub fn settings(&self) -> &AuditSettings {
        &self.settings
    }

    /// False while calls must be refused, because nothing can be written down.
    #[must_use]
    pub fn admits(&self) -> bool {
        !self.settings.refuse || self.log.is_writable()
    }

    /// Waits until everything is written, not for ever. It blocks.
    pub fn flush(&self) {
        self.log.flush();
    }

    fn write(&self, line: &impl Serialize) {
        // Such a line is made of texts and numbers: this cannot fail.
        self.log.write(seen_json(&serde_json::to_string(line).unwrap_or_default()));
    }

    fn number(&self) -> String {
        format!("{}-{}", self.run, self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Entry {
    /// Of a request that was just taken; `None` for one that is not written down.
    #[must_use]
    pub fn of(
        audit: &Arc<Audit>,
        catalog: &Catalog,
        caller: &Caller,
        incoming: &Incoming<'_>,
    ) -> Option<Box<Self>> {
        let is_call = matches!(
            incoming.method,
            "tools/call" | "prompts/get" | "resources/read" | "resources/subscribe" | "completion/complete"
        );
        if !is_call && !incoming.method.starts_with("tasks/") {
            return None;
        }
        let whole = audit.settings.values;
        Some(Box::new(Self {
            audit: Arc::clone(audit),
            began: Instant::now(),
            time: SystemTime::now(),
            caller: caller.clone(),
            method: incoming.method.to_owned(),
            name: asked::name(incoming, whole),
            arguments: asked::arguments(incoming, catalog, whole),
            route: None,
            decision: Decision::Denied,
            ending: None,
        }))
    }

    /// It leads here, and may be made.
    pub fn allowed(&mut self, route: &Route) {
        self.leads_to(route);
        self.decision = Decision::Allowed;
    }

    /// It would lead here.
    pub fn leads_to(&mut self, route: &Route) {
        self.route = Some(route.clone());
    }

    /// It is not made, for another reason than that it may not be.
    pub fn decided(&mut self, decision: Decision) {
        self.decision = decision;
    }

    /// How it will end, where its answer does not say.
    pub fn ends(&mut self, ending: Ending) {
        self.ending = Some(ending);
    }

    /// It was answered: writes it down.
    pub fn answered(mut self, kind: Kind, raw: &[u8]) {
        let (ending, code) = match kind {
            Kind::Error(code) => (Ending::Error, Some(code)),
            _ if self.method == "tools/call" && is_tool_error(raw) => (Ending::ToolError, None),
            _ => (Ending::Result, None),
        };
        let ending = self.ending.take().unwrap_or(ending);
        self.write(ending, code);
    }

    /// It needs no answer any more: writes it down.
    pub fn forgotten(self) {
        self.write(Ending::Cancelled, None);
    }

    fn write(self, outcome: Ending, code: Option<i32>) {
        let ms = self.began.elapsed().as_millis();
        let identity = self.caller.identity();
        let whole = self.audit.settings.values;
        let tool = self.route.as_ref().map(|route| asked::shown(&route.own_name, whole));
        self.audit.write(&Line {
            time: rfc3339(self.time),
            request: self.audit.number(),
            caller: self.caller.name(),
            principal: identity.map(|identity| &*identity.principal),
            team: identity.and_then(|identity| identity.team.as_deref()),
            organisation: identity.and_then(|identity| identity.organisation.as_deref()),
            agent: identity.and_then(|identity| identity.agent.as_deref()),
            method: &self.method,
            name: self.name.as_deref(),
            server: self.route.as_ref().map(|route| route.server.as_str()),
            tool: tool.as_deref(),
            decision: self.decision,
            outcome,
            code,
            ms: u64::try_from(ms).unwrap_or(u64::MAX),
            arguments: self.arguments.as_deref(),
        });
    }
}

fn is_tool_error(result: &[u8]) -> bool {
    let members = std::str::from_utf8(result).ok().and_then(|text| Members::parse_with_duplicates(text).ok());
    members.is_some_and(|members| members.get("isError").is_some_and(|raw| raw.get() == "true"))
}
