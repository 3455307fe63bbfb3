//! The state of one server, for people and programs.
//!
//! It only looks. Numbers of seconds are whole, and count from now.

use crate::downstream::handle::ServerHandle;
use crate::downstream::handle::State;
use crate::downstream::private::Who;
use crate::downstream::veil::Veil;
use crate::protocol::version::Era;
use crate::wire::pending::Lost;
use serde::Serialize;
use std::time::Duration;
use std::time::SystemTime;
use tokio::time::Instant;

/// The state of a server, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `idle`, `starting`, `ready`, `failed` or `draining`.
    pub state: &'static str,
    /// How long it has been in this state, in seconds.
    pub since_secs: u64,
    /// Why it is in it, where there is something to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// True when somebody has to log in first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub needs_login: bool,
    /// From when on a call has a failed server started again, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_secs: Option<u64>,
    /// The process id of a running child.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Attempts to start it.
    pub starts: u64,
    /// Those after a start that failed or a connection that ended by itself.
    pub restarts: u64,
    /// How its connection ended by itself the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_end: Option<LastEnd>,
    /// Set while calls are refused because they kept failing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerStatus>,
    /// Calls in flight or waiting, those of single clients included.
    pub in_flight: usize,
    /// Connections that belong to one session, caller or call each.
    #[serde(skip_serializing_if = "is_zero")]
    pub private_connections: usize,
    /// These connections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub private: Vec<Private>,
    /// True when it was seen asking its client for something.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
    /// The era it speaks, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub era: Option<Era>,
    /// Its tools, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<usize>,
    /// How long ago its lists were read, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog_secs: Option<u64>,
    /// The last lines of its stderr, oldest first; of the process before, until the next one is ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stderr: Vec<String>,
}

/// How a connection ended by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastEnd {
    /// In words.
    pub how: String,
    /// How long ago, in seconds.
    pub ago_secs: u64,
}

/// An open breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerStatus {
    /// True: a closed one is not shown.
    pub open: bool,
    /// Failures in a row.
    pub failures: u32,
    /// The last one, in words.
    pub reason: String,
    /// How long calls have been refused, in seconds.
    pub since_secs: u64,
    /// Until one is tried, in seconds; 0 while one is.
    pub retry_secs: u64,
}

/// A connection that is not shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Private {
    /// Whose it is: `session`, `caller` or `call`.
    pub of: &'static str,
    /// How it is.
    #[serde(flatten)]
    pub status: Box<Status>,
}

impl ServerHandle {
    /// Where it is in its life.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut status = self.status_alone();
        let lists = self.lists();
        status.asks = self.asks();
        status.era = status.era.or(lists.as_ref().map(|lists| lists.era));
        status.tools = lists.map(|lists| lists.tools.len());
        status.private = self.shared().privates.all().iter().map(Self::private_status).collect();
        status.private_connections = status.private.len();
        status.in_flight += status.private.iter().map(|private| private.status.in_flight).sum::<usize>();
        status
    }

    /// True when it was stopped and nothing of it is left.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared().stopped.is_cancelled()
    }

    /// Its lists are those of this time.
    pub fn note_listed(&self, when: SystemTime) {
        self.shared().history.listed(when);
    }

    fn private_status(&self) -> Private {
        let of = match self.key().map(|key| &key.who) {
            Some(Who::Call(..)) => "call",
            Some(Who::Caller(_)) => "caller",
            Some(Who::Session(_)) | None => "session",
        };
        Private { of, status: Box::new(self.status_alone()) }
    }

    /// Of this connection alone.
    fn status_alone(&self) -> Status {
        let seen = self.shared().history.seen();
        let age = |when: SystemTime| SystemTime::now().duration_since(when).unwrap_or_default().as_secs();
        let mut status = Status {
            state: "idle",
            since_secs: seen.since.elapsed().as_secs(),
            reason: seen.reason.map(|reason| reason.to_string()),
            needs_login: false,
            retry_secs: None,
            pid: None,
            starts: seen.starts,
            restarts: seen.restarts,
            last_end: seen
                .ended
                .map(|(how, when)| LastEnd { how: how.to_string(), ago_secs: when.elapsed().as_secs() }),
            breaker: self.breaker_status(),
            in_flight: 0,
            private_connections: 0,
            private: Vec::new(),
            asks: false,
            era: None,
            tools: None,
            catalog_secs: seen.listed.map(age),
            stderr: seen.stderr,
        };
        self.read_state(&mut status);
        status
    }

    fn breaker_status(&self) -> Option<BreakerStatus> {
        let open = self.shared().breaker.shown()?;
        Some(BreakerStatus {
            open: true,
            failures: open.failures,
            reason: Veil::of(self.server()).hide(open.reason),
            since_secs: open.since.as_secs(),
            retry_secs: ceiling(open.retry),
        })
    }

    fn read_state(&self, status: &mut Status) {
        match &*self.shared().lock() {
            State::Idle => {}
            State::Starting { waiting, since } => {
                status.state = "starting";
                (status.since_secs, status.reason) = (since.elapsed().as_secs(), None);
                status.in_flight = waiting.len();
            }
            // It ended, and what is left of it is being cleared away.
            State::Ready(ready) if ready.link.pending().is_closed() => status.state = "draining",
            State::Ready(ready) => {
                (status.state, status.pid) = ("ready", ready.pid);
                (status.since_secs, status.reason) = (ready.since.elapsed().as_secs(), None);
                status.in_flight = ready.link.pending().len();
                status.era = Some(ready.link.era());
            }
            State::Failed { lost, reason, until } => {
                (status.state, status.reason) = ("failed", Some(reason.to_string()));
                status.needs_login = matches!(lost, Lost::Unauthorized(_));
                let left = until.saturating_duration_since(Instant::now());
                status.retry_secs = Some(ceiling(left));
            }
            State::Draining(ready) => {
                status.state = "draining";
                let Some(ready) = ready else { return };
                (status.pid, status.era) = (ready.pid, Some(ready.link.era()));
                status.in_flight = ready.link.pending().len();
            }
        }
    }
}

/// Whole seconds after which `left` is over.
fn ceiling(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}
