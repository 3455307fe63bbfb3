//! A server that nobody was logged in at is tried again when somebody has logged in, in whichever process.
//!
//! One look at the folder of logins each time; nothing of a login is read here.

use crate::config::model::Server;
use crate::downstream::handle::Shared;
use crate::downstream::handle::State;
use crate::wire::pending::Lost;
use std::sync::PoisonError;
use std::time::Duration;

/// How often it is looked whether somebody has logged in.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Shared {
    /// Remembers the login that a start is tried with.
    pub(super) fn note_login(&self, server: &Server) {
        let stamp = self.around.connector.login_stamp(server);
        *self.login.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
    }

    /// True when `state` is that of a server that wants a login, and the login is another one than it was tried with.
    pub(in crate::downstream) fn has_login_for(&self, state: &State) -> bool {
        wants_login(state) && {
            let tried = *self.login.lock().unwrap_or_else(PoisonError::into_inner);
            tried.is_some() && self.around.connector.login_stamp(&self.entry.borrow()) != tried
        }
    }
}

/// True when the last start failed for want of a login.
pub(super) fn wants_login(state: &State) -> bool {
    matches!(state, State::Failed { lost: Lost::Unauthorized(_), .. })
}
