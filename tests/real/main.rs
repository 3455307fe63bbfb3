//! The gateway over published servers, driven by published clients. `.ci/run` runs it; by hand:
//!
//! ```text
//! tests/real/install target/real
//! MCP_MANIFOLD_REAL=$PWD/target/real cargo test --test real -- --ignored
//! ```
//!
//! It installs nothing itself, and does not repeat what `tests/it` shows with fake servers.

mod support;

mod bed;
mod bytes;
mod calls;
mod drivers;
mod inspector;
mod life;
mod lists;
mod modern;
mod sdk;
