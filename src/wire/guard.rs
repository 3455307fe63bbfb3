//! A panic over one message must not take a connection down.
//!
//! Whoever owes an answer for that message gives it while the stack unwinds: exchanges and waiters answer when dropped.

use futures_util::FutureExt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::time::Duration;

/// Before work begins again that panicked, so that one that always does costs little.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs `work`; a panic in it is logged and over. State behind locks is used as it was left: every lock here guards
/// single insertions and removals.
pub fn guarded(what: &'static str, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!(what, "a bug: this message was given up, the connection goes on");
    }
}

/// Runs `work` to its end; `None` when it panicked, which is logged.
pub fn unharmed<T>(what: &'static str, work: impl Future<Output = T>) -> impl Future<Output = Option<T>> {
    // No `async fn`: it would hold the work twice.
    AssertUnwindSafe(work).catch_unwind().map(move |end| {
        if end.is_err() {
            tracing::error!(what, "a bug: this was given up");
        }
        end.ok()
    })
}

/// Runs work that never ends, again should it panic: what it does for everybody must go on.
pub async fn for_ever<F: Future<Output = ()>>(what: &'static str, mut work: impl FnMut() -> F) {
    while unharmed(what, work()).await.is_none() {
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::for_ever;
    use super::guarded;
    use super::unharmed;
    use std::cell::Cell;

    #[test]
    fn a_panic_ends_here() {
        let mut done = false;
        guarded("test", || panic!("planted"));
        guarded("test", || done = true);
        assert!(done);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_panics_is_over_or_begins_again() {
        assert_eq!(unharmed("test", async { 7 }).await, Some(7));
        assert_eq!(unharmed::<()>("test", async { panic!("planted") }).await, None);
        let runs = Cell::new(0);
        let work = || async {
            runs.set(runs.get() + 1);
            assert!(runs.get() > 2, "planted");
        };
        for_ever("test", work).await;
        assert_eq!(runs.get(), 3);
    }
}
