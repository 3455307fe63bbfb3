//! One bounded, iterative pass over a message: how deep it nests, and whether it holds line breaks outside strings.
//!
//! Line transports carry one message per line, and a `RawValue` keeps the line breaks of a pretty-printed body; without
//! this pass such a body could smuggle a second frame past every check. It does not validate JSON: the parser does.

use std::borrow::Cow;

/// Nested deeper than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message is nested deeper than {limit} levels")]
pub struct TooDeep {
    /// The limit it broke.
    pub limit: usize,
}

/// What the pass found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// True when a CR or LF stands outside a string.
    pub breaks: bool,
}

/// Walks over `text` once.
///
/// # Errors
/// [`TooDeep`] as soon as the nesting exceeds `limit`.
pub fn scan(text: &str, limit: usize) -> Result<Shape, TooDeep> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut breaks) = (0, 0usize, false);
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
            b'\n' | b'\r' => breaks = true,
            _ => {}
        }
        at += 1;
    }
    Ok(Shape { breaks })
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
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..]) {
        at += found;
        if bytes[at] == b'"' {
            return at;
        }
        at += 2;
    }
    bytes.len()
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
    fn a_break_outside_a_string_is_seen_and_removed() {
        let text = "{\"a\":\r\n1}";
        assert!(scan(text, 9).unwrap().breaks);
        assert_eq!(one_line(text), "{\"a\":  1}");
        assert!(!scan(r#"{"a":"\n"}"#, 9).unwrap().breaks);
    }

    #[test]
    fn a_cut_string_ends_the_walk() {
        for text in ["\"abc", "\"abc\\", "{\"a\\\""] {
            assert!(scan(text, 4).is_ok());
        }
    }
}
