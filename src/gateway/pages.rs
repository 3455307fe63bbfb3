//! The pages that a client was told to open, until it hears that they are done.
//!
//! It opens none and knows no address.

use crate::protocol::input::Wanted;
use crate::wire::members::Members;
use std::collections::VecDeque;

/// Pages that a client may be looking at; older ones are forgotten.
const MOST_PAGES: usize = 64;

/// Elicitations with a page, oldest first (ids as JSON text).
#[derive(Debug, Default)]
pub(super) struct Pages(VecDeque<Box<str>>);

impl Pages {
    /// One more.
    pub(super) fn note(&mut self, elicitation: Box<str>) {
        if self.0.len() >= MOST_PAGES {
            self.0.pop_front();
        }
        self.0.push_back(elicitation);
    }

    /// True when it is one of them; once.
    pub(super) fn take(&mut self, elicitation: &str) -> bool {
        let at = self.0.iter().position(|page| **page == *elicitation);
        at.map(|at| self.0.remove(at)).is_some()
    }
}

/// The id of the elicitation (JSON text) that a question with a page has.
pub(super) fn page_of(wanted: Wanted, params: Option<&str>) -> Option<Box<str>> {
    let params = params.filter(|_| wanted == Wanted::Url)?;
    let params = Members::parse_with_duplicates(params).ok()?;
    params.get("elicitationId").map(|id| id.get().into())
}
