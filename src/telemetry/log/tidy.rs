//! The last step of a log line: nothing in it moves a cursor, hides text, or looks like a line of its own.
//!
//! Fields are cleaned where they are made; this is for those that were not. Lines come whole, one call for each.

use crate::telemetry::clean::is_hidden;
use std::borrow::Cow;
use std::io;
use std::io::Write;
use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// Writes lines tidily to what another one makes.
pub struct Tidy<M> {
    inner: M,
    /// Terminal sequences are ours: those of fields were escaped when the line was made.
    color: bool,
}

impl<M> Tidy<M> {
    /// Before `inner`.
    pub fn new(inner: M, color: bool) -> Self {
        Self { inner, color }
    }
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Tidy<M> {
    type Writer = Line<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { inner: self.inner.make_writer(), color: self.color }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        Line { inner: self.inner.make_writer_for(meta), color: self.color }
    }
}

/// One line on its way.
pub struct Line<W> {
    inner: W,
    color: bool,
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.inner.write_all(tidied(&text, self.color).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn tidied(line: &str, color: bool) -> Cow<'_, str> {
    let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
    let is_odd = |c: char| (c.is_control() && c != '\t' && !(color && c == '\u{1b}')) || is_hidden(c);
    if !body.chars().any(is_odd) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    for c in body.chars() {
        match c {
            // What goes on is set off from what begins.
            '\n' => out.push_str("\n    "),
            c if is_hidden(c) => {}
            c if is_odd(c) => out.push(' '),
            c => out.push(c),
        }
    }
    out.push_str(end);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s15_a_line_is_one_line_of_what_is_seen() {
        assert_eq!(tidied("plain\ttext\n", false), "plain\ttext\n");
        assert_eq!(tidied("a\u{1b}[2Jb\u{9b}c\u{202e}\u{e0041}\n", false), "a [2Jb c\n");
        assert_eq!(tidied("\u{1b}[32mINFO\u{1b}[0m a\r\n", true), "\u{1b}[32mINFO\u{1b}[0m a \n");
        assert_eq!(tidied("one\n2026 INFO forged\n", false), "one\n    2026 INFO forged\n");
    }
}
