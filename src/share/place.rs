//! Where the clients of one file meet their gateway: a folder that only its user can enter, and the names in it.
//!
//! It makes and checks the folder. It opens no socket and takes no lock.

use crate::config::environment::Environment;
use crate::config::file_lock;
use crate::secret::hex::hex;
use sha2::Digest;
use sha2::Sha256;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// Longest path of a Unix socket that every system takes, in bytes (macOS: 104 with the end).
const LONGEST: usize = 100;

/// The files of one configuration file in the runtime folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    folder: PathBuf,
    id: String,
}

/// The runtime folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It cannot be made or looked at.
    #[error("the runtime folder {} cannot be used: {why}", .folder.display())]
    Unusable {
        /// Which.
        folder: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// It belongs to somebody else, is a link, or no folder.
    #[error("the runtime folder {} is not a folder of this user: remove it, or choose another with --runtime-dir", .0.display())]
    Foreign(PathBuf),
    /// Others may enter it.
    #[error("the runtime folder {} is open to other users (mode {mode:03o}): `chmod 700` it", .folder.display())]
    Open {
        /// Which.
        folder: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A socket in it would have too long a name.
    #[error("the runtime folder {} has too long a path for a socket: choose a shorter one with --runtime-dir", .0.display())]
    TooLong(PathBuf),
}

/// The folder to use: `named` (from `--runtime-dir`), else `own`, which is this user's.
///
/// No variable has a say: clients pass on to what they start only some of theirs, and all must meet in one place.
#[must_use]
pub fn folder(named: Option<&Path>, environment: &Environment, own: PathBuf) -> PathBuf {
    named.map_or(own, |named| environment.current_folder().join(named))
}

impl Place {
    /// The place of the file `config` in `folder`, which is made if need be, and must belong to `user` alone.
    ///
    /// # Errors
    /// [`PlaceError`], which says what is wrong with the folder.
    pub fn prepare(folder: PathBuf, config: &Path, user: u32) -> Result<Self, PlaceError> {
        make(&folder).map_err(|why| PlaceError::Unusable { folder: folder.clone(), why })?;
        check(&folder, user)?;
        let place = Self { id: id_of(config), folder };
        if cfg!(unix) && place.only_for(u32::MAX).socket().as_os_str().len() > LONGEST {
            return Err(PlaceError::TooLong(place.folder));
        }
        Ok(place)
    }

    /// The place of a gateway that is for the client of the process `pid` alone.
    #[must_use]
    pub fn only_for(&self, pid: u32) -> Self {
        Self { folder: self.folder.clone(), id: format!("{}-{pid}", self.id) }
    }

    /// Where clients connect: the socket, or the note that names the pipe.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.named("sock")
    }

    /// Locked by the gateway as long as it runs.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.named("lock")
    }

    /// Locked by a client while it starts the gateway.
    #[must_use]
    pub fn start_lock(&self) -> PathBuf {
        self.named("start")
    }

    /// The log of a gateway that nobody gave another.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.named("log")
    }

    /// Removes what gateways and clients of other places left here when they were killed. Whoever lives has a lock.
    pub fn sweep(&self) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            let is_own = path.file_stem().is_some_and(|stem| *stem == *self.id);
            if is_own || !matches!(ending, Some("lock" | "start")) {
                continue;
            }
            // With the lock its file goes, too.
            if let Ok(Some(_dead)) = file_lock::take(&path, "swept") {
                let _ = std::fs::remove_file(path.with_extension("sock"));
            }
        }
    }

    fn named(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.id))
    }
}

/// A short name for a file, the same whichever way it was written. The file itself may be a link that is retargeted, so only
/// its folder is resolved.
fn id_of(config: &Path) -> String {
    let whole = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    let folder = whole.parent().and_then(|folder| folder.canonicalize().ok());
    let resolved = folder.zip(whole.file_name()).map(|(folder, name)| folder.join(name));
    let digest = Sha256::digest(resolved.unwrap_or(whole).as_os_str().as_encoded_bytes());
    hex(&digest[..8])
}

#[cfg(unix)]
fn make(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if folder.symlink_metadata().is_ok() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        // Somebody was faster; who that was is looked at next.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

#[cfg(unix)]
fn check(folder: &Path, user: u32) -> Result<(), PlaceError> {
    use std::os::unix::fs::MetadataExt;
    let found = folder.symlink_metadata();
    let found = found.map_err(|why| PlaceError::Unusable { folder: folder.to_owned(), why })?;
    if !found.is_dir() || found.uid() != user {
        return Err(PlaceError::Foreign(folder.to_owned()));
    }
    match found.mode() & 0o777 {
        mode if mode & 0o077 != 0 => Err(PlaceError::Open { folder: folder.to_owned(), mode }),
        _ => Ok(()),
    }
}

#[cfg(windows)]
fn make(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)
}

/// Folders of a user are closed to others there; of one that was named it is not checked.
#[cfg(windows)]
fn check(_: &Path, _: u32) -> Result<(), PlaceError> {
    Ok(())
}

#[cfg(test)]
mod tests;
