//! A request whose client may go away before the answer: then it is cancelled.
//!
//! Only for the modern era, where the closed connection is the cancellation. A legacy client says so in a message.

use crate::front::http::backing::Backing;
use crate::gateway::session::Session;
use std::fmt;
use std::sync::Arc;

/// Cancels the request when dropped unsettled.
pub struct Abandon {
    backing: Arc<dyn Backing>,
    session: Arc<Session>,
    id: Box<str>,
    settled: bool,
}

impl Abandon {
    /// For the request `id` (JSON text) of `session`.
    #[must_use]
    pub fn new(backing: Arc<dyn Backing>, session: Arc<Session>, id: Box<str>) -> Self {
        Self { backing, session, id, settled: false }
    }

    /// The answer is there.
    pub fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for Abandon {
    fn drop(&mut self) {
        if !self.settled {
            self.backing.cancel(&self.session, &self.id, "the client closed the connection");
        }
    }
}

impl fmt::Debug for Abandon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Abandon").field("id", &self.id).finish_non_exhaustive()
    }
}
