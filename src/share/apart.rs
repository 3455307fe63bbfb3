//! Processes that stand apart from the one that starts them: what ends that one, or its terminal, does not end them, and
//! nobody waits for them who waits for the end of what it has said.
//!
//! It starts what it is given, and reads nothing of it.

use std::io;
use std::process::Child;
use std::process::Command;

/// Keeps what this process got of its own starter from what `command` starts.
#[cfg(unix)]
pub fn part(_: &mut Command) {
    // Of descriptors only the three that a command names are passed on.
}

/// Starts `command` in a session of its own. This process, which is there for nothing else, enters it first.
///
/// # Errors
/// When it cannot be started.
#[cfg(unix)]
pub fn start(mut command: Command) -> io::Result<Child> {
    let _ = rustix::process::setsid();
    command.spawn()
}

/// A console that is not shown: without one, each program that a server starts would open its own.
#[cfg(windows)]
const CREATE_NO_WINDOW: u32 = 0x0800_0000;
/// Ctrl-C of others is not meant for it.
#[cfg(windows)]
const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
/// It does not end with the job of its starter.
#[cfg(windows)]
const CREATE_BREAKAWAY_FROM_JOB: u32 = 0x0100_0000;

/// Keeps what this process got of its own starter from what `command` starts.
#[cfg(windows)]
pub fn part(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    keep(std::io::stdin());
    keep(std::io::stdout());
    keep(std::io::stderr());
    command.creation_flags(CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP);
}

/// Starts `command` with a console of its own, outside the job of this process where that allows it.
///
/// # Errors
/// When it cannot be started.
#[cfg(windows)]
pub fn start(mut command: Command) -> io::Result<Child> {
    use std::os::windows::process::CommandExt;
    let own = CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP;
    let started = command.creation_flags(own | CREATE_BREAKAWAY_FROM_JOB).spawn();
    started.or_else(|_| command.creation_flags(own).spawn())
}

/// Every child would get this handle, whatever its own are, and a client that waits for the end of the stream would wait for
/// the end of the gateway.
#[cfg(windows)]
fn keep(stream: impl std::os::windows::io::AsRawHandle) {
    use windows_sys::Win32::Foundation::HANDLE_FLAG_INHERIT;
    use windows_sys::Win32::Foundation::SetHandleInformation;
    #[expect(unsafe_code, reason = "the standard library does not say whom a handle goes to")]
    // SAFETY: it changes no memory, and only refuses what is no handle of this process.
    let _ = unsafe { SetHandleInformation(stream.as_raw_handle(), HANDLE_FLAG_INHERIT, 0) };
}
