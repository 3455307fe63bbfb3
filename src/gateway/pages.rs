//! The pages that a client was told to open, until it hears that they are done.
//!
//! It opens none and knows no address. The same id of two servers is two pages.

use crate::name::ServerName;
use crate::wire::members::Members;
use std::collections::VecDeque;

/// Pages that a client may be looking at; older ones are forgotten.
const MOST_PAGES: usize = 64;

/// Elicitations with a page, oldest first: whose, and its id (JSON text).
#[derive(Debug, Default)]
pub(super) struct Pages(VecDeque<(ServerName, Box<str>)>);

impl Pages {
    /// One more of `server`, if it has an id. `page` is the params of the question, as JSON text.
    pub(super) fn note(&mut self, server: &ServerName, page: &str) {
        let page = Members::parse_with_duplicates(page).ok();
        let Some(id) = page.and_then(|page| page.get("elicitationId")) else { return };
        if self.0.len() >= MOST_PAGES {
            self.0.pop_front();
        }
        self.0.push_back((server.clone(), id.get().into()));
    }

    /// True when it is one of them; once.
    pub(super) fn take(&mut self, server: &ServerName, elicitation: &str) -> bool {
        let at = self.0.iter().position(|(whose, id)| whose == server && **id == *elicitation);
        at.map(|at| self.0.remove(at)).is_some()
    }
}
