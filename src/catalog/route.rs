//! Where an exposed name leads.
//!
//! It does not say how the name is found: that is the table in `catalog.rs`.

use crate::name::NameError;
use crate::name::ServerName;
use serde::Deserialize;
use serde::Serialize;

/// The way from what a client names to what a server understands. Stored as `["server","own name"]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "(String, String)", try_from = "(String, String)")]
pub struct Route {
    /// The server that owns it.
    pub server: ServerName,
    /// The tool's or prompt's own name there, or the resource URI.
    pub own_name: String,
}

impl From<Route> for (String, String) {
    fn from(route: Route) -> Self {
        (route.server.as_str().to_owned(), route.own_name)
    }
}

impl TryFrom<(String, String)> for Route {
    type Error = NameError;

    fn try_from((server, own_name): (String, String)) -> Result<Self, NameError> {
        Ok(Self { server: ServerName::new(&server)?, own_name })
    }
}
