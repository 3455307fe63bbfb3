//! How deep a message nests, where its values end, and putting it on one line.
//!
//! Line transports carry one message per line, and a `RawValue` keeps the line breaks of a pretty-printed body; without
//! `one_line` such a body could smuggle a second frame past every check. It does not validate JSON: the parser does.

use std::borrow::Cow;

/// Bytes that are looked at in one step.
const WORD: usize = size_of::<u64>();
/// Strings up to this length are walked through in such steps.
const SHORT: usize = 4 * WORD;

/// Nested deeper than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message is nested deeper than {limit} levels")]
pub struct TooDeep {
    /// The limit it broke.
    pub limit: usize,
}

/// Checks that `text` nests at most `limit` levels, in one iterative pass.
///
/// # Errors
/// [`TooDeep`] as soon as the nesting exceeds `limit`.
pub fn scan(text: &str, limit: usize) -> Result<(), TooDeep> {
    let bytes = text.as_bytes();
    // What opens no more often than that nests no deeper.
    if memchr::memchr2_iter(b'{', b'[', bytes).nth(limit).is_none() {
        return Ok(());
    }
    let (mut at, mut depth) = (0, 0usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at + 1),
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return Err(TooDeep { limit });
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Where the value ends that begins at `from` in a text known to be JSON.
#[must_use]
pub fn end_of_value(bytes: &[u8], from: usize) -> usize {
    let end = match bytes.get(from) {
        Some(b'"') => end_of_string(bytes, from + 1) + 1,
        Some(b'{' | b'[') => end_of_container(bytes, from + 1),
        _ => {
            let after = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
            let length = bytes.get(from..).and_then(|rest| rest.iter().position(after));
            length.map_or(bytes.len(), |length| from + length)
        }
    };
    end.min(bytes.len())
}

/// Behind the bracket that closes the object or array whose content begins at `from`.
fn end_of_container(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 1);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at + 1),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// `text` with every CR and LF replaced by a blank. In valid JSON they only stand outside strings.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(['\n', '\r'], " "))
}

/// The place of the closing quote of a string whose content begins at `from`, or the end of the text.
fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(found) = first_quote_or_escape(bytes, at) {
        if bytes[found] == b'"' {
            return found;
        }
        at = found + 2;
    }
    bytes.len()
}

fn first_quote_or_escape(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    // Most strings are short: a search that is slow to begin and fast to run would cost more.
    for (number, word) in rest.as_chunks::<WORD>().0.iter().take(SHORT / WORD).enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zero_bytes(word ^ repeated(b'"')) | zero_bytes(word ^ repeated(b'\\'));
        if found != 0 {
            return Some(from + number * WORD + found.trailing_zeros() as usize / 8);
        }
    }
    let passed = SHORT.min(rest.len() / WORD * WORD);
    memchr::memchr2(b'"', b'\\', &rest[passed..]).map(|found| from + passed + found)
}

const fn repeated(byte: u8) -> u64 {
    u64::from_le_bytes([byte; WORD])
}

/// Marks the high bit of the first byte that is zero, and of no byte before it.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(repeated(1)) & !word & repeated(0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_only_outside_strings() {
        assert!(scan(r#"{"a":["[[[[\"[[["]}"#, 2).is_ok());
        assert_eq!(scan("[[[1]]]", 2), Err(TooDeep { limit: 2 }));
    }

    #[test]
    fn strings_of_any_length_end_at_their_quote() {
        for length in 0..100 {
            for inside in ["", "\\\"", "\\\\", "é"] {
                let string = format!("\"{}{inside}{}\"", "a".repeat(length), "b".repeat(length % 7));
                assert_eq!(end_of_string(format!("{string},\"").as_bytes(), 1), string.len() - 1, "{string}");
                let nested = format!("[[{string},[[");
                assert_eq!(scan(&nested, 4), Ok(()));
                assert_eq!(scan(&nested, 3), Err(TooDeep { limit: 3 }));
            }
        }
    }

    #[test]
    fn a_break_outside_a_string_is_removed() {
        let text = "{\"a\":\r\n1}";
        assert_eq!(one_line(text), "{\"a\":  1}");
    }

    #[test]
    fn a_cut_string_ends_the_walk() {
        for text in ["\"abc", "\"abc\\", "{\"a\\\""] {
            assert!(scan(&format!("{text}{}", "[".repeat(9)), 4).is_ok());
            assert_eq!(end_of_value(text.as_bytes(), 0), text.len());
        }
    }

    #[test]
    fn values_end_where_the_next_thing_begins() {
        let long = format!(r#""{}\"]}}""#, "x".repeat(40));
        for value in ["1", "-1.5e3", "null", "\"\"", "[]", r#"{"a":[{"]":"}"}],"b":"\\"}"#, &long] {
            for after in ["", ",1", "}", " ]", "\n"] {
                assert_eq!(
                    end_of_value(format!("{value}{after}").as_bytes(), 0),
                    value.len(),
                    "{value}{after}"
                );
            }
        }
    }
}
