//! An MCP gateway: one MCP server to every client, every MCP server behind it.
//!
//! The modules stand in layer order; each imports only from those before it. `ARCHITECTURE.md` is the map.

pub mod name;
pub mod secret;
pub mod telemetry;
pub mod wire;
pub mod protocol;
pub mod config {
    //! stub
    pub mod model;
}
pub mod auth;
pub mod catalog;
pub mod policy;
pub mod downstream;
pub mod gateway;
pub mod reload {
    //! stub
    pub mod watch;
}
