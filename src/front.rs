//! Towards clients: the ways they reach the gateway.

pub mod admin;
pub mod attached;
pub mod course;
pub mod http;
pub mod program;
pub mod stdio;
