//! Default values of an entry.
//!
//! Those of the `gateway` section stand with its types.

use std::time::Duration;

/// [`crate::config::model::Server::call_timeout`].
pub const CALL_TIMEOUT: Duration = Duration::from_secs(600);
/// [`crate::config::model::Server::max_call_time`].
pub const MAX_CALL_TIME: Duration = Duration::from_secs(3600);
/// [`crate::config::model::Server::stuck_after`].
pub const STUCK_AFTER: Duration = Duration::from_secs(5);
/// [`crate::config::model::Server::start_timeout`].
pub const START_TIMEOUT: Duration = Duration::from_secs(60);
/// [`crate::config::model::Server::list_timeout`].
pub const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// [`crate::config::model::Server::idle_timeout`].
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// [`crate::config::model::Server::max_in_flight`].
pub const MAX_IN_FLIGHT: usize = 256;
