//! Bytes → text, and byte offset → line and column.
//!
//! It reads no JSON.

use crate::config::finding::Findings;

/// Where the lines of a text begin.
#[derive(Debug, Clone)]
pub struct Lines {
    text: Vec<u8>,
    starts: Vec<usize>,
}

impl Lines {
    /// Finds the lines of `text`.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let after_breaks = memchr::memchr_iter(b'\n', text).map(|at| at + 1);
        Self { text: text.to_vec(), starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    #[must_use]
    pub fn position(&self, at: usize) -> (usize, usize) {
        let at = at.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts[line - 1];
        (line, String::from_utf8_lossy(&self.text[start..at]).chars().count() + 1)
    }
}

/// `bytes` without a byte order mark.
#[must_use]
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// The text in `bytes` (already without its mark).
///
/// # Errors
/// One finding at the first byte that is not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<&str, Findings> {
    let mut findings = Findings::default();
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        findings.error(0, "the file is UTF-16").hint("save it as UTF-8");
        return Err(findings);
    }
    std::str::from_utf8(bytes).map_err(|error| {
        findings.error(error.valid_up_to(), "not UTF-8 from here on").hint("save the file as UTF-8");
        findings
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters() {
        let lines = Lines::new("a\r\nöb\n".as_bytes());
        assert_eq!(lines.position(0), (1, 1));
        assert_eq!(lines.position(3), (2, 1));
        assert_eq!(lines.position(5), (2, 2));
        assert_eq!(lines.position(7), (3, 1));
        assert_eq!(lines.position(999), (3, 1));
    }

    #[test]
    fn names_the_encoding() {
        assert_eq!(decode(without_mark(b"\xef\xbb\xbf{}")), Ok("{}"));
        let found = decode(b"\xff\xfe{\0").expect_err("UTF-16");
        assert_eq!(found.first_error().map(|f| f.text.as_str()), Some("the file is UTF-16"));
        let found = decode(b"{\"a\": \"\xe9\"}").expect_err("latin-1");
        assert_eq!(found.first_error().map(|f| f.at), Some(7));
    }
}
