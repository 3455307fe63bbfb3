//! What is remembered of a server that asks its client for something: with its lists, so that the next start knows.
//!
//! What follows from it is decided by who calls the server.

use crate::catalog::lists::ServerLists;
use crate::downstream::handle::ServerHandle;
use crate::downstream::handle::Shared;
use crate::protocol::version::Era;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

impl Shared {
    /// Makes `lists` what is known, with whether the server asks. A server that is modern now asks inside its results.
    pub(super) fn publish(&self, mut lists: ServerLists) -> Arc<ServerLists> {
        if lists.era == Era::Modern {
            self.asks.store(false, Ordering::Relaxed);
        }
        if !lists.incomplete {
            self.history.listed(SystemTime::now());
        }
        self.lists.send_modify(|known| {
            lists.asks = self.asks.load(Ordering::Relaxed);
            *known = Some(Arc::new(lists));
        });
        self.lists.borrow().clone().expect("it was put there, and nobody takes it away")
    }
}

impl ServerHandle {
    /// True when it was seen asking its client for something.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.shared().asks.load(Ordering::Relaxed)
    }

    /// Notes that the server asks its client for something. `true` when that is news; the lists say so from here on.
    pub fn note_asking(&self) -> bool {
        let shared = self.shared();
        if shared.asks.swap(true, Ordering::Relaxed) {
            return false;
        }
        shared.lists.send_if_modified(|lists| {
            let known = lists.as_ref().map(|known| ServerLists { asks: true, ..(**known).clone() });
            *lists = known.map(Arc::new);
            lists.is_some()
        });
        true
    }
}
