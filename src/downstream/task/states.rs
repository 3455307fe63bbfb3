//! From one state of a server to the next, with those who wait for it.
//!
//! When that happens is decided in `task.rs`.

use crate::downstream::handle::Ready;
use crate::downstream::handle::Shared;
use crate::downstream::handle::State;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Before a server is started again whose task panicked.
const AFTER_A_BUG: Duration = Duration::from_secs(1);

impl Shared {
    /// Its task has panicked: who waits is told, and the next call starts it anew.
    pub(super) fn break_off(&self) {
        let reason: Arc<str> = "was given up because of a bug in the gateway".into();
        let lost = Lost::NotStarted(format!("server `{}` {reason}", self.name).into());
        let until = Instant::now() + AFTER_A_BUG;
        let before = self.set(State::Failed { lost: lost.clone(), reason: Arc::clone(&reason), until });
        if let State::Ready(Ready { link, .. }) | State::Draining(Some(Ready { link, .. })) = &before {
            for waiter in link.pending().close(&reason) {
                waiter.answer(Answer::Lost(Lost::Closed(Arc::clone(&reason))));
            }
        }
        answer_waiting(before, &lost);
    }

    /// Puts the server into `state`; the state before.
    pub(super) fn set(&self, state: State) -> State {
        std::mem::replace(&mut *self.lock(), state)
    }
}

/// Tells everybody who waited for the start that was under way in `state`.
pub(super) fn answer_waiting(state: State, lost: &Lost) {
    if let State::Starting { waiting, .. } = state {
        waiting.into_iter().for_each(|parked| parked.waiter.answer(Answer::Lost(lost.clone())));
    }
}
