//! A request that a server did not take because of who asked.
//!
//! It does not say how anybody logs in: the text does, for a person.

use std::fmt;
use std::sync::Arc;

/// What is wanted before the request is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unauthorized {
    /// The whole sentence, which names the server.
    pub why: Arc<str>,
    /// What a login would have to allow besides what it allows now; `None` where no login helps.
    pub login: Option<Arc<[String]>>,
}

impl fmt::Display for Unauthorized {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.why)
    }
}
