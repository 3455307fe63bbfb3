//! Which addresses turned out to speak HTTP+SSE, so that the next start need not find out again.
//!
//! It lasts as long as the gateway; nothing is saved.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// What was found out.
#[derive(Default)]
pub struct Found(Mutex<HashSet<String>>);

impl Found {
    /// True when `url` spoke HTTP+SSE last time.
    #[must_use]
    pub fn is_old(&self, url: &str) -> bool {
        self.lock().contains(url)
    }

    /// `url` speaks HTTP+SSE.
    pub fn remember_old(&self, url: &str) {
        self.lock().insert(url.to_owned());
    }

    /// `url` no longer does.
    pub fn forget(&self, url: &str) {
        self.lock().remove(url);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
