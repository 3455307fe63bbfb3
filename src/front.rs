//! Towards clients: the ways they reach the gateway.

pub mod http;
pub mod program;
pub mod stdio;
