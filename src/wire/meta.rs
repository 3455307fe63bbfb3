//! Editing `_meta` inside raw params by byte ranges.
//!
//! It knows which keys go hop by hop; what they mean stands in `protocol.rs`. Everything else in `_meta` passes byte
//! for byte: vendor keys, `traceparent`, `tracestate`, `baggage`.

use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::MembersError;
use crate::wire::members::write_object;

/// The member of params that holds it.
pub const META: &str = "_meta";
/// The key that asks for progress.
pub const PROGRESS_TOKEN: &str = "progressToken";

/// Keys that belong to one hop and are never passed on (`basic/index`, reserved `_meta` keys).
const HOP_BY_HOP: [&str; 7] = [
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/serverInfo",
    "io.modelcontextprotocol/subscriptionId",
    PROGRESS_TOKEN,
];

/// True for a key of one hop only.
#[must_use]
pub fn is_hop_by_hop(key: &str) -> bool {
    HOP_BY_HOP.contains(&key)
}

/// The members of `_meta`, if there is one.
///
/// # Errors
/// [`MembersError`] when it is not an object or holds a key twice.
pub fn of<'a>(params: &Members<'a>) -> Result<Option<Members<'a>>, MembersError> {
    params.get(META).map(Members::of).transpose()
}

/// Writes the `_meta` for the next hop: what may pass of `from`, then `added` (key, JSON text). `false` and nothing
/// written when that would be empty.
pub fn write(out: &mut Vec<u8>, from: Option<&Members<'_>>, added: &[(&str, &[u8])]) -> bool {
    let passes = from.is_some_and(|meta| meta.iter().any(|(key, _)| !is_hop_by_hop(key)));
    if !passes && added.is_empty() {
        return false;
    }
    let empty = Members::empty();
    let edit = |key: &str| if is_hop_by_hop(key) { Edit::Drop } else { Edit::Keep };
    write_object(out, from.unwrap_or(&empty), edit, added);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(params: &str, added: &[(&str, &[u8])]) -> Option<String> {
        let params = Members::parse(params).unwrap();
        let meta = of(&params).unwrap();
        let mut out = Vec::new();
        write(&mut out, meta.as_ref(), added).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn keys_of_one_hop_are_dropped_and_the_rest_passes() {
        let params = r#"{"_meta":{"progressToken":"a","traceparent":"00-1","io.modelcontextprotocol/logLevel":"info"}}"#;
        assert_eq!(written(params, &[]).unwrap(), r#"{"traceparent":"00-1"}"#);
        assert_eq!(
            written(params, &[(PROGRESS_TOKEN, b"7")]).unwrap(),
            r#"{"traceparent":"00-1","progressToken":7}"#
        );
    }

    #[test]
    fn an_empty_meta_is_not_written() {
        assert_eq!(written(r#"{"_meta":{"progressToken":1}}"#, &[]), None);
        assert_eq!(written("{}", &[]), None);
    }
}
