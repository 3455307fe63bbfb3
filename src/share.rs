//! One gateway for all stdio clients of a user and a file: where they meet, what is said there, and the pipe that a client
//! talks through.
//!
//! The gateway's side of the meeting is `front/attached.rs`. Nothing here starts a server or reads the file.

pub mod hello;
pub mod journal;
pub mod kept;
pub mod lock;
pub mod place;

#[cfg(unix)]
pub mod attach;
#[cfg(unix)]
pub mod launch;
#[cfg(unix)]
pub mod patient;
#[cfg(unix)]
pub mod pipe;
#[cfg(unix)]
pub mod trim;
