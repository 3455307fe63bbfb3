//! Waits until a server is wanted: by a call, by lists, by somebody who waits for updates of its resources, or because
//! somebody has logged in.
//!
//! It starts nothing itself.

use crate::downstream::handle::Shared;
use crate::downstream::handle::State;
use crate::downstream::private::Own;
use crate::downstream::task::login::LOOK_AGAIN;
use crate::downstream::task::login::wants_login;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::sleep_until;

/// Longer than anybody looks at an idle server.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// Waits until somebody wants the server. `false` when it is retired and no call came before, or nobody will want it soon.
pub(super) async fn wanted(shared: &Arc<Shared>, unused: bool) -> bool {
    let mut changes = shared.updates.changes();
    let linger = |own: &Own| if unused { Duration::ZERO } else { own.linger() };
    let end = shared.own.as_ref().map(|own| Instant::now() + linger(own));
    loop {
        if let Some(drain) = *shared.retired.borrow() {
            return !drain.is_zero() && has_calls(shared);
        }
        let Some(again) = due(shared) else { return true };
        if end.is_some_and(|end| end <= Instant::now()) && shared.leave() {
            return false;
        }
        tokio::select! {
            () = shared.wake.notified() => {}
            _ = changes.changed() => {}
            () = sleep_until(end.map_or(again, |end| end.min(again))) => {}
        }
    }
}

/// True when calls wait for its start.
fn has_calls(shared: &Shared) -> bool {
    matches!(&*shared.lock(), State::Starting { waiting, .. } if !waiting.is_empty())
}

/// When it is to be looked at again; `None` when it is to be started now: a call waits, or somebody waits for updates of
/// its resources.
fn due(shared: &Shared) -> Option<Instant> {
    let mut state = shared.lock();
    if shared.has_login_for(&state) {
        *state = State::starting(Vec::new());
        return None;
    }
    let subscribed = !shared.updates.is_empty();
    let begins = match &*state {
        State::Starting { .. } => return None,
        State::Idle if subscribed => Instant::now(),
        State::Failed { until, .. } if subscribed => *until,
        failed if wants_login(failed) => return Some(Instant::now() + LOOK_AGAIN),
        _ => return Some(Instant::now() + LONG),
    };
    if begins <= Instant::now() {
        *state = State::starting(Vec::new());
        return None;
    }
    Some(begins)
}
