//! A server that nobody was logged in at is tried again when somebody has logged in, in whichever process.
//!
//! One look at the folder of logins each time; nothing of a login is read here.

use crate::auth::oauth::folder::Stamp;
use crate::auth::oauth::offer::Asked;
use crate::auth::oauth::offer::Offer;
use crate::config::model::Server;
use crate::downstream::handle::ServerHandle;
use crate::downstream::handle::Shared;
use crate::downstream::handle::State;
use crate::wire::pending::Lost;
use std::sync::Arc;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

/// How often it is looked whether somebody has logged in.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl ServerHandle {
    /// The principal whose login this connection shows; none where it is the gateway's.
    #[must_use]
    pub fn login_of_caller(&self) -> Option<Arc<str>> {
        self.key()?.personal.as_deref()?.login(self.server())
    }

    /// A page on which a caller can log in; `None` where nobody can, or too many do.
    #[must_use]
    pub fn offer_login(&self, asked: Asked) -> Option<Offer> {
        self.shared().around.connector.offer_login(asked)
    }
}

impl Shared {
    /// Remembers the login that a start is tried with.
    pub(super) fn note_login(&self, server: &Server) {
        let stamp = self.login_stamp(server);
        *self.login.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
    }

    /// True when `state` is that of a server that wants a login, and the login is another one than it was tried with.
    pub(in crate::downstream) fn has_login_for(&self, state: &State) -> bool {
        wants_login(state) && {
            let tried = *self.login.lock().unwrap_or_else(PoisonError::into_inner);
            tried.is_some() && self.login_stamp(&self.entry.borrow()) != tried
        }
    }

    /// The state, to be used now: a server that wanted a login which there is by now may be tried at once.
    pub(in crate::downstream) fn lock_with_login(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        if self.has_login_for(&state) {
            *state = State::Idle;
        }
        state
    }

    /// Of the login that this connection shows.
    fn login_stamp(&self, server: &Server) -> Option<Stamp> {
        let personal = self.own.as_ref().and_then(|own| own.key.personal.as_deref());
        let whose = personal.and_then(|personal| personal.login(server));
        self.around.connector.login_stamp(server, whose.as_deref())
    }
}

/// True when the last start failed for want of a login.
pub(super) fn wants_login(state: &State) -> bool {
    matches!(state, State::Failed { lost: Lost::Unauthorized(_), .. })
}
