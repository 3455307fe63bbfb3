//! Whose turn it is to renew a token: one of all tasks of all processes of this user.
//!
//! The system holds the lock, so what a dead owner leaves behind is free at once. It knows nothing of tokens.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::sleep;

/// How often a lock that somebody holds is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// A turn that is held until it is dropped. Its file is removed then.
#[derive(Debug)]
pub struct Turn {
    file: File,
    path: PathBuf,
}

/// Waits for the turn in the file at `path`, which is made if need be, for as long as `patience`.
///
/// # Errors
/// When the file cannot be opened or locked, or somebody holds it all the time.
pub(super) async fn wait(path: &Path, patience: Duration) -> io::Result<Turn> {
    let end = Instant::now() + patience;
    loop {
        if let Some(turn) = take(path)? {
            return Ok(turn);
        }
        if Instant::now() >= end {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds its lock"));
        }
        sleep(AGAIN).await;
    }
}

fn take(path: &Path) -> io::Result<Option<Turn>> {
    loop {
        let file = options().open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The owner before may have removed it between opening and locking: then somebody else may lock the next one.
        if is_at(&file, path)? {
            return Ok(Some(Turn { file, path: path.to_owned() }));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // While it is locked: nobody else has it now.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
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

/// Elsewhere a file that is open cannot be removed.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_has_the_turn_and_the_next_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let held = wait(&path, Duration::ZERO).await.unwrap();
        assert_eq!(wait(&path, AGAIN * 3).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let (next, ()) = tokio::join!(wait(&path, AGAIN * 100), async { drop(held) });
        assert!(next.is_ok() && path.exists());
        drop(next);
        assert!(!path.exists());
    }
}
