//! The state of one server, for people and programs.
//!
//! It only looks.

use crate::downstream::handle::ServerHandle;
use crate::downstream::handle::State;
use crate::protocol::version::Era;

/// The state of a server, for people and programs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `idle`, `starting`, `ready`, `failed` or `draining`.
    pub state: &'static str,
    /// The process id of a running child.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Seconds it has been ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_secs: Option<u64>,
    /// Calls in flight or waiting.
    pub in_flight: usize,
    /// Connections that belong to one session, caller or call each.
    #[serde(skip_serializing_if = "is_zero")]
    pub private_connections: usize,
    /// True when it was seen asking its client for something.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The era it speaks, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub era: Option<Era>,
    /// Its tools, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<usize>,
}

impl ServerHandle {
    /// Where it is in its life.
    #[must_use]
    pub fn status(&self) -> Status {
        let lists = self.lists();
        let mut status = Status {
            state: "idle",
            pid: None,
            ready_secs: None,
            in_flight: 0,
            private_connections: 0,
            asks: self.asks(),
            reason: None,
            era: lists.as_ref().map(|lists| lists.era),
            tools: lists.map(|lists| lists.tools.len()),
        };
        match &*self.shared().lock() {
            State::Idle => {}
            State::Starting { waiting, .. } => (status.state, status.in_flight) = ("starting", waiting.len()),
            State::Ready(ready) => {
                status.state = "ready";
                status.pid = ready.pid;
                status.ready_secs = Some(ready.since.elapsed().as_secs());
                status.in_flight = ready.link.pending().len();
                status.era = Some(ready.link.era());
            }
            State::Failed { reason, .. } => {
                (status.state, status.reason) = ("failed", Some(reason.to_string()))
            }
            State::Draining { link } => {
                status.state = "draining";
                status.in_flight = link.as_ref().map_or(0, |link| link.pending().len());
            }
        }
        let private = self.shared().privates.all();
        status.private_connections = private.len();
        status.in_flight += private.iter().map(Self::in_flight).sum::<usize>();
        status
    }

    /// Calls in flight or waiting on this connection alone.
    fn in_flight(&self) -> usize {
        match &*self.shared().lock() {
            State::Idle | State::Failed { .. } | State::Draining { link: None } => 0,
            State::Starting { waiting, .. } => waiting.len(),
            State::Ready(ready) => ready.link.pending().len(),
            State::Draining { link: Some(link) } => link.pending().len(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}
