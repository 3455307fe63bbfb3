//! Lines out of a byte stream, with a limit.
//!
//! One message per line (`basic/transports`, stdio). A line over the limit is told once, as soon as it is too long, with
//! its first part, so that the id can be made out and somebody gets an answer; the rest is dropped as it comes. It does no
//! I/O and does not look into lines.

/// How much of a dropped line is kept, in bytes.
const KEPT_PREFIX: usize = 64 << 10;
/// How much is read at once.
const CHUNK: usize = 64 << 10;
/// A line of so many times the limit is taken for one that never ends.
const ENDLESS: usize = 4;
/// A buffer that grew beyond this for one long line is given back.
const KEEP_CAPACITY: usize = 1 << 20;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A whole line without its line break, never empty.
    Whole(&'a [u8]),
    /// A line over the limit; its first part.
    TooLong(&'a [u8]),
}

/// Collects bytes and hands out lines. The buffer is always initialised, so reading into it costs no clearing.
#[derive(Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    start: usize,
    searched: usize,
    end: usize,
    limit: usize,
    /// The end of a line that was told as too long is still to come.
    dropping: bool,
    /// Its length so far.
    passed: usize,
    prefix: Vec<u8>,
}

impl Framer {
    /// A framer that refuses lines of more than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            end: 0,
            limit,
            dropping: false,
            passed: 0,
            prefix: Vec::new(),
        }
    }

    /// Where the next bytes are to be read to. Follow with [`Framer::filled`].
    pub fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.searched, self.end) = (0, 0, 0);
            if self.buffer.len() > KEEP_CAPACITY {
                self.buffer = Vec::new();
            }
        } else if self.start > 0 && self.buffer.len() - self.end < CHUNK {
            self.buffer.copy_within(self.start..self.end, 0);
            self.searched -= self.start;
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < CHUNK / 2 {
            let grown = (self.buffer.len() * 2).max(CHUNK).min(self.limit.max(CHUNK) + 2 * CHUNK);
            self.buffer.resize(grown.max(self.end + CHUNK), 0);
        }
        &mut self.buffer[self.end..]
    }

    /// Says how many bytes were read to [`Framer::space`].
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// Puts `bytes` behind what is there: for tests and for sources that own their buffers.
    pub fn push(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(CHUNK / 2) {
            let space = self.space();
            space[..chunk.len()].copy_from_slice(chunk);
            self.filled(chunk.len());
        }
    }

    /// The next line that is complete, or `None` until more bytes came.
    pub fn next_line(&mut self) -> Option<Line<'_>> {
        loop {
            let Some(found) = memchr::memchr(b'\n', &self.buffer[self.searched..self.end]) else {
                self.searched = self.end;
                return self.overlong();
            };
            let (from, to) = (self.start, self.searched + found);
            (self.start, self.searched) = (to + 1, to + 1);
            if std::mem::take(&mut self.dropping) {
                continue;
            }
            if to - from > self.limit {
                self.keep_prefix(from, to);
                return Some(Line::TooLong(&self.prefix));
            }
            let line = self.buffer[from..to].trim_ascii();
            if !line.is_empty() {
                // Borrowed again from the indices: the borrow checker does not see that the loop ends here.
                return Some(Line::Whole(self.buffer[from..to].trim_ascii()));
            }
        }
    }

    /// What stands behind the last line break when the source has ended: a last line without one.
    pub fn rest(&mut self) -> Option<Line<'_>> {
        let (from, to) = (self.start, self.end);
        (self.start, self.searched) = (self.end, self.end);
        if std::mem::take(&mut self.dropping) {
            return None;
        }
        let line = self.buffer[from..to].trim_ascii();
        (!line.is_empty()).then_some(Line::Whole(line))
    }

    /// Bytes that wait for the end of their line.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.end - self.start
    }

    /// True within a line so long that no end is to be expected of it.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        self.dropping && self.passed / ENDLESS > self.limit
    }

    /// Drops what there is of a line that is too long, and tells it when it became so.
    fn overlong(&mut self) -> Option<Line<'_>> {
        let began = !self.dropping && self.end - self.start > self.limit;
        if began {
            self.keep_prefix(self.start, self.end);
            (self.dropping, self.passed) = (true, 0);
        }
        if self.dropping {
            self.passed += self.end - self.start;
            (self.start, self.searched) = (self.end, self.end);
        }
        began.then_some(Line::TooLong(&self.prefix))
    }

    fn keep_prefix(&mut self, from: usize, to: usize) {
        self.prefix.clear();
        // Never more than is there at any rate, so that it is the same however the bytes came.
        let kept = KEPT_PREFIX.min(self.limit);
        self.prefix.extend_from_slice(&self.buffer[from..to.min(from + kept)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(framer: &mut Framer) -> Vec<(bool, Vec<u8>)> {
        let mut seen = Vec::new();
        while let Some(line) = framer.next_line() {
            seen.push(match line {
                Line::Whole(bytes) => (true, bytes.to_vec()),
                Line::TooLong(bytes) => (false, bytes.to_vec()),
            });
        }
        seen
    }

    #[test]
    fn blank_lines_and_carriage_returns_are_passed_over() {
        let mut framer = Framer::new(100);
        framer.push(b"one\r\n\n  \ntwo\nthr");
        assert_eq!(lines(&mut framer), [(true, b"one".to_vec()), (true, b"two".to_vec())]);
        assert_eq!(framer.rest(), Some(Line::Whole(b"thr")));
    }

    #[test]
    fn a_line_over_the_limit_is_told_by_its_first_part_and_the_next_one_lives() {
        let mut framer = Framer::new(8);
        let mut seen = Vec::new();
        for chunk in [&b"0123456"[..], b"789", &[b'x'; 90_000], b"tail\nok\n"] {
            framer.push(chunk);
            seen.extend(lines(&mut framer));
        }
        assert_eq!(seen.len(), 2);
        assert!(!seen[0].0 && seen[0].1.starts_with(b"01234567"));
        assert_eq!(seen[1], (true, b"ok".to_vec()));
    }

    #[test]
    fn an_endless_line_is_told_once_and_its_memory_is_bounded() {
        let (mut framer, mut told) = (Framer::new(1 << 20), 0);
        for n in 0..2_000 {
            framer.push(&[b'x'; 32 << 10]);
            told += usize::from(framer.next_line().is_some());
            assert_eq!(told, usize::from(n >= 32), "after {n} times 32 KiB");
            assert_eq!(framer.is_endless(), n >= 128);
        }
        assert!(framer.buffer.len() < 4 << 20);
        framer.push(b"x\nok\n");
        assert_eq!(framer.next_line(), Some(Line::Whole(b"ok")));
        assert!(!framer.is_endless() && framer.rest().is_none());
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), Just(b' '), any::<u8>()], 0..400),
            cuts in proptest::collection::vec(1usize..40, 1..40),
        ) {
            let mut whole = Framer::new(64);
            whole.push(&text);
            let expected = lines(&mut whole);

            let (mut split, mut seen, mut at) = (Framer::new(64), Vec::new(), 0);
            for cut in cuts.iter().cycle() {
                if at >= text.len() { break; }
                let to = (at + cut).min(text.len());
                split.push(&text[at..to]);
                seen.extend(lines(&mut split));
                at = to;
            }
            prop_assert_eq!(seen, expected);
        }
    }
}
