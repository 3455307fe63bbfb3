//! Catalogs on disk, so that the next start can answer every list without starting a server.
//!
//! Small blocking calls on a folder that only its user can read. It logs nothing and never fails a start: what cannot
//! be read is absent, with the reason for whoever wants to tell.

use crate::catalog::lists::ServerLists;
use crate::catalog::owners::Owners;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

/// The format of the files; files of another one are not read.
pub const FORMAT: u32 = 1;

/// The folder within the cache folder.
const FOLDER: &str = "catalog";
const ENTRY: &str = "entry-";
const OWNERS: &str = "owners-";
const KEY: &str = "key";
const TEMPORARY: &str = ".new-";

/// A folder of saved catalogs.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// The saved lists of one entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// What the server said.
    pub lists: ServerLists,
    /// Digest of the secrets it was said under, with the key of this folder.
    pub secret_digest: String,
    /// When it was saved, in seconds since 1970.
    pub saved_at: u64,
}

/// What became of an attempt to load.
#[derive(Debug)]
pub enum Loaded<T> {
    /// It is there.
    Found(T),
    /// It was never saved.
    Absent,
    /// There is a file that cannot be used.
    Unusable(Unusable),
}

/// Why a saved file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// An older or newer release wrote it.
    #[error("it has format {0}, this release reads format {FORMAT}")]
    OtherFormat(u32),
    /// It is cut off or changed.
    #[error("it is not a saved catalog: {0}")]
    Corrupt(serde_json::Error),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
}

impl<T> Loaded<T> {
    /// What was loaded, if anything.
    #[must_use]
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(loaded) => Some(loaded),
            Self::Absent | Self::Unusable(_) => None,
        }
    }
}

/// An entry as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryFile {
    format: u32,
    secret_digest: String,
    saved_at: u64,
    lists: ServerLists,
}

/// An entry as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryText<'a> {
    format: u32,
    secret_digest: &'a str,
    saved_at: u64,
    lists: &'a ServerLists,
}

#[derive(Deserialize)]
struct OwnersFile {
    format: u32,
    owners: Owners,
}

#[derive(Serialize)]
struct OwnersText<'a> {
    format: u32,
    owners: &'a Owners,
}

/// All that is needed of a file that cannot be read as a whole.
#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

