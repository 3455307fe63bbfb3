//! How long a call may take, whether it may be repeated, and when a server that keeps failing is left alone.
//!
//! It holds the numbers of the file; `downstream` and `gateway` keep them.

use crate::config::model::defaults;
use std::time::Duration;
use wildmatch::WildMatch;

/// What holds for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallTerms {
    /// Longest time without an answer or progress.
    pub idle: Duration,
    /// Longest time in all, whatever progress is reported.
    pub longest: Duration,
    /// Whether it may be sent again when its server ended without an answer.
    pub retry: Retry,
}

/// Which calls may be sent once more when their server ended before it answered. What a tool says of itself decides;
/// one that says nothing is never called twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Retry {
    /// None.
    #[default]
    Never,
    /// Those of tools that say `readOnlyHint`.
    ReadOnly,
    /// Those of tools that say `readOnlyHint` or `idempotentHint`.
    Idempotent,
}

/// What an entry says about some of its tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolTerms {
    /// Own names of the tools; `*` and `?` match.
    pub pattern: String,
    /// Instead of [`crate::config::model::Server::call_timeout`].
    pub call_timeout: Option<Duration>,
    /// Instead of [`crate::config::model::Server::max_call_time`].
    pub max_call_time: Option<Duration>,
    /// Instead of [`crate::config::model::Server::retry`].
    pub retry: Option<Retry>,
}

/// When calls to a server that keeps failing are refused at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerTerms {
    /// Failures in a row before that; 0 is never.
    pub failures: u32,
    /// How long calls are refused the first time, before one is tried.
    pub pause: Duration,
    /// How long at most: the pause doubles with every try that fails.
    pub max_pause: Duration,
}

impl Default for BreakerTerms {
    fn default() -> Self {
        Self { failures: 5, pause: Duration::from_secs(5), max_pause: Duration::from_secs(60) }
    }
}

impl ToolTerms {
    /// True when it is about the tool with this own name.
    #[must_use]
    pub fn fits(&self, tool: &str) -> bool {
        WildMatch::new(&self.pattern).matches(tool)
    }
}

/// The longest time of a call that may be quiet for `idle`, where the file does not say.
#[must_use]
pub fn longest_for(idle: Duration) -> Duration {
    defaults::MAX_CALL_TIME.max(idle)
}
