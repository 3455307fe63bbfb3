//! Whether a file is still the one that was read, at the price of one look at its entry.
//!
//! It does not watch: whoever needs to know asks.

use std::fs::Metadata;
use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;

/// A file that changed so recently may change once more without its time showing it.
const TICK: Duration = Duration::from_millis(100);

/// A file as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    changed: Option<SystemTime>,
    length: u64,
    identity: [u64; 3],
    times: [i64; 2],
}

impl Stamp {
    /// The file at `path` as it is now; `None` when there is none that can be looked at.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        let (identity, times) = own(&found);
        Some(Self { changed: found.modified().ok(), length: found.len(), identity, times })
    }

    /// True when a later change is sure to give another stamp.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.changed.is_some_and(|changed| changed.elapsed().is_ok_and(|age| age > TICK))
    }
}

/// Which file it is, who owns it and what others may do, and when that changed.
#[cfg(unix)]
fn own(found: &Metadata) -> ([u64; 3], [i64; 2]) {
    use std::os::unix::fs::MetadataExt;
    let rights = (u64::from(found.uid()) << 32) | u64::from(found.mode());
    ([found.dev(), found.ino(), rights], [found.ctime(), found.ctime_nsec()])
}

#[cfg(not(unix))]
fn own(_: &Metadata) -> ([u64; 3], [i64; 2]) {
    ([0; 3], [0; 2])
}
