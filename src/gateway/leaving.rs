//! What ends when a client no longer wants a call, or leaves.
//!
//! Servers go on; it tells them.

use crate::gateway::core::Core;
use crate::gateway::session::Session;
use crate::gateway::tasks;
use crate::gateway::updates::Subscriber;
use crate::telemetry::event;
use std::sync::Arc;
use std::time::Duration;

impl Core {
    /// Ends the open subscriptions of a session.
    pub(super) fn end_subscriptions(&self, session: &Session) {
        let tasks = self.subscribers.end(Some(session));
        tasks::followed::leave(self, &tasks);
        self.unsubscribe(|_, _, one| matches!(one, Subscriber::Listen(key, _) if *key == session.key()));
    }

    /// Ends a session.
    pub(super) fn close_session(&self, session: &Arc<Session>, why: &str) {
        event::session_closed(&self.around.metrics, why);
        self.forget(session);
        self.end_subscriptions(session);
        self.unsubscribe(|_, _, one| *one == Subscriber::Session(session.key()));
        self.current().parking.end(Some(session.key()));
        for (id, handle) in session.close() {
            handle.cancel(session.key(), &id, Some("the client left"));
        }
        self.current().servers.values().for_each(|handle| handle.release(session.key(), Duration::ZERO));
    }

    /// Ends one call.
    pub(super) fn cancel(&self, session: &Arc<Session>, id: &str, reason: &str) {
        if let Some(tasks) = self.subscribers.cancel(session, id) {
            tasks::followed::leave(self, &tasks);
            let over = Subscriber::Listen(session.key(), id.into());
            self.unsubscribe(|_, _, one| *one == over);
            return;
        }
        if let Some(handle) = session.give_up(id)
            && !handle.cancel(session.key(), id, Some(reason))
        {
            session.withdraw(id);
        }
    }
}
