//! What all servers of one gateway share: who connects, who listens, and the bounds.
//!
//! It holds and does nothing; `task.rs` uses it.

use crate::downstream::connect::Connect;
use crate::downstream::connect::LinkLimits;
use crate::downstream::link::Listener;
use crate::downstream::survey::ListLimits;
use crate::telemetry::metric::Metrics;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What all servers of a gateway share.
#[derive(Clone)]
pub struct Surroundings {
    /// Makes connections.
    pub connector: Arc<dyn Connect>,
    /// Hears what servers say.
    pub listener: Arc<dyn Listener>,
    /// Bounds the starts under way at once.
    pub starts: Arc<Semaphore>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Bounds of connections.
    pub limits: LinkLimits,
    /// Bounds of lists.
    pub lists: ListLimits,
    /// Connections of one server that belong to one session, caller or call each.
    pub private_connections: usize,
}
