//! Names that are valid once constructed.
//!
//! A [`ServerName`] is the key of an entry in the file; an [`ExposedName`] is what a client sees. This file knows
//! nothing of how an exposed name is built from a server's own names: that is `catalog/name_budget.rs`.

use std::fmt;
use std::sync::Arc;

/// Longest server name accepted, in bytes.
pub const MAX_SERVER_NAME: usize = 128;

/// The key of one entry of the file, for example `github`.
///
/// Clones share one allocation.
///
/// ```
/// use mcp_manifold::name::ServerName;
/// assert_eq!(ServerName::new("github").unwrap().as_str(), "github");
/// assert!(ServerName::new("").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName(Arc<str>);

/// Why a text is not a server name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty or only blanks.
    #[error("a server name must not be empty")]
    Empty,
    /// The text has more than [`MAX_SERVER_NAME`] bytes.
    #[error("a server name has at most {MAX_SERVER_NAME} bytes, this one has {0}")]
    TooLong(usize),
    /// The text holds a control character, which could forge a log line.
    #[error("a server name must not contain control characters")]
    Control,
}

impl ServerName {
    /// Checks `name` and keeps it.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, too long, or holds control characters.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.trim().is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > MAX_SERVER_NAME {
            return Err(NameError::TooLong(name.len()));
        }
        if name.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        Ok(Self(Arc::from(name)))
    }

    /// The name as it stands in the file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl std::borrow::Borrow<str> for ServerName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A tool or prompt name as clients see it: `[A-Za-z0-9_-]`, at most 128 bytes.
///
/// ```
/// use mcp_manifold::name::ExposedName;
/// assert!(ExposedName::new("files__read").is_some());
/// assert!(ExposedName::new("files.read").is_none());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExposedName(Arc<str>);

impl ExposedName {
    /// Keeps `name` when it is valid: 1–128 bytes of `[A-Za-z0-9_-]`, the charset every model API accepts.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let valid = (1..=128).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        valid.then(|| Self(Arc::from(name)))
    }

    /// The name as clients see it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExposedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ExposedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl std::borrow::Borrow<str> for ExposedName {
    fn borrow(&self) -> &str {
        &self.0
    }
}
