//! Proof that a caller may use a route.

use crate::catalog::route::Route;

/// Made only by [`Policy::permit`](crate::policy::Policy::permit); wanted by every function that sends a call.
#[derive(Debug)]
pub struct Permit<'a> {
    route: &'a Route,
}

impl<'a> Permit<'a> {
    pub(super) fn new(route: &'a Route) -> Self {
        Self { route }
    }

    /// Where it leads.
    #[must_use]
    pub fn route(&self) -> &'a Route {
        self.route
    }
}
