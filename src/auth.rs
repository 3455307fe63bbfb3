//! Who asks, and with what we ask: callers in front, credentials behind.

pub mod caller;
pub mod egress;
pub mod inbound;
pub mod oauth;
pub mod roots;
pub mod signature;
pub mod signing;
