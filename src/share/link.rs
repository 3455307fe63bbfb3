//! The link between a client and its gateway, as the system has it: a Unix socket, or a named pipe on Windows.
//!
//! Both sides see a stream of bytes of which the client can end its own direction. It knows nothing of what is said.

#[cfg(any(windows, test))]
pub mod frames;
#[cfg(any(windows, test))]
pub mod note;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use crate::share::link::unix::Guest;
#[cfg(unix)]
pub use crate::share::link::unix::Knock;
#[cfg(unix)]
pub use crate::share::link::unix::Listener;
#[cfg(unix)]
pub use crate::share::link::unix::Stream;
#[cfg(unix)]
pub use crate::share::link::unix::connect;
#[cfg(unix)]
pub use crate::share::link::unix::is_forbidden;
#[cfg(windows)]
pub use crate::share::link::windows::Guest;
#[cfg(windows)]
pub use crate::share::link::windows::Knock;
#[cfg(windows)]
pub use crate::share::link::windows::Listener;
#[cfg(windows)]
pub use crate::share::link::windows::Stream;
#[cfg(windows)]
pub use crate::share::link::windows::connect;
#[cfg(windows)]
pub use crate::share::link::windows::is_forbidden;
