//! The link as a named pipe that only its owner may open. Its name is in a note in the folder of the user.
//!
//! Compiled, and not run on Windows by us.

mod listener;
mod stream;

pub use crate::share::link::windows::listener::Guest;
pub use crate::share::link::windows::listener::Knock;
pub use crate::share::link::windows::listener::Listener;
pub use crate::share::link::windows::stream::Stream;
pub use crate::share::link::windows::stream::connect;

use std::io;

/// True when a gateway is there that does not let this process in: it runs with other rights.
#[must_use]
pub fn is_forbidden(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}
