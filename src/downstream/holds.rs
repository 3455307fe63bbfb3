//! Why a server without calls is not idle: work that goes on there and that somebody will ask for.
//!
//! Each reason has an end, so that a server which never says that it is done is stopped all the same.

use crate::downstream::handle::ServerHandle;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use tokio::time::Instant;

/// Reasons, by name, with their ends.
#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<HashMap<Box<str>, Instant>>);

impl Holds {
    /// True while there is one.
    pub(super) fn any(&self) -> bool {
        let mut holds = self.lock();
        if !holds.is_empty() {
            let now = Instant::now();
            holds.retain(|_, end| *end > now);
        }
        !holds.is_empty()
    }

    /// A new process knows nothing of what the one before was doing.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerHandle {
    /// Does not stop it for being idle before `until`, because of `reason`.
    pub fn keep_running(&self, reason: &str, until: Instant) {
        self.shared().holds.lock().insert(reason.into(), until);
    }

    /// `reason` no longer holds.
    pub fn let_rest(&self, reason: &str) {
        self.shared().holds.lock().remove(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_reason_holds_until_its_end() {
        let holds = Holds::default();
        assert!(!holds.any());
        holds.lock().insert("t".into(), Instant::now() + Duration::from_secs(1));
        assert!(holds.any());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!holds.any());
    }
}
