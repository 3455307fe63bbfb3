//! Who uses a server: several gateways of one process may, each with an entry of its own that resolves equally.
//!
//! It does not count them: when the last is gone is known in `gateway/pool.rs`.

use crate::config::model::Server;
use crate::downstream::handle::ServerHandle;
use crate::downstream::handle::State;
use crate::downstream::link::Listener;
use crate::downstream::updates::Updates;
use crate::wire::pending::Owner;
use std::sync::Arc;
use std::time::Duration;

/// A gateway, by its number in this process.
pub type User = u64;

impl ServerHandle {
    /// The same server for another gateway, whose entry it can serve.
    #[must_use]
    pub fn used_by(&self, user: User, server: Arc<Server>) -> Self {
        let differs = **self.shared().entry.borrow() != *server;
        if differs {
            self.shared().entry.send_replace(Arc::clone(&server));
        }
        self.seen_as(user, server)
    }

    /// True when both lead to the same server.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.shared(), other.shared())
    }

    /// True when `listener` hears it.
    #[must_use]
    pub fn is_heard_by(&self, listener: &impl Listener) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.shared().listener), std::ptr::from_ref(listener))
    }

    /// Somebody wants to hear of updates of the resource `uri`: it is started for that, or they are refused at once.
    pub fn want_updates(&self, uri: &str) {
        self.shared().updates.want(self.user(), uri);
        if self.want().is_none()
            && let State::Failed { reason, .. } = &*self.shared().lock()
        {
            self.shared().updates.refuse_awaited(reason);
        }
    }

    /// Nobody of this gateway wants to hear of updates of `uri` any more.
    pub fn unwant_updates(&self, uri: &str) {
        self.shared().updates.unwant(self.user(), uri);
    }

    /// The resources whose updates are wanted.
    #[must_use]
    pub fn updates(&self) -> &Updates {
        &self.shared().updates
    }

    /// This gateway uses it no longer, others do. Connections of its `sessions` have `drain` to finish their calls.
    pub fn let_go(&self, sessions: impl IntoIterator<Item = Owner>, drain: Duration) {
        self.shared().updates.leave(self.user());
        sessions.into_iter().for_each(|session| self.release(session, drain));
    }
}
