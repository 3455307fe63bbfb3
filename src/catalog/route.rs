//! Where an exposed name leads.

use crate::name::ServerName;

/// The way from what a client names to what a server understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The server that owns it.
    pub server: ServerName,
    /// The tool's or prompt's own name there, or the resource URI.
    pub own_name: String,
}
