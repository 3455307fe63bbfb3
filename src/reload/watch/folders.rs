//! File events for a path, whatever part of it is a symlink or does not exist yet.
//!
//! Events only say when to look; what happened is never taken from them. Without events the poll of the caller
//! finds every change a little later.

use crate::reload::watch::digest::inode;
use notify::EventKind;
use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher;
use notify::event::AccessKind;
use notify::event::AccessMode;
use std::collections::BTreeMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::SystemTime;
use tokio::sync::Notify;

/// As many symlinks as systems follow.
const MAX_LINKS: usize = 40;

/// A folder that was replaced is another folder. Inodes are used again, so the time of birth counts too.
type FolderId = (u64, Option<SystemTime>);

/// Which real folders matter for some paths, and which entries of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Route {
    folders: BTreeMap<PathBuf, FolderId>,
    entries: Vec<PathBuf>,
}

impl Route {
    /// The route to all of `paths`, which are absolute. It blocks.
    pub(super) fn to<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut route = Self::default();
        paths.into_iter().for_each(|path| route.walk(path));
        route
    }

    /// Each symlink along the way can be swapped, and so can the file at its end: their folders matter. When
    /// something is missing, the folder where it would appear does.
    fn walk(&mut self, path: &Path) {
        let mut here = PathBuf::new();
        let mut ahead: VecDeque<OsString> = VecDeque::new();
        push(&mut here, &mut ahead, path);
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                here.pop();
                continue;
            }
            let entry = here.join(&name);
            let meta = entry.symlink_metadata();
            if meta.as_ref().is_ok_and(std::fs::Metadata::is_dir) && !ahead.is_empty() {
                here = entry;
                continue;
            }
            self.add(&here, &entry);
            match entry.read_link() {
                Ok(target) if links < MAX_LINKS => {
                    links += 1;
                    push(&mut here, &mut ahead, &target);
                }
                _ => return,
            }
        }
    }

    fn add(&mut self, folder: &Path, entry: &Path) {
        if let Ok(meta) = folder.metadata() {
            self.folders.insert(folder.to_owned(), (inode(&meta), meta.created().ok()));
            self.entries.push(entry.to_owned());
        }
    }
}

/// Puts the parts of `path` in front; an absolute one starts over at the root.
fn push(here: &mut PathBuf, ahead: &mut VecDeque<OsString>, path: &Path) {
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::Prefix(_) | Component::RootDir => here.push(part),
            Component::CurDir => {}
            Component::ParentDir => names.push("..".into()),
            Component::Normal(name) => names.push(name.to_owned()),
        }
    }
    names.into_iter().rev().for_each(|name| ahead.push_front(name));
}

/// The system's watcher and what it is attached to.
#[derive(Debug)]
pub(super) struct Folders {
    watcher: Option<RecommendedWatcher>,
    attached: BTreeMap<PathBuf, FolderId>,
    /// Paths whose events count; read by the thread of the watcher.
    counted: Arc<Mutex<HashSet<PathBuf>>>,
    told: bool,
}

impl Folders {
    /// Calls `wake` when something may have changed.
    pub(super) fn new(wake: Arc<Notify>) -> Self {
        let counted: Arc<Mutex<HashSet<PathBuf>>> = Arc::default();
        let seen = Arc::clone(&counted);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_err() || event.is_ok_and(|event| counts(&event, &seen)) {
                wake.notify_one();
            }
        });
        let mut folders = Self { watcher: None, attached: BTreeMap::new(), counted, told: false };
        match watcher {
            Ok(watcher) => folders.watcher = Some(watcher),
            Err(error) => folders.tell(&error),
        }
        folders
    }

    /// No events at all.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self { watcher: None, attached: BTreeMap::new(), counted: Arc::default(), told: true }
    }

    /// Attaches to the folders of `route` and no others. True when a folder is new: what happened there since the
    /// last look was not seen.
    pub(super) fn follow(&mut self, route: &Route) -> bool {
        let Some(mut watcher) = self.watcher.take() else { return false };
        self.attached.retain(|folder, id| {
            let kept = route.folders.get(folder) == Some(id);
            if !kept {
                // It may be gone, and its watch with it.
                let _ = watcher.unwatch(folder);
            }
            kept
        });
        let mut counted: HashSet<PathBuf> = route.entries.iter().cloned().collect();
        counted.extend(route.folders.keys().cloned());
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = counted;
        let mut new = false;
        for (folder, id) in &route.folders {
            if self.attached.contains_key(folder) {
                continue;
            }
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.attached.insert(folder.clone(), *id);
                    new = true;
                }
                Err(error) => self.tell(&error),
            }
        }
        self.watcher = Some(watcher);
        new
    }

    fn tell(&mut self, error: &notify::Error) {
        if !self.told {
            self.told = true;
            tracing::warn!(error = %error, "no file events for the configuration, it is polled");
        }
    }
}

/// Opening and reading do not count: we do that ourselves.
fn counts(event: &notify::Event, counted: &Mutex<HashSet<PathBuf>>) -> bool {
    let read = matches!(event.kind, EventKind::Access(access)
        if access != AccessKind::Close(AccessMode::Write));
    // Elsewhere paths may be spelled in another way than they were asked for.
    let ours = || {
        let counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        event.need_rescan() || event.paths.iter().any(|path| counted.contains(path))
    };
    !read && (!cfg!(target_os = "linux") || ours())
}
