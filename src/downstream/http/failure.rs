//! Why a request over HTTP got no answer at all.
//!
//! It does not say whether to try again.

use std::error::Error;

/// The network failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it said, without the address.
    pub why: String,
    /// True when the request may have reached the server.
    pub sent: bool,
}

impl Failure {
    /// Nothing of the request left.
    #[must_use]
    pub fn before(error: &(dyn Error + 'static)) -> Self {
        Self { why: innermost(error), sent: false }
    }

    /// The request may have arrived.
    #[must_use]
    pub fn after(error: &(dyn Error + 'static)) -> Self {
        Self { why: innermost(error), sent: true }
    }

    /// There is no connection after the longest wait for one.
    #[must_use]
    pub fn too_slow() -> Self {
        Self { why: "no connection came about in time".into(), sent: false }
    }

    /// What `error` says. Its own text would show the address.
    #[must_use]
    pub fn of(error: &reqwest::Error) -> Self {
        let sent = !(error.is_connect() || error.is_builder());
        if error.is_timeout() && !sent {
            return Self::too_slow();
        }
        let why = error.source().map_or_else(|| "the request failed".to_owned(), innermost);
        Self { why, sent }
    }
}

/// The cause of all: "connection refused" says more than "error sending request".
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
