//! stub
pub mod exchange;
pub mod reply;
pub mod session;
