//! The gateway and the temporary folder of `tests/it`.
//!
//! Its clients are only used for what is not load; those that bear load are in `piped.rs` and `web.rs`.
#![expect(dead_code, reason = "shared with `tests/it`, which uses all of it")]

#[path = "../it/support/eventually.rs"]
pub mod eventually;
#[path = "../it/support/gateway.rs"]
pub mod gateway;
#[path = "../it/support/http_client.rs"]
pub mod http_client;
#[path = "../it/access/issuer.rs"]
pub mod issuer;
#[path = "../it/support/message.rs"]
pub mod message;
#[path = "../it/support/processes.rs"]
pub mod processes;
#[path = "../it/support/stdio_client.rs"]
pub mod stdio_client;
#[path = "../it/support/tempconf.rs"]
pub mod tempconf;
