//! Proof that a caller may use a route.

use crate::catalog::route::Route;

/// Made only by [`Policy::permit`](crate::policy::Policy::permit); wanted by every function that sends a call.
#[derive(Debug)]
pub struct Permit {
    route: Route,
}

impl Permit {
    pub(super) fn new(route: Route) -> Self {
        Self { route }
    }

    /// Where it leads.
    #[must_use]
    pub fn route(&self) -> &Route {
        &self.route
    }
}
