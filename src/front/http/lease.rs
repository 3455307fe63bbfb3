//! Long answers end with the credential that they were asked for with: revoked or expired, within a second.
//!
//! It wakes only for streams that are open; a gateway without credentials has none of these.

use crate::auth::inbound::Inbound;
use crate::auth::inbound::Proof;
use std::fmt;
use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::Sleep;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(700);

/// Holds while a credential does.
pub struct Lease {
    inbound: Arc<Inbound>,
    proof: Proof,
    next: Pin<Box<Sleep>>,
}

impl Lease {
    /// Of the credential behind `proof`.
    #[must_use]
    pub fn new(inbound: Arc<Inbound>, proof: Proof) -> Self {
        Self { inbound, proof, next: Box::pin(tokio::time::sleep(LOOK)) }
    }

    /// Whether the credential holds now.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.inbound.holds(&self.proof)
    }

    /// Ready once it does not.
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.next.as_mut().poll(cx));
            if !self.holds() {
                return Poll::Ready(());
            }
            self.next.as_mut().reset(Instant::now() + LOOK);
        }
    }

    /// Waits until it does not; for ever without a lease.
    pub async fn ended(lease: Option<&mut Self>) {
        match lease {
            Some(lease) => poll_fn(|cx| lease.poll_ended(cx)).await,
            None => std::future::pending().await,
        }
    }
}

impl Clone for Lease {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.inbound), self.proof.clone())
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}
