//! What the tests of this binary are written with: builders that start real processes and speak raw JSON to them.
//!
//! It uses neither the crate under test nor an MCP library.

pub mod bed;
pub mod dice;
pub mod driver;
pub mod eventually;
pub mod gateway;
pub mod http_client;
pub mod message;
pub mod processes;
pub mod stdio_client;
pub mod tempconf;
