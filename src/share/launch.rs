//! Starting the gateway that clients share: a process of its own, in a session of its own, so that it outlives the client
//! that needed it first.
//!
//! What the new gateway says until it is ready is read, a line each: its report, and anything else is for the eye of the
//! user. It takes no lock: see `attach.rs`.

use crate::share::apart;
use std::ffi::OsString;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::PipeReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;
use tokio::time::Instant;

/// How a gateway is started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// This program.
    pub binary: PathBuf,
    /// The same, should its file be gone.
    pub spare: Option<PathBuf>,
    /// What it is told, up to the options of the command.
    pub args: Vec<OsString>,
    /// How long it may take to be ready.
    pub patience: Duration,
}

/// Between two looks whether the client still wants it.
const STEP: Duration = Duration::from_millis(20);
/// Before every report.
const MARK: &str = "hold: ";

/// What a gateway that starts says last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Clients can come.
    Ready,
    /// Another gateway has the lock.
    Busy,
    /// The file wants no sharing; why, in words.
    Alone(String),
    /// It cannot start; the exit code.
    Failed(u8),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// What was said for the eye of the user.
    pub notes: Vec<String>,
    /// The last word.
    pub outcome: Report,
}

impl Report {
    /// As a line.
    #[must_use]
    pub fn line(&self) -> String {
        let word = match self {
            Self::Ready => "ready".into(),
            Self::Busy => "busy".into(),
            Self::Alone(why) => format!("alone {}", why.replace('\n', " ")),
            Self::Failed(code) => format!("failed {code}"),
        };
        format!("{MARK}{word}")
    }

    /// From a line; `None` for anything else.
    #[must_use]
    pub fn of(line: &str) -> Option<Self> {
        let line = line.strip_prefix(MARK)?;
        match line.split_once(' ').unwrap_or((line, "")) {
            ("ready", "") => Some(Self::Ready),
            ("busy", "") => Some(Self::Busy),
            ("alone", why) => Some(Self::Alone(why.to_owned())),
            ("failed", code) => code.parse().ok().map(Self::Failed),
            _ => None,
        }
    }
}

impl Launch {
    /// Starts a gateway and waits for its last word; `None` when the client `leaves` before.
    ///
    /// # Errors
    /// When it cannot be started, or says nothing in time.
    pub fn run(&self, leaves: &dyn Fn() -> bool) -> io::Result<Option<Launched>> {
        let (mut child, said) = self.spawn()?;
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        // It only starts the gateway in a session of its own, and is then over.
        child.wait()?;
        self.listen(&told, leaves)
    }

    fn listen(&self, told: &Receiver<String>, leaves: &dyn Fn() -> bool) -> io::Result<Option<Launched>> {
        let (mut notes, mut heard) = (Vec::new(), Instant::now());
        loop {
            match told.recv_timeout(STEP) {
                Ok(line) => match Report::of(&line) {
                    Some(outcome) => return Ok(Some(Launched { notes, outcome })),
                    None => {
                        notes.push(line);
                        heard = Instant::now();
                    }
                },
                Err(RecvTimeoutError::Timeout) if leaves() => return Ok(None),
                Err(RecvTimeoutError::Timeout) if heard.elapsed() < self.patience => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(io::Error::other(format!(
                        "it said nothing for {} s",
                        self.patience.as_secs()
                    )));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other(format!(
                        "it ended before it was ready; {}",
                        notes.join("; ")
                    )));
                }
            }
        }
    }

    /// The gateway, or what starts it, and what it says.
    fn spawn(&self) -> io::Result<(Child, PipeReader)> {
        match (spawn(&self.binary, &self.args), &self.spare) {
            (Err(why), Some(spare)) if why.kind() == io::ErrorKind::NotFound => {
                spawn(spare, &self.args).map_err(|_| self.explain(&why))
            }
            (started, _) => started.map_err(|why| self.explain(&why)),
        }
    }

    fn explain(&self, why: &io::Error) -> io::Error {
        let path = self.binary.display();
        let text = match why.kind() {
            io::ErrorKind::NotFound => {
                format!("this program is no longer at {path}, where it was started from")
            }
            _ => format!("{path} cannot be started: {why}"),
        };
        io::Error::new(why.kind(), text)
    }
}

fn spawn(binary: &Path, args: &[OsString]) -> io::Result<(Child, PipeReader)> {
    let mut command = Command::new(binary);
    command.arg("hold").arg("--detach").args(args);
    // Not our stderr: who waits for its end must not wait for the end of the gateway.
    let (said, says) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(says.try_clone()?).stderr(says);
    apart::part(&mut command);
    // The ends that are for the child go with the command.
    Ok((command.spawn()?, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_come_back_as_they_went() {
        let reports =
            [Report::Ready, Report::Busy, Report::Alone("`share` is false".into()), Report::Failed(2)];
        for report in reports {
            let line = report.line();
            assert!(!line.contains('\n'));
            assert_eq!(Report::of(&line), Some(report));
        }
        assert_eq!(Report::of("hello"), None);
    }

    #[test]
    fn a_program_that_is_gone_is_named() {
        let launch = Launch {
            binary: "/gone/mcp-manifold".into(),
            spare: None,
            args: Vec::new(),
            patience: Duration::ZERO,
        };
        let why = launch.run(&|| false).unwrap_err().to_string();
        assert_eq!(why, "this program is no longer at /gone/mcp-manifold, where it was started from");
    }
}