impl Store {
    /// Opens the folder `catalog` in `dir`, and makes both when they are absent.
    ///
    /// # Errors
    /// When it cannot be made, belongs to another user, or can be written by others.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let folder = dir.join(FOLDER);
        make_private(&folder)?;
        Ok(Self { folder })
    }

    /// The saved lists of the entry with this digest.
    #[must_use]
    pub fn load(&self, entry_digest: &str) -> Loaded<Stored> {
        let read = |file: EntryFile| {
            let EntryFile { format, secret_digest, saved_at, lists } = file;
            (format, Stored { lists, secret_digest, saved_at })
        };
        self.load_file(ENTRY, entry_digest, read)
    }

    /// Saves the lists of one entry; `saved_at` is in seconds since 1970.
    ///
    /// # Errors
    /// When the folder cannot be written, or `entry_digest` is no digest.
    pub fn save(
        &self,
        entry_digest: &str,
        lists: &ServerLists,
        secret_digest: &str,
        saved_at: u64,
    ) -> io::Result<()> {
        let text = EntryText { format: FORMAT, secret_digest, saved_at, lists };
        self.write(&file_name(ENTRY, entry_digest)?, &serde_json::to_vec(&text)?)
    }

    /// The remembered owners of the names of one configuration.
    #[must_use]
    pub fn load_owners(&self, config_id: &str) -> Loaded<Owners> {
        self.load_file(OWNERS, config_id, |file: OwnersFile| (file.format, file.owners))
    }

    /// Remembers the owners of the names of one configuration.
    ///
    /// # Errors
    /// When the folder cannot be written, or `config_id` has other characters than `[A-Za-z0-9_-]`.
    pub fn save_owners(&self, config_id: &str, owners: &Owners) -> io::Result<()> {
        let text = OwnersText { format: FORMAT, owners };
        self.write(&file_name(OWNERS, config_id)?, &serde_json::to_vec(&text)?)
    }

    /// The key for digests of secrets, made at random by the first that asks.
    ///
    /// # Errors
    /// When there is none and it cannot be written.
    pub fn key(&self) -> io::Result<[u8; 32]> {
        let path = self.folder.join(KEY);
        match fs::read(&path) {
            Ok(bytes) => match <[u8; 32]>::try_from(bytes) {
                Ok(key) => return Ok(key),
                Err(_) => fs::remove_file(&path)?,
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let temporary = self.temporary(&key)?;
        // A link, not a rename: of two that start at once both must use the key of the first.
        let linked = fs::hard_link(&temporary, &path);
        let removed = fs::remove_file(&temporary);
        match linked {
            Ok(()) => removed.map(|()| key),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let kept = fs::read(&path)?;
                kept.try_into().map_err(|_| io::Error::new(ErrorKind::InvalidData, "the key file is damaged"))
            }
            // A file system without links.
            Err(_) => self.write(KEY, &key).map(|()| key),
        }
    }

    /// Removes entries that are not in `keep` and were saved before `older_than`, and files left by a crash; returns
    /// how many.
    ///
    /// # Errors
    /// When the folder cannot be read. A file that cannot be removed stays.
    pub fn prune(&self, keep: &HashSet<String>, older_than: SystemTime) -> io::Result<usize> {
        let mut removed = 0;
        for file in fs::read_dir(&self.folder)? {
            let file = file?;
            let name = file.file_name();
            let name = name.to_string_lossy();
            let entry = name.strip_prefix(ENTRY).and_then(|rest| rest.strip_suffix(".json"));
            let unused = name.starts_with(TEMPORARY) || entry.is_some_and(|digest| !keep.contains(digest));
            let old = || file.metadata().and_then(|known| known.modified()).is_ok_and(|at| at < older_than);
            if unused && old() && fs::remove_file(file.path()).is_ok() {
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn load_file<F: DeserializeOwned, T>(
        &self,
        start: &str,
        id: &str,
        read: impl FnOnce(F) -> (u32, T),
    ) -> Loaded<T> {
        let Ok(name) = file_name(start, id) else { return Loaded::Absent };
        let text = match read_text(&self.folder.join(name)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Loaded::Absent,
            Err(error) => return Loaded::Unusable(Unusable::Io(error)),
        };
        match serde_json::from_str(&text).map(read) {
            Ok((FORMAT, loaded)) => Loaded::Found(loaded),
            Ok((format, _)) => Loaded::Unusable(Unusable::OtherFormat(format)),
            Err(error) => match serde_json::from_str(&text) {
                Ok(AnyFormat { format }) if format != FORMAT => {
                    Loaded::Unusable(Unusable::OtherFormat(format))
                }
                _ => Loaded::Unusable(Unusable::Corrupt(error)),
            },
        }
    }

    /// Puts `bytes` in place of `name` in one step: a reader sees the old file or the new one.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.temporary(bytes)?;
        fs::rename(&temporary, self.folder.join(name)).inspect_err(|_| {
            // It is of no use to anybody, and `prune` removes it otherwise.
            let _ = fs::remove_file(&temporary);
        })
    }

    /// A new file with `bytes` under a name that nobody else uses.
    fn temporary(&self, bytes: &[u8]) -> io::Result<PathBuf> {
        let number = getrandom::u64().map_err(io::Error::other)?;
        let path = self.folder.join(format!("{TEMPORARY}{number:016x}"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&path)?.write_all(bytes);
        if let Err(error) = written {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(path)
    }
}

/// The file of `id`, which must not lead anywhere else.
fn file_name(start: &str, id: &str) -> io::Result<String> {
    let valid = (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !valid {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not an identifier of a saved catalog"));
    }
    Ok(format!("{start}{id}.json"))
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let known = fs::metadata(folder)?;
    let user = rustix::process::geteuid();
    if !user.is_root() && known.uid() != user.as_raw() {
        let text = format!("`{}` belongs to another user", folder.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, text));
    }
    // Saved catalogs decide where calls go: nobody else may write them. On a read-only disk reading must do.
    let tightened = if known.mode() & 0o077 == 0 {
        Ok(())
    } else {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
    };
    if known.mode() & 0o022 == 0 { Ok(()) } else { tightened }
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(test)]
mod tests;
