//! How a process ended, in words.
//!
//! It does not judge whether that end was wanted.

use std::fmt;

/// How a process ended: `exited with code 3`, `was killed by signal 9 (SIGKILL)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitText(String);

impl ExitText {
    pub(super) fn code(code: i32) -> Self {
        Self(format!("exited with code {code}"))
    }

    #[cfg(unix)]
    pub(super) fn signal(number: i32) -> Self {
        let name = signal_name(number).map(|name| format!(" ({name})")).unwrap_or_default();
        Self(format!("was killed by signal {number}{name}"))
    }

    /// Somebody else reaped it: a parent that ignores SIGCHLD leaves that to its children.
    pub(super) fn unknown() -> Self {
        Self("ended, how is unknown".into())
    }

    pub(super) fn stuck() -> Self {
        Self("did not end after being killed".into())
    }
}

impl fmt::Display for ExitText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(unix)]
fn signal_name(number: i32) -> Option<&'static str> {
    use rustix::process::Signal;
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::SYS, "SIGSYS"),
    ];
    names.into_iter().find(|(signal, _)| signal.as_raw() == number).map(|(_, name)| name)
}
