//! Bounded waiting for a condition.
//!
//! It never waits for a fixed time.

use std::time::Duration;
use std::time::Instant;

/// How long a test waits for something before it fails: `MCP_MANIFOLD_TEST_PATIENCE` in seconds, 10 by default.
#[expect(clippy::disallowed_methods, reason = "a slow machine may ask for more patience")]
pub fn patience() -> Duration {
    let seconds = std::env::var("MCP_MANIFOLD_TEST_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(10))
}

/// The time of real processes.
#[expect(clippy::disallowed_methods, reason = "other processes cannot be paused")]
pub fn now() -> Instant {
    Instant::now()
}

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not within [`patience`].
pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
    assert!(within(patience(), condition), "not within {:?}: {what}", patience());
}

/// Whether `condition` comes to hold within `limit`.
pub fn within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = now() + limit;
    loop {
        if condition() {
            return true;
        }
        if now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
