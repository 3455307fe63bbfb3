//! What a front says of a client beside its messages: headers that servers may be passed, as they came with the request that
//! made its session, and whether it is on this machine.
//!
//! Which headers these are is not decided here.

use crate::config::model::outbound::Headers;
use crate::secret::Secret;
use http::HeaderMap;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// What is said of one client, once.
#[derive(Debug, Default)]
pub struct Passed {
    headers: OnceLock<Headers>,
    here: AtomicBool,
}

impl Passed {
    /// Its user gets to pages that only this machine serves to itself.
    pub fn comes_from_here(&self) {
        self.here.store(true, Ordering::Relaxed);
    }

    /// True for such a client. Part of calls: nothing is locked.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.here.load(Ordering::Relaxed)
    }

    /// Keeps those of `headers` that have one of `names`; what was kept before stays.
    pub fn keep(&self, names: &[String], headers: &HeaderMap) {
        if names.is_empty() {
            return;
        }
        let one = |name: &String| {
            let mut values = headers.get_all(name.as_str()).iter();
            // Of several nobody could say which counts.
            let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
            Some((name.clone(), Secret::new(value)))
        };
        let _ = self.headers.set(names.iter().filter_map(one).collect());
    }

    /// What was kept.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        const NONE: &Headers = &Headers::new();
        self.headers.get().unwrap_or(NONE)
    }
}
