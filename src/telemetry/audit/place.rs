//! Where an audit log stands, and how it grows.
//!
//! It is not opened here.

use std::path::PathBuf;

/// Where the lines go, and how large the file grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// It is put aside before it has more bytes than this.
    pub rotate_bytes: u64,
    /// So many files that were put aside are kept.
    pub keep: usize,
}
