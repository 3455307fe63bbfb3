//! Whose turn it is to renew a token: one of all tasks of all processes of this user.
//!
//! It only waits for a lock, and knows nothing of tokens.

use crate::config::file_lock;
use crate::config::file_lock::Lock;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::sleep;

/// How often a lock that somebody holds is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// Waits for the turn in the file at `path`, which is made if need be, for as long as `patience`.
///
/// # Errors
/// When the file cannot be opened or locked, or somebody holds it all the time.
pub(super) async fn wait(path: &Path, patience: Duration) -> io::Result<Lock> {
    let end = Instant::now() + patience;
    let owner = format!("pid {}", std::process::id());
    loop {
        if let Some(turn) = file_lock::take(path, &owner)? {
            return Ok(turn);
        }
        if Instant::now() >= end {
            let holder = file_lock::owner(path).unwrap_or_else(|| "another process".into());
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{holder} holds its lock")));
        }
        sleep(AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_has_the_turn_and_the_next_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let held = wait(&path, Duration::ZERO).await.unwrap();
        let late = wait(&path, AGAIN * 3).await.unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        assert!(late.to_string().contains(&format!("pid {}", std::process::id())), "{late}");
        let (next, ()) = tokio::join!(wait(&path, AGAIN * 100), async { drop(held) });
        assert!(next.is_ok() && path.exists());
        drop(next);
        assert!(!path.exists());
    }
}
