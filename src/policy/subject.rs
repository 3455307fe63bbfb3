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
        let (name, principal) = (caller.name().to_owned(), caller.principal().to_owned());
        let Some(identity) = caller.identity() else { return Self { name, principal, ..Self::default() } };
        Self {
            name,
            principal,
            team: identity.team.clone(),
            organisation: identity.organisation.clone(),
            agent: identity.agent.clone(),
            claims: identity.claims.clone(),
        }
    }
}
