//! A child and everything it starts: waiting for its end, stopping all of it.
//!
//! The leader is reaped late on purpose. While it is not reaped its number, which is also that of the group, belongs to
//! it; after that only while a member of the group lives. It does not close pipes: their owner does.

use crate::config::model::StopGrace;
use crate::downstream::process::exit::ExitText;
#[cfg(unix)]
use crate::downstream::process::unix as os;
#[cfg(not(unix))]
use crate::downstream::process::windows as os;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio::time::timeout_at;

/// Shortest and longest pause between looks at an emptying group; the system does not report that.
const GROUP_LOOK: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];
/// Longest wait for the dead after SIGKILL: only a process stuck in the kernel takes longer.
const KILL_WAIT: Duration = Duration::from_secs(2);

/// A child, its process group, and the duty to end both.
///
/// Dropping it without [`ChildTree::stop`] kills the group at once.
#[derive(Debug)]
pub struct ChildTree {
    leader: std::process::Child,
    watch: os::ExitWatch,
    exit: Option<ExitText>,
    stage: Stage,
}

/// What has been cleared away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The leader runs, or ended and is not reaped.
    Owned,
    /// The leader is reaped; members of its group may live.
    Reaped,
    /// Nobody is left, or nothing more can be done.
    Done,
}

/// The strongest means that was needed to end a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Closing stdin was enough, or it had ended already.
    Eof,
    /// SIGTERM.
    Term,
    /// SIGKILL.
    Kill,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eof => "closing stdin",
            Self::Term => "SIGTERM",
            Self::Kill => "SIGKILL",
        })
    }
}

/// What stopping a tree took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopReport {
    /// How the child itself ended.
    pub exit: ExitText,
    /// The strongest means needed, for the child or for what it left behind.
    pub how: How,
}

impl ChildTree {
    pub(super) fn new(leader: std::process::Child) -> Self {
        let watch = os::ExitWatch::new(&leader);
        Self { leader, watch, exit: None, stage: Stage::Owned }
    }

    /// The number of the child; also that of its process group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.leader.id()
    }

    /// Waits until the child itself has ended. What it started may live on until [`ChildTree::stop`]. Cancel-safe.
    pub async fn wait(&mut self) -> ExitText {
        loop {
            if self.exit.is_none() {
                self.exit = os::look(&mut self.leader);
            }
            if let Some(exit) = &self.exit {
                return exit.clone();
            }
            self.watch.changed().await;
        }
    }

    /// Ends the child and all it started, and reaps it. Its stdin must have been closed just before.
    ///
    /// Takes at most `grace.eof`, twice `grace.term`, and a few seconds for processes that are stuck. When the future
    /// is dropped half-way, dropping the tree still kills what is left.
    pub async fn stop(&mut self, grace: StopGrace) -> StopReport {
        let mut how = How::Eof;
        let mut asked_until = None;
        if !self.ended_by(Instant::now() + grace.eof).await {
            let until = Instant::now() + grace.term;
            asked_until = Some(until);
            how = How::Term;
            os::ask_to_end(&mut self.leader);
            if !self.ended_by(until).await {
                how = How::Kill;
                os::kill(&mut self.leader, &mut self.watch);
                self.ended_by(Instant::now() + KILL_WAIT).await;
            }
        }
        let how = how.max(self.clear_group(asked_until, grace.term).await);
        if self.exit.is_some() {
            self.stage = Stage::Done;
        }
        StopReport { exit: self.exit.clone().unwrap_or_else(ExitText::stuck), how }
    }

    async fn ended_by(&mut self, end: Instant) -> bool {
        timeout_at(end, self.wait()).await.is_ok()
    }

    /// Ends what the leader left behind.
    async fn clear_group(&mut self, asked_until: Option<Instant>, term: Duration) -> How {
        if self.stage == Stage::Done || self.exit.is_none() {
            return How::Eof;
        }
        if self.stage == Stage::Owned && asked_until.is_none() {
            os::ask_to_end(&mut self.leader);
        }
        let until = asked_until.unwrap_or_else(|| Instant::now() + term);
        self.reap();
        if !os::group_lives(&self.leader, &self.watch) {
            return How::Eof;
        }
        if timeout_at(until, self.group_empty()).await.is_ok() {
            return How::Term;
        }
        os::kill(&mut self.leader, &mut self.watch);
        if timeout(KILL_WAIT, self.group_empty()).await.is_err() {
            tracing::debug!(group = self.pid(), "process group is not empty after SIGKILL");
        }
        How::Kill
    }

    async fn group_empty(&self) {
        let [mut pause, longest] = GROUP_LOOK;
        while os::group_lives(&self.leader, &self.watch) {
            sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }

    /// The leader has ended: this does not block.
    fn reap(&mut self) {
        if self.stage == Stage::Owned {
            let _ = self.leader.try_wait();
            self.stage = Stage::Reaped;
        }
    }
}

impl Drop for ChildTree {
    fn drop(&mut self) {
        match self.stage {
            Stage::Done => {}
            Stage::Reaped => {
                if os::group_lives(&self.leader, &self.watch) {
                    os::kill(&mut self.leader, &mut self.watch);
                }
            }
            Stage::Owned => {
                os::kill(&mut self.leader, &mut self.watch);
                reap_later(&mut self.leader);
            }
        }
    }
}

/// Death takes a moment. The runtime may be gone, so a thread waits for it; it ends with the child.
#[cfg(unix)]
fn reap_later(leader: &mut std::process::Child) {
    use rustix::process::Pid;
    use rustix::process::WaitOptions;
    if matches!(leader.try_wait(), Ok(Some(_))) {
        return;
    }
    let pid = Pid::from_child(leader);
    let wait = move || {
        let _ = rustix::process::waitpid(Some(pid), WaitOptions::empty());
    };
    // Without a thread the child stays a zombie until this program ends.
    let _ = std::thread::Builder::new().name("reap".into()).stack_size(64 << 10).spawn(wait);
}

/// Elsewhere nobody has to wait for it.
#[cfg(not(unix))]
fn reap_later(_: &mut std::process::Child) {}
