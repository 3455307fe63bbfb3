//! What a look at the followed files saw: content as sha256, and stamps that show a writer at work.
//!
//! It does not parse anything and never keeps content.

use crate::config::MAX_FILE;
use sha2::Digest as _;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::io::ErrorKind;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

/// The content of the file and of its extra files at one moment.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest {
    pub(super) main: Content,
    pub(super) extra: BTreeMap<PathBuf, Content>,
}

/// The content of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing there.
    Gone,
    /// Nothing but white space in it.
    Empty,
    /// There, and whoever loads it will find out why it cannot be read.
    Unreadable(ErrorKind),
    /// The sha256 of its bytes.
    Sha256([u8; 32]),
}

/// Changes with every write, also one of the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) digest: Digest,
    stamps: Vec<Option<Stamp>>,
}

impl Look {
    /// Reads all files. It blocks.
    pub(super) fn take(main: &Path, extra: &[PathBuf]) -> Self {
        // Stamps first: a write between the two shows as a different stamp in the next look.
        let stamps = std::iter::once(main).chain(extra.iter().map(PathBuf::as_path)).map(stamp).collect();
        let extra = extra.iter().map(|file| (file.clone(), Content::read(file))).collect();
        Self { digest: Digest { main: Content::read(main), extra }, stamps }
    }
}

impl Content {
    /// Reads one file. It blocks, but never on a pipe or a device.
    pub(super) fn read(file: &Path) -> Self {
        let bytes = file.metadata().and_then(|meta| match meta.is_file() {
            true => bounded(file),
            false if meta.is_dir() => Err(ErrorKind::IsADirectory.into()),
            false => Err(ErrorKind::InvalidInput.into()),
        });
        match bytes {
            Ok(bytes) if bytes.trim_ascii().is_empty() => Self::Empty,
            Ok(bytes) => Self::Sha256(Sha256::digest(&bytes).into()),
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Self::Gone,
                kind => Self::Unreadable(kind),
            },
        }
    }

    pub(super) fn is_absent(self) -> bool {
        matches!(self, Self::Gone | Self::Empty)
    }
}

/// The bytes of a file that could be used: of a longer one nobody wants to know more.
fn bounded(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_FILE {
        true => Err(ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let meta = file.metadata().ok()?;
    Some(Stamp { modified: meta.modified().ok(), len: meta.len(), inode: inode(&meta) })
}

#[cfg(unix)]
pub(super) fn inode(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
pub(super) fn inode(_meta: &Metadata) -> u64 {
    0
}

/// The start of the sum of the file itself: enough to tell versions apart in a log.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.main {
            Content::Gone => f.write_str("gone"),
            Content::Empty => f.write_str("empty"),
            Content::Unreadable(_) => f.write_str("unreadable"),
            Content::Sha256(sum) => sum.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self}, {} extra)", self.extra.len())
    }
}
