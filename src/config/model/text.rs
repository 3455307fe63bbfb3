//! Texts of the file with what they became: some may be shown, some may not.
//!
//! How they are expanded is `expand.rs`.

use crate::secret::Secret;

/// A text of the file after expansion, with the text as it was written.
///
/// `written` may be shown and digested (`${TOKEN}` stays as it is); `value` may hold secrets and may not.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Expanded {
    /// The text with every variable replaced.
    pub value: String,
    /// The text as it stands in the file.
    pub written: String,
}

impl Expanded {
    /// A text without variables.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        let value = text.into();
        Self { written: value.clone(), value }
    }
}

impl std::fmt::Debug for Expanded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.written, f)
    }
}

/// One variable of a child's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvValue {
    /// The value.
    pub value: Secret,
    /// True when the entry names this variable; false when it is only passed on from our own environment.
    /// Only the former belong to the identity of the entry.
    pub declared: bool,
    /// True when its value stands in an `envFile`, as it is.
    pub from_file: bool,
}
