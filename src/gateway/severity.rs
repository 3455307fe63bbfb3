//! Severities of log messages, and the least one that a client wants.
//!
//! What is done with messages is `notify.rs`, how servers are told is `logging.rs`.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// All of them, least first (RFC 5424 names, MCP `server/utilities/logging`).
pub(super) const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

const NO_LEVEL: usize = usize::MAX;

/// How severe `level` is; one that is not known is more severe than all others, so that nothing is lost.
#[must_use]
pub(super) fn severity(level: &str) -> usize {
    LEVELS.iter().position(|known| *known == level).unwrap_or(LEVELS.len())
}

/// The least severity wanted; none before `logging/setLevel`.
#[derive(Debug)]
pub(super) struct LeastLevel(AtomicUsize);

impl Default for LeastLevel {
    fn default() -> Self {
        Self(AtomicUsize::new(NO_LEVEL))
    }
}

impl LeastLevel {
    /// Sets it. `false` for a level that does not exist.
    pub(super) fn set(&self, level: &str) -> bool {
        let place = LEVELS.iter().position(|known| *known == level);
        if let Some(place) = place {
            self.0.store(place, Ordering::Relaxed);
        }
        place.is_some()
    }

    /// It, as a number.
    pub(super) fn get(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|place| *place != NO_LEVEL)
    }
}
