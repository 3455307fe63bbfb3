//! `validateArguments` and `resultLimit` of an entry → [`Checks`].
//!
//! Schemas are not known here.

use crate::config::check::read;
use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::finding::Findings;
use crate::config::model::checks::Checks;

/// Reads both.
pub fn check(entry: &Entry<'_>, findings: &mut Findings) -> Checks {
    let arguments = entry.get(Key::ValidateArguments).and_then(|given| read::flag(given, findings));
    let result_limit = entry
        .get(Key::ResultLimit)
        .and_then(|given| read::count(given.written, given.node, 256..=1 << 30, findings));
    Checks { arguments, result_limit }
}
