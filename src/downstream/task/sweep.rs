//! Ends the calls of a connection whose patience has ended.
//!
//! It does not know when a connection is over.

use crate::downstream::breaker::Breaker;
use crate::downstream::link::Link;
use crate::wire::pending::Answer;
use crate::wire::pending::Expired;
use crate::wire::pending::Lost;
use std::time::Duration;
use tokio::time::interval;

/// How often calls are looked over for ended patience.
pub(super) const SWEEP: Duration = Duration::from_millis(250);

/// Waits until no call is in flight.
pub(super) async fn finish(link: &dyn Link, breaker: &Breaker) {
    let mut tick = interval(Duration::from_millis(20));
    while !link.pending().is_empty() {
        tick.tick().await;
        sweep(link, breaker);
    }
}

/// Ends the calls whose patience has ended, and tells the server.
pub(super) fn sweep(link: &dyn Link, breaker: &Breaker) {
    for Expired { id, lost, waiter } in link.pending().expired() {
        if let Lost::Silent(time) = lost {
            let why = format!("gave no answer within {} s", time.as_secs_f64());
            breaker.failed(link.pending().answered(), &why);
        }
        waiter.answer(Answer::Lost(lost));
        link.abandon(id, "no answer within the time limit");
    }
}
