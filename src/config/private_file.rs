//! Files that only their user may read or change.
//!
//! It checks and writes them, and knows nothing of their content. Elsewhere than on Unix permissions are not looked at.

use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;

/// What others must not do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// Neither read nor change it.
    Nothing,
    /// Not change it.
    Read,
}

/// Why a file is not as private as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Exposed {
    /// Others can read or change it.
    #[error("it is open to other users (mode {0:03o}): `chmod 600` it")]
    Mode(u32),
    /// Others can change it.
    #[error("other users can change it (mode {0:03o}): `chmod go-w` it")]
    Writable(u32),
    /// Somebody else owns it.
    #[error("it belongs to another user (uid {0}): make a copy that is yours, with `chmod 600`")]
    Foreign(u32),
}

/// Checks the file at `path`, which must belong to `user` when that is known. One that is not there is not exposed.
///
/// # Errors
/// [`Exposed`]
#[cfg(unix)]
pub fn check(path: &Path, user: Option<u32>, others: Others) -> Result<(), Exposed> {
    use std::os::unix::fs::MetadataExt;
    let Ok(found) = std::fs::metadata(path) else { return Ok(()) };
    let mode = found.mode() & 0o777;
    if user.is_some_and(|user| user != found.uid() && !(others == Others::Read && found.uid() == 0)) {
        return Err(Exposed::Foreign(found.uid()));
    }
    match others {
        Others::Nothing if mode & 0o077 != 0 => Err(Exposed::Mode(mode)),
        Others::Read if mode & 0o022 != 0 => Err(Exposed::Writable(mode)),
        _ => Ok(()),
    }
}

/// Permissions are not looked at here.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn check(_: &Path, _: Option<u32>, _: Others) -> Result<(), Exposed> {
    Ok(())
}

/// Makes the folder that the file at `path` is in, for its user alone, unless it is there.
///
/// # Errors
/// What the system says.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Writes the file at `path` for its user alone: all of it or nothing. A link stays one.
///
/// # Errors
/// What the system says.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let number = getrandom::u64().map_err(io::Error::other)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number:016x}.new"));
    let aside = Path::new(&name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(aside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        std::fs::rename(aside, &path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(aside);
    }
    written
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_what_is_ours_alone_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        assert_eq!(check(&path, Some(1), Others::Nothing), Ok(()));
        std::fs::write(&path, "{}").unwrap();
        let user = path.metadata().unwrap().uid();
        let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        for (mode, nothing, read) in
            [(0o600, true, true), (0o400, true, true), (0o644, false, true), (0o620, false, false)]
        {
            set(mode);
            assert_eq!(check(&path, Some(user), Others::Nothing).is_ok(), nothing, "{mode:o}");
            assert_eq!(check(&path, None, Others::Read).is_ok(), read, "{mode:o}");
        }
        set(0o600);
        assert_eq!(check(&path, Some(user + 1), Others::Nothing), Err(Exposed::Foreign(user)));
    }
}
