//! Where the clients of one file meet their gateway: a folder that only its user can enter, and the names in it.
//!
//! It makes and checks the folder. It opens no socket and takes no lock.

use crate::config::environment::Environment;
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

/// The folder to use: `named` (from `--runtime-dir`), else `mcp-manifold` in `$XDG_RUNTIME_DIR`, else a folder of this
/// user in `temp`.
#[must_use]
pub fn folder(named: Option<&Path>, environment: &Environment, temp: &Path, user: u32) -> PathBuf {
    let given = environment.var("XDG_RUNTIME_DIR").map(Path::new).filter(|folder| folder.is_absolute());
    match (named, given) {
        (Some(named), _) => environment.current_folder().join(named),
        (None, Some(given)) => given.join("mcp-manifold"),
        (None, None) => temp.join(format!("mcp-manifold-{user}")),
    }
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
        if place.socket().as_os_str().len() > LONGEST {
            return Err(PlaceError::TooLong(place.folder));
        }
        Ok(place)
    }

    /// Where clients connect.
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
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
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

#[cfg(not(unix))]
fn make(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)
}

#[cfg(not(unix))]
fn check(_: &Path, _: u32) -> Result<(), PlaceError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn the_folder_is_the_one_named_or_the_systems_or_one_in_the_temporary_folder() {
        let none: [(&str, &str); 0] = [];
        let bare = Environment::new(none, "/w");
        let system = Environment::new([("XDG_RUNTIME_DIR", "/run/user/7")], "/w");
        let relative = Environment::new([("XDG_RUNTIME_DIR", "run")], "/w");
        let of = |named: Option<&str>, environment: &Environment| {
            folder(named.map(Path::new), environment, Path::new("/tmp"), 7)
        };
        assert_eq!(of(Some("x"), &system), Path::new("/w/x"));
        assert_eq!(of(None, &system), Path::new("/run/user/7/mcp-manifold"));
        assert_eq!(of(None, &bare), Path::new("/tmp/mcp-manifold-7"));
        assert_eq!(of(None, &relative), Path::new("/tmp/mcp-manifold-7"));
    }

    #[test]
    fn the_folder_is_made_for_its_user_alone_and_refused_when_it_is_not() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a").join("b");
        let place = Place::prepare(folder.clone(), Path::new("mcp.json"), me()).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(place.socket().starts_with(&folder) && place.socket() != place.lock());
        for mode in [0o777, 0o755, 0o710] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            let refused = Place::prepare(folder.clone(), Path::new("mcp.json"), me()).unwrap_err();
            assert!(refused.to_string().contains(&format!("(mode {mode:03o})")), "{refused}");
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let foreign = Place::prepare(folder.clone(), Path::new("mcp.json"), me() + 1).unwrap_err();
        assert!(matches!(foreign, PlaceError::Foreign(_)), "{foreign}");
        let link = base.path().join("link");
        symlink(&folder, &link).unwrap();
        let linked = Place::prepare(link, Path::new("mcp.json"), me()).unwrap_err();
        assert!(matches!(linked, PlaceError::Foreign(_)), "{linked}");
        let long = base.path().join("x".repeat(LONGEST));
        let long = Place::prepare(long, Path::new("mcp.json"), me()).unwrap_err();
        assert!(matches!(long, PlaceError::TooLong(_)), "{long}");
    }

    #[test]
    fn a_file_has_one_place_whichever_way_it_is_written() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("conf");
        fs::create_dir(&folder).unwrap();
        symlink(&folder, base.path().join("same")).unwrap();
        assert_eq!(id_of(&folder.join("mcp.json")), id_of(&base.path().join("same/mcp.json")));
        assert_eq!(id_of(&folder.join("mcp.json")), id_of(&folder.join("./mcp.json")));
        assert_ne!(id_of(&folder.join("mcp.json")), id_of(&folder.join("other.json")));
    }
}
