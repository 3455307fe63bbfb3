//! The engine: JSON-RPC envelopes, framing, queues and calls in flight.
//!
//! It knows JSON-RPC and nothing of MCP methods: what a `tools/call` is stands in `protocol.rs` and `gateway.rs`.
//! Payloads are borrowed raw text (`serde_json::value::RawValue`); nothing is parsed deeper than it must be.

pub mod batch;
pub mod frame;
pub mod guard;
pub mod mailbox;
pub mod members;
pub mod message;
pub mod meta;
pub mod outbox;
pub mod pending;
pub mod pipe;
pub mod scan;
pub mod sink;
pub mod tasks;
pub mod unauthorized;
