//! What the policy looks at in a caller.
//!
//! It is a view: made for one question, kept nowhere.

use crate::auth::caller::Caller;
use std::collections::BTreeMap;

/// A caller as rules see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// What people call it.
    pub name: String,
    /// What tells it from all others; may be the name.
    pub principal: String,
    /// Its team.
    pub team: Option<String>,
    /// Its organisation.
    pub organisation: Option<String>,
    /// The agent that acts.
    pub agent: Option<String>,
    /// Claims of its token, with their values.
    pub claims: BTreeMap<String, Vec<String>>,
}

impl Subject {
    /// The view of `caller`.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        let name = caller.to_string();
        Self { principal: name.clone(), name, ..Self::default() }
    }
}
