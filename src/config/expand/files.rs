//! Files whose content goes into the configuration: read once, remembered for the digest and the watcher.
//!
//! It does not watch them.

use crate::config::lockfile::ENDING;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

/// Longest file accepted for `envFile` and `${file:…}`, in bytes.
pub const MAX_EXTRA: u64 = 1 << 20;
/// Longest lock file accepted, in bytes: it holds the definitions of all servers.
pub const MAX_LOCK: u64 = 16 << 20;

/// The files read so far, in the order of first use.
#[derive(Debug, Default)]
pub struct Files {
    read: Vec<(PathBuf, Result<Vec<u8>, String>)>,
}

impl Files {
    /// The text of the file at `path`, without a byte order mark.
    ///
    /// # Errors
    /// Why there is no text, in words.
    pub fn read(&mut self, path: &Path) -> Result<String, String> {
        let known = self.read.iter().position(|(known, _)| known == path);
        let index = known.unwrap_or_else(|| {
            self.read.push((path.to_owned(), content(path)));
            self.read.len() - 1
        });
        let bytes = self.read[index].1.as_ref().map_err(String::clone)?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| "it is not UTF-8".to_owned())
    }

    /// Every path asked for, also those that could not be read, with the bytes that were.
    pub fn contents(&self) -> impl Iterator<Item = (&Path, Option<&[u8]>)> {
        self.read.iter().map(|(path, content)| (path.as_path(), content.as_deref().ok()))
    }
}

/// The bytes of an extra file.
///
/// # Errors
/// Why there are none: a pipe or device would block, a large file is no secret.
pub fn content(path: &Path) -> Result<Vec<u8>, String> {
    let words = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    if !std::fs::metadata(path).map_err(words)?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let is_lock = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ENDING));
    let longest = if is_lock { MAX_LOCK } else { MAX_EXTRA };
    let mut bytes = Vec::new();
    File::open(path).map_err(words)?.take(longest + 1).read_to_end(&mut bytes).map_err(words)?;
    if bytes.len() as u64 > longest {
        return Err(format!("it has more than {longest} bytes"));
    }
    Ok(bytes)
}
