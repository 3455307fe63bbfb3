//! Headers of a client that servers may be passed, as they came with the request that made its session.
//!
//! Which headers these are is not decided here.

use crate::config::model::outbound::Headers;
use crate::secret::Secret;
use http::HeaderMap;
use std::sync::OnceLock;

/// Headers of one client, kept once.
#[derive(Debug, Default)]
pub struct Passed(OnceLock<Headers>);

impl Passed {
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
        let _ = self.0.set(names.iter().filter_map(one).collect());
    }

    /// What was kept.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        const NONE: &Headers = &Headers::new();
        self.0.get().unwrap_or(NONE)
    }
}
