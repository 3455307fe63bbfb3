//! Signals to a process group, and seeing that a child ended without reaping it.
//!
//! An unreaped child keeps its number, so a signal to its group can hit nobody else. This file decides nothing about
//! when to signal or to reap.

use crate::downstream::process::exit::ExitText;
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::WaitId;
use rustix::process::WaitIdOptions;
use std::time::Duration;

/// How often an end is looked for where the system cannot report it.
const LOOK: Duration = Duration::from_millis(50);

/// Wakes when a child may have ended.
#[derive(Debug)]
pub(super) struct ExitWatch {
    #[cfg(target_os = "linux")]
    descriptor: Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>>,
}

impl ExitWatch {
    #[cfg(target_os = "linux")]
    #[expect(deprecated, reason = "its replacement is unsafe; an `OwnedFd` keeps what that asks for")]
    pub(super) fn new(child: &std::process::Child) -> Self {
        use rustix::process::PidfdFlags;
        use tokio::io::Interest;
        use tokio::io::unix::AsyncFd;
        // Old kernels and some sandboxes have no such descriptor: then it is looked for.
        let descriptor = rustix::process::pidfd_open(number(child), PidfdFlags::empty())
            .ok()
            .and_then(|fd| AsyncFd::with_interest(fd, Interest::READABLE).ok());
        Self { descriptor }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn new(_child: &std::process::Child) -> Self {
        Self {}
    }

    /// Completes when it is time to look again.
    pub(super) async fn changed(&self) {
        #[cfg(target_os = "linux")]
        if let Some(descriptor) = &self.descriptor
            && let Ok(mut ready) = descriptor.readable().await
        {
            ready.clear_ready();
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn number(child: &std::process::Child) -> Pid {
    Pid::from_child(child)
}

/// How the child ended, leaving it unreaped; `None` while it runs.
pub(super) fn look(child: &mut std::process::Child) -> Option<ExitText> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match rustix::process::waitid(WaitId::Pid(number(child)), options) {
        Ok(None) | Err(Errno::INTR) => None,
        Ok(Some(status)) => Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => ExitText::code(code),
            (None, Some(signal)) => ExitText::signal(signal),
            (None, None) => ExitText::unknown(),
        }),
        Err(_) => Some(ExitText::unknown()),
    }
}

/// Asks the group of the child to end.
pub(super) fn ask_to_end(child: &mut std::process::Child) {
    signal(child, Signal::TERM);
}

/// Ends the group of the child at once.
pub(super) fn kill(child: &mut std::process::Child, _: &mut ExitWatch) {
    signal(child, Signal::KILL);
}

fn signal(child: &std::process::Child, signal: Signal) {
    // It fails only when nobody is left, or for members that run as somebody else: nothing can be done then.
    let _ = rustix::process::kill_process_group(number(child), signal);
}

/// Is anybody left in the group of the child, which must be reaped?
pub(super) fn group_lives(child: &std::process::Child, _: &ExitWatch) -> bool {
    // As the first process of a container this program inherits what its children leave behind.
    let adopted = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    while let Ok(Some(_)) = rustix::process::waitid(WaitId::Pgid(Some(number(child))), adopted) {}
    match rustix::process::test_kill_process_group(number(child)) {
        Ok(()) if only_zombies(number(child)) => {
            // Should one of them only look dead (its first thread has ended, others run), this ends it.
            signal(child, Signal::KILL);
            false
        }
        Ok(()) => true,
        // Members that may not be signalled. Where a group of zombies answers the same, nobody is left to signal.
        Err(Errno::PERM) => cfg!(target_os = "linux"),
        Err(_) => false,
    }
}

/// Are all members dead, only not reaped yet by whoever inherited them? Some first processes of containers are slow.
#[cfg(target_os = "linux")]
fn only_zombies(group: Pid) -> bool {
    let Ok(all) = std::fs::read_dir("/proc") else { return false };
    let group = group.as_raw_nonzero().to_string();
    let lives = |stat: &str| {
        // `pid (name) state parent group …`, and a name may hold anything.
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let state = fields.next();
        fields.nth(1) == Some(&group) && !matches!(state, Some("Z" | "X"))
    };
    !all.flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit))
        .any(|entry| std::fs::read_to_string(entry.path().join("stat")).is_ok_and(|stat| lives(&stat)))
}

#[cfg(not(target_os = "linux"))]
fn only_zombies(_group: Pid) -> bool {
    false
}
