//! The HTTP front, as the `gateway` section has it.
//!
//! The address is no setting of the file: it is an argument of the command.

use std::time::Duration;

/// The HTTP front.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSettings {
    /// `Host` values accepted besides loopback ones; without a port any port is meant.
    pub allowed_hosts: Vec<String>,
    /// `Origin` values accepted, `scheme://host[:port]`; none by default (requests without `Origin` pass).
    pub allowed_origins: Vec<String>,
    /// Longest time for the header of a request.
    pub header_timeout: Duration,
    /// Longest time for the body of a request.
    pub body_timeout: Duration,
    /// Idle time after which a legacy session is forgotten.
    pub session_idle: Duration,
    /// Legacy sessions at once.
    pub max_sessions: usize,
    /// Legacy sessions at once of one caller who is known.
    pub max_sessions_per_caller: usize,
    /// Connections at once.
    pub max_connections: usize,
    /// Bytes of events that each stream of a legacy session keeps after they were sent, for a client that resumes it.
    pub replay_bytes: usize,
    /// The transport of 2024-11-05 is served too: `/sse`.
    pub sse: bool,
    /// WebSockets are served too: `/ws`.
    pub websocket: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            session_idle: Duration::from_secs(3600),
            max_sessions: 10_000,
            max_sessions_per_caller: 1_000,
            max_connections: 4096,
            replay_bytes: 1 << 20,
            sse: false,
            websocket: false,
        }
    }
}
