//! A lock that ends with its process, and says whose it is.
//!
//! The system holds the lock, so what a dead owner leaves behind is free at once; the text in the file is for people. It
//! never waits.

use std::fs::File;
use std::fs::OpenOptions;
#[cfg(unix)]
use std::fs::TryLockError;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// A lock that is held until it is dropped. Its file is removed then.
#[derive(Debug)]
pub struct Lock {
    /// `None` while it is dropped.
    file: Option<File>,
    path: PathBuf,
}

/// Takes the lock in the file at `path`, which is made if need be; `None` when somebody holds it.
///
/// `owner` is written into the file.
///
/// # Errors
/// When the file cannot be opened or locked.
pub fn take(path: &Path, owner: &str) -> io::Result<Option<Lock>> {
    loop {
        let Some(mut file) = open(path)? else { return Ok(None) };
        // The owner before may have removed it between opening and locking: then somebody else may lock the next one.
        if !is_at(&file, path)? {
            continue;
        }
        file.set_len(0)?;
        writeln!(file, "{owner}")?;
        return Ok(Some(Lock { file: Some(file), path: path.to_owned() }));
    }
}

/// Who holds the lock, as they wrote it; a dead owner may have left it.
#[must_use]
pub fn owner(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(unix)]
impl Drop for Lock {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        // While it is locked: nobody else has it now. Should the folder have been replaced, the file is somebody else's.
        if is_at(&file, &self.path).unwrap_or(false) {
            let _ = std::fs::remove_file(&self.path);
        }
        let _ = file.unlock();
    }
}

#[cfg(windows)]
impl Drop for Lock {
    fn drop(&mut self) {
        // Who opens it in between has the lock, and then it cannot be removed.
        drop(self.file.take());
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The file, locked; `None` when somebody else has the lock.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<Option<File>> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = options().mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The file, which others may only read while it is open; `None` when somebody else has it open so, or removes it.
#[cfg(windows)]
fn open(path: &Path) -> io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_SHARE_READ: u32 = 1;
    const SHARING_VIOLATION: i32 = 32;
    match options().share_mode(FILE_SHARE_READ).open(path) {
        Err(error) if error.raw_os_error() == Some(SHARING_VIOLATION) => Ok(None),
        opened => opened.map(Some),
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let held = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Elsewhere a file that is open so cannot be removed.
#[cfg(windows)]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;

    #[test]
    fn one_holds_it_and_what_is_left_behind_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        std::fs::write(&path, "pid 1, a long text that somebody left behind").unwrap();
        let held = take(&path, "pid 2").unwrap().unwrap();
        assert_eq!(owner(&path).as_deref(), Some("pid 2"));
        assert!(take(&path, "pid 3").unwrap().is_none());
        assert_eq!(owner(&path).as_deref(), Some("pid 2"));
        drop(held);
        assert!(!path.exists() && owner(&path).is_none());
        assert!(take(&path, "pid 3").unwrap().is_some());
    }

    #[cfg(unix)]
    #[test]
    fn the_file_of_another_lock_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let first = take(&path, "first").unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
        let second = take(&path, "second").unwrap().unwrap();
        drop(first);
        assert_eq!(owner(&path).as_deref(), Some("second"));
        assert!(take(&path, "third").unwrap().is_none());
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn many_who_take_it_and_give_it_back_never_have_it_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let (inside, turns) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while turns.load(Ordering::SeqCst) < 2000 {
                        if let Some(_held) = take(&path, "somebody").unwrap() {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            turns.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert!(!path.exists());
    }
}
