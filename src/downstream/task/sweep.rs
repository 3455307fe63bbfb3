//! Ends the calls of a connection whose patience has ended.
//!
//! It does not know when a connection is over.

use crate::downstream::link::Link;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use std::time::Duration;
use tokio::time::interval;

/// How often calls are looked over for ended patience.
pub(super) const SWEEP: Duration = Duration::from_millis(250);

/// Waits until no call is in flight.
pub(super) async fn finish(link: &dyn Link) {
    let mut tick = interval(Duration::from_millis(20));
    while !link.pending().is_empty() {
        tick.tick().await;
        sweep(link);
    }
}

/// Ends the calls whose patience has ended, and tells the server.
pub(super) fn sweep(link: &dyn Link) {
    for (id, patience, waiter) in link.pending().expired() {
        waiter.answer(Answer::Lost(Lost::Silent(patience)));
        link.abandon(id, "no answer within the time limit");
    }
}
