//! A message on its way, the call it makes, and the bytes that wait for the server to take them.
//!
//! It does not send anything.

use crate::wire::pending::Owner;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// A message on its way to the server.
pub struct Parcel {
    /// Its method, for the headers.
    pub method: String,
    /// What it is about, for the headers.
    pub target: Option<String>,
    /// Arguments that are repeated in headers: the names of the headers, and what they say.
    pub params: Vec<(String, String)>,
    /// The message.
    pub body: Bytes,
    /// What it weighs while it waits.
    #[expect(dead_code, reason = "it is held until the message was taken, not read")]
    pub weight: Weight,
}

/// Which call a response belongs to.
#[derive(Clone, Copy)]
pub struct Asked {
    /// Our id.
    pub id: u64,
    /// Who asked.
    pub owner: Owner,
}

/// Bytes that wait for the server to take them.
pub struct Weight(Arc<AtomicUsize>, usize);

impl Weight {
    /// Adds `bytes` to `total` until this is dropped; `None` when that would be more than `limit`.
    #[must_use]
    pub fn add(total: &Arc<AtomicUsize>, bytes: usize, limit: usize) -> Option<Self> {
        let before = total.fetch_add(bytes, Ordering::Relaxed);
        let weight = Self(Arc::clone(total), bytes);
        (before.saturating_add(bytes) <= limit).then_some(weight)
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}
