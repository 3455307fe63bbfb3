//! What ends with a session, and with one of its calls.
//!
//! Who leaves, and why, is decided elsewhere.

use crate::gateway::core::Core;
use crate::gateway::session::Session;
use crate::gateway::tasks;
use crate::gateway::updates::Subscriber;
use crate::telemetry::event;
use std::sync::Arc;
use std::time::Duration;

/// Ends the open subscriptions of a session, which would otherwise never be over.
pub(super) fn end_subscriptions(core: &Arc<Core>, session: &Session) {
    let tasks = core.subscribers.end(Some(session));
    tasks::followed::leave(core, &tasks);
    core.unsubscribe(|_, _, one| matches!(one, Subscriber::Listen(key, _) if *key == session.key()));
}

/// Ends a session: its calls are cancelled, its questions answered for it.
pub(super) fn close(core: &Arc<Core>, session: &Arc<Session>, why: &str) {
    event::session_closed(&core.around.metrics, why);
    core.forget(session);
    end_subscriptions(core, session);
    core.unsubscribe(|_, _, one| *one == Subscriber::Session(session.key()));
    core.current().parking.end(Some(session.key()));
    for (id, handle) in session.close() {
        handle.cancel(session.key(), &id, Some("the client left"));
    }
    core.current().servers.values().for_each(|handle| handle.release(session.key(), Duration::ZERO));
}

/// Ends one call because its client is gone or no longer wants it.
pub(super) fn cancel(core: &Arc<Core>, session: &Arc<Session>, id: &str, reason: &str) {
    if let Some(tasks) = core.subscribers.cancel(session, id) {
        tasks::followed::leave(core, &tasks);
        let over = Subscriber::Listen(session.key(), id.into());
        core.unsubscribe(|_, _, one| *one == over);
        return;
    }
    if let Some(handle) = session.give_up(id)
        && !handle.cancel(session.key(), id, Some(reason))
    {
        session.withdraw(id);
    }
}
