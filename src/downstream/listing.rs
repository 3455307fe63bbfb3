//! What is known of the lists of a server, and waiting for them.
//!
//! Reading them is `survey.rs`, when is `task.rs`.

use crate::catalog::lists::ServerLists;
use crate::downstream::handle::ServerHandle;
use crate::downstream::handle::State;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

impl ServerHandle {
    /// What is known of its lists.
    #[must_use]
    pub fn lists(&self) -> Option<Arc<ServerLists>> {
        self.shared().lists.borrow().clone()
    }

    /// Since when its lists have been on their way; `None` when they are known or nobody is reading them.
    #[must_use]
    pub fn coming_since(&self) -> Option<Instant> {
        if self.lists().is_some() {
            return None;
        }
        match &*self.shared().lock() {
            State::Starting { since, .. } => Some(*since),
            State::Ready(ready) => Some(ready.since),
            State::Idle | State::Failed { .. } | State::Draining(_) => None,
        }
    }

    /// True when it could not be started the last time, so that there is little hope in waiting for the next.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.shared().in_doubt.load(Ordering::Relaxed)
    }

    /// Waits until its lists are known, or it is clear that they will not be soon.
    pub async fn lists_or_failure(&self) {
        let mut lists = self.shared().lists.subscribe();
        loop {
            if lists.borrow_and_update().is_some() || self.has_failed() {
                return;
            }
            tokio::select! {
                _ = lists.changed() => {}
                () = self.shared().stopped.cancelled() => return,
            }
        }
    }

    /// Has its lists read again, if it is running.
    pub fn relist(&self) {
        self.shared().relist.notify_one();
    }
}
