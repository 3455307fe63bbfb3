//! An MCP gateway: one MCP server to every client, every MCP server behind it.
//!
//! The modules stand in layer order; each imports only from those before it. `ARCHITECTURE.md` is the map.

pub mod app;
pub mod auth;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod downstream;
pub mod front;
pub mod gateway;
pub mod name;
pub mod policy;
pub mod protocol;
pub mod reload;
pub mod secret;
pub mod share;
pub mod telemetry;
pub mod wire;

pub use crate::app::App;
pub use crate::config::model::Config;
pub use crate::gateway::Gateway;
