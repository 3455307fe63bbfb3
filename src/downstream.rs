//! Towards servers: starting them, talking to them, stopping them.
//!
//! A [`ServerHandle`](handle::ServerHandle) is the cheap clone everybody else holds; one task per server
//! (`downstream/task.rs`) owns the connection and the child's life and carries no traffic.

pub mod asking;
pub mod breaker;
pub mod connect;
pub mod connector;
pub mod error;
pub mod follow;
pub mod handle;
mod history;
pub mod holds;
pub mod http;
pub mod lack;
pub mod line;
pub mod link;
pub mod listen;
pub mod listing;
pub mod own_call;
pub mod parked;
pub mod private;
mod private_ears;
pub mod process;
pub mod request;
pub mod status;
pub mod stdio;
pub mod surroundings;
pub mod survey;
pub mod task;
pub mod updates;
pub mod usage;
mod veil;
pub mod ws;
