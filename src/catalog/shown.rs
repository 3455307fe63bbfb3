//! The part of a catalog that somebody is shown.
//!
//! It does not say why; `policy` does.

use crate::catalog::lists::ListKind;
use crate::name::ServerName;
use serde_json::value::RawValue;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

/// What is shown of one catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// By list, in the order of [`ListKind::ALL`], and place.
    pub(super) items: [Box<[bool]>; 4],
    /// Servers that may be named as missing.
    pub(super) missing: Vec<ServerName>,
}

impl Shown {
    /// By place in one list.
    #[must_use]
    pub fn of(&self, kind: ListKind) -> &[bool] {
        &self.items[kind as usize]
    }

    /// Servers that may be named as missing.
    #[must_use]
    pub fn missing(&self) -> &[ServerName] {
        &self.missing
    }
}

/// A number for a list, or what is shown of it.
pub(super) fn print<'c>(items: impl Iterator<Item = (&'c str, &'c RawValue)>, shown: Option<&[bool]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (at, (key, raw)) in items.enumerate() {
        if shown.is_none_or(|shown| shown[at]) {
            (key, raw.get()).hash(&mut hasher);
        }
    }
    hasher.finish()
}
