//! What happened to a server since it was launched, for people: since when it is in its state and why, how often it was
//! started again, what it wrote on stderr last.
//!
//! It only remembers; nothing is decided by it, and no call looks at it.

use crate::downstream::process::StderrRing;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::SystemTime;
use tokio::time::Instant;

/// Lines of stderr that are shown.
const LINES: usize = 10;

/// The history of one connection.
pub(super) struct History(Mutex<Told>);

struct Told {
    since: Instant,
    reason: Option<Arc<str>>,
    starts: u64,
    restarts: u64,
    /// The last start failed, or what was started ended by itself.
    broke: bool,
    ended: Option<(Arc<str>, Instant)>,
    stderr: Option<StderrRing>,
    /// Of a start that failed, whose ring is gone.
    last_words: Vec<String>,
    listed: Option<SystemTime>,
}

/// The same at one moment.
pub(super) struct Seen {
    /// Since when it is in a state that does not know this itself.
    pub(super) since: Instant,
    /// Why it is in it.
    pub(super) reason: Option<Arc<str>>,
    /// Attempts to start it.
    pub(super) starts: u64,
    /// Those after a start that failed or a connection that ended by itself.
    pub(super) restarts: u64,
    /// How it ended by itself the last time, and when.
    pub(super) ended: Option<(Arc<str>, Instant)>,
    /// The last lines of stderr, oldest first.
    pub(super) stderr: Vec<String>,
    /// When its lists were read.
    pub(super) listed: Option<SystemTime>,
}

impl Default for History {
    fn default() -> Self {
        Self(Mutex::new(Told {
            since: Instant::now(),
            reason: None,
            starts: 0,
            restarts: 0,
            broke: false,
            ended: None,
            stderr: None,
            last_words: Vec::new(),
            listed: None,
        }))
    }
}

impl History {
    /// It is being started.
    pub(super) fn starting(&self) {
        let mut told = self.lock();
        told.starts += 1;
        told.restarts += u64::from(std::mem::take(&mut told.broke));
    }

    /// It is ready, and writes to `stderr` where it is a child.
    pub(super) fn ready(&self, stderr: Option<StderrRing>) {
        let mut told = self.lock();
        (told.stderr, told.last_words, told.reason) = (stderr, Vec::new(), None);
    }

    /// It could not be started.
    pub(super) fn failed(&self, last_words: &[String]) {
        let mut told = self.lock();
        (told.broke, told.stderr, told.last_words) = (true, None, last_words.to_vec());
        told.since = Instant::now();
    }

    /// Its connection ended by itself.
    pub(super) fn ended(&self, how: &Arc<str>) {
        let mut told = self.lock();
        told.broke = true;
        told.ended = Some((Arc::clone(how), Instant::now()));
        drop(told);
        self.rests(&format!("it {how}"));
    }

    /// It is in another state from now on: idle or draining.
    pub(super) fn rests(&self, reason: &str) {
        let mut told = self.lock();
        (told.since, told.reason) = (Instant::now(), Some(reason.into()));
    }

    /// Its lists are those of this time.
    pub(super) fn listed(&self, when: SystemTime) {
        self.lock().listed = Some(when);
    }

    /// How it looks now.
    pub(super) fn seen(&self) -> Seen {
        let told = self.lock();
        let stderr = told.stderr.as_ref();
        Seen {
            since: told.since,
            reason: told.reason.clone(),
            starts: told.starts,
            restarts: told.restarts,
            ended: told.ended.clone(),
            stderr: stderr.map_or_else(|| told.last_words.clone(), |ring| ring.last_lines(LINES)),
            listed: told.listed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
