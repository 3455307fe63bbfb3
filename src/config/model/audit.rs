//! `gateway.audit`: where calls and decisions are written down.
//!
//! It holds what the file says; `gateway/audit.rs` writes.

use crate::telemetry::audit::place::Place;

/// What is written down, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// The file, and how it grows.
    pub place: Place,
    /// Arguments are written with their values; otherwise only their names and types are.
    pub values: bool,
    /// Calls are refused while nothing can be written; otherwise they go on, and what is missing is counted.
    pub refuse: bool,
}
