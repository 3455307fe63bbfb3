//! One gateway for all stdio clients of a user and a file: where they meet, what is said there, and the pipe that a client
//! talks through.
//!
//! The gateway's side of the meeting is `front/attached.rs`. Nothing here starts a server or reads the file.

pub mod apart;
pub mod attach;
pub mod hello;
pub mod journal;
pub mod kept;
pub mod launch;
pub mod link;
#[cfg(unix)]
pub mod patient;
pub mod pipe;
pub mod place;
pub mod refuse;
pub mod trim;
