//! Results of the four list methods, as text ready to be sent.
//!
//! Items are copied, not parsed, but for `execution` of tools, which the modern era does not know. It keeps nothing:
//! first pages are kept by the catalog.

use crate::catalog::lists::ListKind;
use crate::catalog::merge::MAX_KEY;
use crate::name::ServerName;
use crate::protocol::version::Era;
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use crate::wire::members::write_string;
use serde_json::value::RawValue;

/// Key in `_meta` of a list under which servers stand whose lists are not known yet.
pub const MISSING_KEY: &str = "io.github.mcp-manifold/missing";
/// How long a client of the modern era may keep a complete list, in milliseconds.
pub const TTL_MS: u32 = 5000;
/// Longest cursor read, in bytes: every key that a merged list can hold fits.
pub const MAX_CURSOR: usize = 2 * MAX_KEY;

/// A cursor that is not one of ours; to be answered with `-32602`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this cursor is not one that was given out; list again without a cursor")]
pub struct CursorError;

/// What a page is made from.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The list.
    pub kind: ListKind,
    /// The era of the client.
    pub era: Era,
    /// Most items on the page; at least one is written.
    pub page_size: usize,
    /// Servers whose items are not in the list.
    pub missing: &'a [ServerName],
}

/// The result with the first `page_size` of `items`, which are sorted by key and come after the cursor.
#[must_use]
pub fn page<'i>(frame: Frame<'_>, items: impl Iterator<Item = (&'i str, &'i RawValue)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.push(b'{');
    write_string(&mut out, frame.kind.member());
    out.extend_from_slice(b":[");
    let mut items = items.peekable();
    let mut last = None;
    for (key, raw) in items.by_ref().take(frame.page_size.max(1)) {
        if last.replace(key).is_some() {
            out.push(b',');
        }
        write_item(&mut out, frame, raw);
    }
    out.push(b']');
    if let Some(last) = last.filter(|_| items.peek().is_some()) {
        out.extend_from_slice(b",\"nextCursor\":\"");
        out.extend_from_slice(cursor(last).as_bytes());
        out.push(b'"');
    }
    write_end(&mut out, frame);
    out
}

fn write_item(out: &mut Vec<u8>, frame: Frame<'_>, raw: &RawValue) {
    let modern_tool = frame.era == Era::Modern && frame.kind == ListKind::Tools;
    let edited = if modern_tool { with_execution(raw) } else { None };
    match edited {
        Some(members) => {
            let edit = |key: &str| if key == "execution" { Edit::Drop } else { Edit::Keep };
            write_object(out, &members, edit, &[]);
        }
        None => out.extend_from_slice(raw.get().as_bytes()),
    }
}

/// The members of a tool that has `execution`.
fn with_execution(raw: &RawValue) -> Option<Members<'_>> {
    let members = Members::parse_with_duplicates(raw.get()).ok()?;
    members.get("execution").is_some().then_some(members)
}

fn write_end(out: &mut Vec<u8>, frame: Frame<'_>) {
    if !frame.missing.is_empty() {
        out.extend_from_slice(b",\"_meta\":{");
        write_string(out, MISSING_KEY);
        out.extend_from_slice(b":[");
        for (at, server) in frame.missing.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_string(out, server.as_str());
        }
        out.extend_from_slice(b"]}");
    }
    if frame.era == Era::Modern {
        let ttl = if frame.missing.is_empty() { TTL_MS } else { 0 };
        let text = format!(",\"resultType\":\"complete\",\"ttlMs\":{ttl},\"cacheScope\":\"private\"");
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'}');
}

/// The cursor for the page after the item with `key`: its bytes in hexadecimal, so that it means the same in every
/// later catalog.
#[must_use]
pub fn cursor(key: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    key.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The key after which the page of `cursor` starts; `""`, before every key, for the empty cursor.
///
/// # Errors
/// [`CursorError`] when [`cursor`] cannot have made it.
pub fn key_of(cursor: &str) -> Result<String, CursorError> {
    if cursor.len() > MAX_CURSOR || cursor.len() % 2 == 1 {
        return Err(CursorError);
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(CursorError),
    };
    let bytes = cursor.as_bytes().chunks_exact(2).map(|pair| Ok(value(pair[0])? << 4 | value(pair[1])?));
    String::from_utf8(bytes.collect::<Result<_, _>>()?).map_err(|_| CursorError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raws(texts: &[&str]) -> Vec<(String, Box<RawValue>)> {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        texts.iter().enumerate().map(|(at, text)| (format!("k{at}"), raw(text))).collect()
    }

    fn rendered(
        kind: ListKind,
        era: Era,
        page_size: usize,
        missing: &[ServerName],
        texts: &[&str],
    ) -> String {
        let raws = raws(texts);
        let items = raws.iter().map(|(key, raw)| (&**key, &**raw));
        String::from_utf8(page(Frame { kind, era, page_size, missing }, items)).unwrap()
    }

    #[test]
    fn legacy_pages_are_the_items_as_they_are() {
        let texts = [r#"{"name":"a", "execution":{"taskSupport":"optional"},"n":1e2}"#, r#"{"name":"b"}"#];
        let all = rendered(ListKind::Tools, Era::Legacy, 9, &[], &texts);
        assert_eq!(all, format!(r#"{{"tools":[{},{}]}}"#, texts[0], texts[1]));
        let first = rendered(ListKind::Templates, Era::Legacy, 1, &[], &texts);
        assert_eq!(first, format!(r#"{{"resourceTemplates":[{}],"nextCursor":"6b30"}}"#, texts[0]));
        assert_eq!(rendered(ListKind::Prompts, Era::Legacy, 9, &[], &[]), r#"{"prompts":[]}"#);
    }

    #[test]
    fn modern_pages_have_what_the_era_wants_and_no_execution() {
        let texts = [r#"{"name":"a", "execution":{"x":1},"n":1e2 ,"n":2}"#];
        assert_eq!(
            rendered(ListKind::Tools, Era::Modern, 9, &[], &texts),
            r#"{"tools":[{"name":"a","n":1e2,"n":2}],"resultType":"complete","ttlMs":5000,"cacheScope":"private"}"#
        );
        let other = rendered(ListKind::Prompts, Era::Modern, 9, &[], &texts);
        assert!(other.contains(texts[0]), "only tools have it taken away");
    }

    #[test]
    fn missing_servers_are_named_and_the_list_is_stale_at_once() {
        let missing = [ServerName::new("a\"b").unwrap(), ServerName::new("c").unwrap()];
        let meta = r#""_meta":{"io.github.mcp-manifold/missing":["a\"b","c"]}"#;
        assert_eq!(
            rendered(ListKind::Resources, Era::Modern, 9, &missing, &[]),
            format!(r#"{{"resources":[],{meta},"resultType":"complete","ttlMs":0,"cacheScope":"private"}}"#)
        );
        assert_eq!(
            rendered(ListKind::Resources, Era::Legacy, 9, &missing, &[]),
            format!(r#"{{"resources":[],{meta}}}"#)
        );
    }

    #[test]
    fn foreign_cursors_are_refused() {
        for bad in ["a", "zz", "6B", "ff", "é", &"61".repeat(MAX_CURSOR)] {
            assert_eq!(key_of(bad), Err(CursorError));
        }
        assert_eq!(key_of(""), Ok(String::new()));
    }

    proptest! {
        #[test]
        fn cursors_come_back(key in ".*") {
            prop_assert_eq!(key_of(&cursor(&key)), Ok(key));
        }

        #[test]
        fn any_cursor_is_read_or_refused(cursor in ".*") {
            let _ = key_of(&cursor);
        }
    }
}
