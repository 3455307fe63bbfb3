//! How often something may be called (`gateway.rates`), as the program reads it.
//!
//! It counts nothing: `gateway/rates.rs` does.

use std::num::NonZeroU32;
use std::time::Duration;

/// Rates of everybody, and of some by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rates {
    /// Of each caller.
    pub callers: RateTable,
    /// Of each team.
    pub teams: RateTable,
    /// Of each server, by everybody together.
    pub servers: RateTable,
}

/// Rates of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RateTable {
    /// For each that is not named.
    pub each: Option<RateTerms>,
    /// By name.
    pub named: Vec<(String, RateTerms)>,
}

/// What holds for one caller, team or server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateTerms {
    /// Calls in a time, in the long run.
    pub rate: Option<Rate>,
    /// Calls in 24 hours, counted from the first.
    pub per_day: Option<u64>,
    /// Requests in flight; of callers only, instead of `limits.inFlightPerCaller`.
    pub in_flight: Option<usize>,
}

/// So many calls in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls.
    pub calls: NonZeroU32,
    /// The time they are spread over.
    pub within: Duration,
    /// Calls at once, after a time without any.
    pub burst: NonZeroU32,
}

impl RateTable {
    /// What holds for `name`.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<RateTerms> {
        let own = self.named.iter().find(|(known, _)| known == name).map(|(_, terms)| *terms);
        own.or(self.each)
    }

    /// True when nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.each.is_none() && self.named.is_empty()
    }
}

impl Rates {
    /// True when nothing is counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.callers.is_empty() && self.teams.is_empty() && self.servers.is_empty()
    }
}
