//! Who asks, and with what we ask: callers in front, credentials behind.

pub mod called;
pub mod caller;
pub mod challenge;
pub mod egress;
pub mod failures;
pub mod holders;
pub mod inbound;
pub mod jwks;
pub mod jwt;
pub mod key_store;
pub mod keys;
pub mod local;
pub mod oauth;
pub mod outbound;
pub mod roots;
pub mod roster;
pub mod signature;
pub mod signing;
pub mod stamp;
