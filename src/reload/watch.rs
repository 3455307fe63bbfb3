//! Says when the configuration file should be read again.
//!
//! It does not read configurations, and it never says so for content that was said to be known: an event is only a
//! reason to look, a tick follows from a digest that is new and has stopped changing.

mod digest;
mod folders;

pub use crate::reload::watch::digest::Digest;

use crate::config::model::WatchSettings;
use crate::reload::watch::digest::Content;
use crate::reload::watch::digest::Look;
use crate::reload::watch::folders::Folders;
use crate::reload::watch::folders::Route;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio::time::sleep_until;

/// Quiet time when somebody asked for a look: a whole write is waited for, a long debounce is not.
const ASKED_QUIET: Duration = Duration::from_millis(200);
/// Events come in bursts: one look for all within this time.
const BURST: Duration = Duration::from_millis(10);
/// Extra quiet time before a file is called empty or gone: editors truncate or delete first.
const ABSENT: Duration = Duration::from_millis(500);

/// A reason to read the file again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tick {
    /// There is content that was not acknowledged, content is back, or somebody asked.
    Changed(Digest),
    /// The file is there and has nothing in it. Said once.
    Empty,
    /// The file is not there. Said once.
    Gone,
}

/// Follows one file, and the extra files its content names.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    extra: Vec<PathBuf>,
    settings: WatchSettings,
    folders: Folders,
    signal: Arc<Signal>,
    known: Known,
    told_absent: Option<Content>,
    last: Option<Look>,
    next_look: Instant,
    settled_at: Option<Instant>,
    asked: bool,
}

/// Asks for a tick from elsewhere.
#[derive(Debug, Clone)]
pub struct WatchHandle(Arc<Signal>);

#[derive(Debug, Default)]
struct Signal {
    wake: Arc<Notify>,
    asked: AtomicBool,
}

/// What was acknowledged.
#[derive(Debug, Default)]
struct Known {
    main: Option<Content>,
    extra: BTreeMap<PathBuf, Content>,
}

impl WatchHandle {
    /// Asks for a tick although nothing changed (SIGHUP). A writer at work is still waited for.
    pub fn poke(&self) {
        self.0.asked.store(true, Ordering::Release);
        self.0.wake.notify_one();
    }
}

impl Watch {
    /// Follows `path`, which need not exist. Nothing is acknowledged yet: present content gives a tick.
    ///
    /// # Panics
    /// Outside a tokio runtime, later, in [`Watch::next`].
    #[must_use]
    pub fn new(path: PathBuf, settings: WatchSettings) -> Self {
        let signal = Arc::new(Signal::default());
        let folders = Folders::new(Arc::clone(&signal.wake));
        Self {
            path: std::path::absolute(&path).unwrap_or(path),
            extra: Vec::new(),
            settings,
            folders,
            signal,
            known: Known::default(),
            told_absent: None,
            last: None,
            next_look: Instant::now(),
            settled_at: None,
            asked: false,
        }
    }

    /// A handle for asking.
    #[must_use]
    pub fn handle(&self) -> WatchHandle {
        WatchHandle(Arc::clone(&self.signal))
    }

    /// The digest of what is there now. Read it before loading and acknowledge it after: then no change in between
    /// is missed.
    pub async fn digest(&self) -> Digest {
        self.look().await.0.digest
    }

    /// Content with this digest is known, applied or refused: it gives no tick. A digest that is not acknowledged
    /// gives a tick again at the next look, at the latest after the poll time.
    pub fn acknowledge(&mut self, digest: &Digest) {
        self.known.main = Some(digest.main);
        let followed = digest.extra.iter().filter(|(file, _)| self.extra.contains(file));
        self.known.extra.extend(followed.map(|(file, content)| (file.clone(), *content)));
    }

    /// Follows these files too, as they are now: only later changes of them give a tick.
    pub fn set_extra_files(&mut self, files: Vec<PathBuf>) {
        self.extra = files.into_iter().map(|file| std::path::absolute(&file).unwrap_or(file)).collect();
        let mut known = std::mem::take(&mut self.known.extra);
        for file in &self.extra {
            let content = known.remove(file).unwrap_or_else(|| Content::read(file));
            self.known.extra.insert(file.clone(), content);
        }
        self.next_look = Instant::now();
    }

    /// The next reason to read the file again. Cancel-safe.
    pub async fn next(&mut self) -> Tick {
        loop {
            tokio::select! {
                biased;
                () = sleep_until(self.next_look) => {}
                () = self.signal.wake.notified() => {
                    self.next_look = self.next_look.min(Instant::now() + BURST);
                    continue;
                }
            }
            self.asked |= self.signal.asked.swap(false, Ordering::AcqRel);
            let (look, route) = self.look().await;
            // A folder just attached may have changed since the look.
            let again = self.folders.follow(&route);
            let now = Instant::now();
            let tick = self.judge(look, now);
            if again {
                self.next_look = now;
            }
            if let Some(tick) = tick {
                return tick;
            }
        }
    }

    async fn look(&self) -> (Look, Route) {
        let (path, extra) = (self.path.clone(), self.extra.clone());
        let look = move || {
            let route = Route::to(std::iter::once(&path).chain(&extra).map(PathBuf::as_path));
            (Look::take(&path, &extra), route)
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(seen) => seen,
            // Only while the runtime shuts down: nobody waits for an answer any more.
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits for as long as looks differ, then decides.
    fn judge(&mut self, look: Look, now: Instant) -> Option<Tick> {
        let moved = self.last.as_ref() != Some(&look);
        let digest = look.digest.clone();
        self.last = Some(look);
        if !self.is_news(&digest) {
            self.settled_at = None;
            self.next_look = now + self.settings.poll;
            return None;
        }
        let extra = if digest.main.is_absent() { ABSENT } else { Duration::ZERO };
        let settled_at = match self.settled_at {
            Some(time) if !moved => time,
            None if !moved && self.asked => now,
            _ if self.asked => now + self.settings.debounce.min(ASKED_QUIET) + extra,
            _ => now + self.settings.debounce + extra,
        };
        if now < settled_at {
            self.settled_at = Some(settled_at);
            self.next_look = settled_at.min(now + self.settings.poll);
            return None;
        }
        self.settled_at = None;
        self.next_look = now + self.settings.poll;
        self.asked = false;
        Some(self.tick(digest))
    }

    fn is_news(&self, digest: &Digest) -> bool {
        let news = match digest.main {
            absent if absent.is_absent() => self.told_absent != Some(absent),
            content => {
                let same = |(file, content)| self.known.extra.get(file) == Some(content);
                self.told_absent.is_some()
                    || self.known.main != Some(content)
                    || !digest.extra.iter().all(same)
            }
        };
        news || self.asked
    }

    fn tick(&mut self, digest: Digest) -> Tick {
        self.told_absent = Some(digest.main).filter(|main| main.is_absent());
        match digest.main {
            Content::Gone => Tick::Gone,
            Content::Empty => Tick::Empty,
            _ => Tick::Changed(digest),
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
