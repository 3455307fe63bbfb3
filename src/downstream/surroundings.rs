//! What all servers share: who connects, the counters, and the bounds.
//!
//! It holds and does nothing; `task.rs` uses it.

use crate::downstream::connect::Connect;
use crate::downstream::connect::LinkLimits;
use crate::downstream::survey::ListLimits;
use crate::telemetry::metric::Metrics;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What all servers share.
#[derive(Clone)]
pub struct Surroundings {
    /// Makes connections.
    pub connector: Arc<dyn Connect>,
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
