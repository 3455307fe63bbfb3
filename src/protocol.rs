//! MCP on top of the wire: revisions, what each era writes, and the bridge between them.
//!
//! Everything here is pure: texts in, texts out. Sending them is `downstream.rs` and `front.rs`.

pub mod bridge;
pub mod capability;
pub mod code;
pub mod extension;
pub mod input;
pub mod legacy;
pub mod modern;
pub mod param_header;
pub mod version;
