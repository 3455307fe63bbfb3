//! A panic over one message must not take a connection down.
//!
//! Whoever owes an answer for that message gives it while the stack unwinds: exchanges and waiters answer when dropped.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

/// Runs `work`; a panic in it is logged and over. State behind locks is used as it was left: every lock here guards
/// single insertions and removals.
pub fn guarded(what: &'static str, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!(what, "a bug: this message was given up, the connection goes on");
    }
}

#[cfg(test)]
mod tests {
    use super::guarded;

    #[test]
    fn a_panic_ends_here() {
        let mut done = false;
        guarded("test", || panic!("planted"));
        guarded("test", || done = true);
        assert!(done);
    }
}
