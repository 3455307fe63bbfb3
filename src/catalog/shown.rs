//! The part of a catalog that somebody is shown.
//!
//! It does not say why; `policy` does.

use crate::catalog::lists::ListKind;
use crate::catalog::merge::Exposed;
use crate::catalog::merge::Merged;
use crate::catalog::merge::Owned;
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
    /// Of `merged`, what `shows` says; `may_show` says which of the missing servers to name.
    pub(super) fn new(
        merged: &Merged,
        shows: impl Fn(ListKind, &ServerName, &str) -> bool,
        may_show: impl Fn(&ServerName) -> bool,
    ) -> Self {
        let routed = |kind, list: &[Exposed]| {
            list.iter().map(|one| shows(kind, &one.route.server, &one.route.own_name)).collect()
        };
        let owned =
            |kind, list: &[Owned]| list.iter().map(|one| shows(kind, &one.server, &one.uri)).collect();
        let items = [
            routed(ListKind::Tools, &merged.tools),
            routed(ListKind::Prompts, &merged.prompts),
            owned(ListKind::Resources, &merged.resources),
            owned(ListKind::Templates, &merged.templates),
        ];
        Self { items, missing: merged.missing.iter().filter(|server| may_show(server)).cloned().collect() }
    }

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

/// Numbers for the lists, or what is shown of them, in the order of [`ListKind::ALL`].
pub(super) fn prints(lists: &Merged, shown: Option<&Shown>) -> [u64; 4] {
    let items = |kind| shown.map(|shown| shown.of(kind));
    [
        print(exposed_after(&lists.tools, "", items(ListKind::Tools))),
        print(exposed_after(&lists.prompts, "", items(ListKind::Prompts))),
        print(owned_after(&lists.resources, "", items(ListKind::Resources))),
        print(owned_after(&lists.templates, "", items(ListKind::Templates))),
    ]
}

fn print<'c>(items: impl Iterator<Item = (&'c str, &'c RawValue)>) -> u64 {
    let mut hasher = DefaultHasher::new();
    items.for_each(|(key, raw)| (key, raw.get()).hash(&mut hasher));
    hasher.finish()
}

/// What is shown of a list after the item `after`.
pub(super) fn exposed_after<'c>(
    list: &'c [Exposed],
    after: &str,
    shown: Option<&'c [bool]>,
) -> impl Iterator<Item = (&'c str, &'c RawValue)> {
    let start = list.partition_point(|item| item.name.as_str() <= after);
    let rest =
        list.iter().enumerate().skip(start).filter(move |(at, _)| shown.is_none_or(|shown| shown[*at]));
    rest.map(|(_, item)| (item.name.as_str(), &*item.raw))
}

/// The same for items with URIs.
pub(super) fn owned_after<'c>(
    list: &'c [Owned],
    after: &str,
    shown: Option<&'c [bool]>,
) -> impl Iterator<Item = (&'c str, &'c RawValue)> {
    let start = list.partition_point(|item| item.uri.as_str() <= after);
    let rest =
        list.iter().enumerate().skip(start).filter(move |(at, _)| shown.is_none_or(|shown| shown[*at]));
    rest.map(|(_, item)| (item.uri.as_str(), &*item.raw))
}
