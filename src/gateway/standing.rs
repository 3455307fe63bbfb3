//! What a gateway remembers of itself for `status` and `/readyz`: since when it runs, which snapshots are still held,
//! what became of the file, whether it is ending.
//!
//! It holds no snapshot and decides nothing but whether new requests are taken.

use crate::downstream::handle::ServerHandle;
use crate::gateway::snapshot::Snapshot;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// Problems of a file that are kept.
const PROBLEMS: usize = 20;

/// The gateway as a whole.
#[derive(Debug)]
pub struct Standing {
    began: Instant,
    ending: AtomicBool,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    snapshots: Vec<Weak<Snapshot>>,
    leaving: Vec<ServerHandle>,
    file: Option<PathBuf>,
    generation: u64,
    last: Option<(Instant, Reload)>,
}

/// What became of the file the last time it was looked at because something changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// It is in use.
    Used,
    /// It has errors: the last good one stays.
    Refused(Vec<String>),
    /// It is empty or gone: the last good one stays.
    Absent(&'static str),
}

/// The configuration, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// The file that is followed.
    pub file: Option<PathBuf>,
    /// How many configurations were put to use.
    pub generation: u64,
    /// What became of the last one, and how long ago.
    pub last: Option<(Duration, Reload)>,
}

impl Default for Standing {
    fn default() -> Self {
        Self { began: Instant::now(), ending: AtomicBool::new(false), table: Mutex::default() }
    }
}

impl Standing {
    /// This file is followed.
    pub fn follows(&self, file: &Path) {
        self.lock().file = Some(file.to_owned());
    }

    /// The file was looked at.
    pub fn reloaded(&self, mut outcome: Reload) {
        if let Reload::Refused(problems) = &mut outcome {
            problems.truncate(PROBLEMS);
        }
        let mut table = self.lock();
        table.generation += u64::from(outcome == Reload::Used);
        table.last = Some((Instant::now(), outcome));
    }

    /// `snapshot` is the current one.
    pub(super) fn published(&self, snapshot: &Arc<Snapshot>) {
        let mut table = self.lock();
        table.snapshots.retain(|held| held.strong_count() > 0);
        table.snapshots.push(Arc::downgrade(snapshot));
    }

    /// Snapshots that somebody holds, the current one among them.
    #[must_use]
    pub fn live_snapshots(&self) -> usize {
        self.lock().snapshots.iter().filter(|held| held.strong_count() > 0).count()
    }

    /// The file has this server no longer, or otherwise; it finishes its calls.
    pub fn leaves(&self, server: ServerHandle) {
        let mut table = self.lock();
        table.leaving.retain(|other| !other.is_stopped());
        table.leaving.push(server);
    }

    /// The servers that do so now.
    #[must_use]
    pub fn leaving(&self) -> Vec<ServerHandle> {
        self.lock().leaving.iter().filter(|server| !server.is_stopped()).cloned().collect()
    }

    /// No new requests are taken from here on.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// True once that was said.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Why requests are better sent elsewhere; `None` when they are not.
    #[must_use]
    pub fn unready(&self) -> Option<&'static str> {
        if self.is_ending() {
            Some("the gateway is shutting down")
        } else if self.lock().generation == 0 {
            Some("no configuration is in use yet")
        } else {
            None
        }
    }

    /// How long it has been running.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    /// How its configuration is.
    #[must_use]
    pub fn configured(&self) -> Configured {
        let table = self.lock();
        let last = table.last.as_ref().map(|(when, outcome)| (when.elapsed(), outcome.clone()));
        Configured { file: table.file.clone(), generation: table.generation, last }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_ready_between_the_first_configuration_and_the_end() {
        let standing = Standing::default();
        standing.reloaded(Reload::Refused(vec!["wrong".to_owned(); PROBLEMS + 1]));
        assert_eq!(standing.unready(), Some("no configuration is in use yet"));
        let Some((_, Reload::Refused(kept))) = standing.configured().last else { panic!("it was refused") };
        assert_eq!(kept.len(), PROBLEMS);
        standing.reloaded(Reload::Used);
        standing.reloaded(Reload::Absent("is gone"));
        assert_eq!((standing.unready(), standing.configured().generation), (None, 1));
        standing.end();
        assert_eq!(standing.unready(), Some("the gateway is shutting down"));
    }
}
