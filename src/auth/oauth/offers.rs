//! The logins that are offered now: one for each caller and server, and not many of them.
//!
//! What a page does is `offer.rs`; who may be offered one is not decided here.

use crate::auth::caller::Caller;
use crate::auth::oauth::offer::Asked;
use crate::auth::oauth::offer::Means;
use crate::auth::oauth::offer::Offer;
use crate::wire::tasks::Tasks;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// Most that are open for one server.
const PER_SERVER: usize = 4;
/// Most that are open in all.
const IN_ALL: usize = 16;

/// All that are open.
#[derive(Debug, Default)]
pub(super) struct Offers {
    open: Mutex<Vec<Offer>>,
    tasks: Tasks,
}

impl Offers {
    /// The page for `asked`: the one there is, or a new one. `None` when there are too many.
    pub(super) fn page(&self, asked: Asked, means: Means) -> Option<Offer> {
        let mut open = self.lock();
        let same = |offer: &Offer| {
            let other = offer.asked();
            other.caller == asked.caller
                && other.server.name == asked.server.name
                && other.whose == asked.whose
        };
        if let Some(known) = open.iter().find(|offer| same(offer)) {
            let other = known.asked();
            if other.scopes == asked.scopes && other.server.transport == asked.server.transport {
                return Some(known.clone());
            }
            // The entry is another one now, or more is wanted.
            known.end();
            open.retain(Offer::is_open);
        }
        let of_server = open.iter().filter(|offer| offer.asked().server.name == asked.server.name).count();
        if of_server >= PER_SERVER || open.len() >= IN_ALL {
            return None;
        }
        let (offer, lobby) = Offer::open(asked)?;
        self.tasks.spawn(offer.clone().run(lobby, means));
        open.push(offer.clone());
        Some(offer)
    }

    /// The page with this public name that `caller` was offered, while it is there.
    pub(super) fn find(&self, id: &str, caller: &Caller) -> Option<Offer> {
        self.lock().iter().find(|offer| offer.id() == id && offer.asked().caller == *caller).cloned()
    }

    /// Takes those away for which `keeps` is false.
    pub(super) fn keep(&self, keeps: impl Fn(&Asked) -> bool) {
        self.lock().iter().filter(|offer| !keeps(offer.asked())).for_each(Offer::end);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Offer>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(Offer::is_open);
        open
    }
}
