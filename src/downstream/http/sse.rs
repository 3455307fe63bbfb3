//! Reading `text/event-stream`, a chunk at a time, within a bound.
//!
//! Source: the WHATWG standard, section 9.2. Unknown fields, comments and lines without a colon are skipped as it says:
//! a stream is never given up for them. It does not know what an event says.

use std::collections::VecDeque;
use std::time::Duration;

/// One event with data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// Its type; empty stands for `message`.
    pub kind: Vec<u8>,
    /// Its data, lines joined by LF.
    pub text: Vec<u8>,
}

impl Event {
    /// True unless it says that it is something else.
    #[must_use]
    pub fn is_message(&self) -> bool {
        self.kind.is_empty() || self.kind == b"message"
    }
}

/// An event or a line is longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// A stream that is being read.
#[derive(Debug)]
pub struct Events {
    limit: usize,
    line: Vec<u8>,
    after_cr: bool,
    at_start: bool,
    current: Event,
    has_text: bool,
    /// The id of the event that is being read: it counts once the event is whole.
    next_id: Option<String>,
    last_id: Option<String>,
    retry: Option<Duration>,
    ready: VecDeque<Event>,
}

impl Events {
    /// A stream whose events hold at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            after_cr: false,
            at_start: true,
            current: Event::default(),
            has_text: false,
            next_id: None,
            last_id: None,
            retry: None,
            ready: VecDeque::new(),
        }
    }

    /// The next event that is complete.
    pub fn pop(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    /// The longest event, in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The id of the last event that had one.
    #[must_use]
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// How long the server wants to be left alone before the stream is opened again.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Reads on.
    ///
    /// # Errors
    /// [`TooLong`] when an event exceeds the limit; the stream cannot be read further.
    pub fn push(&mut self, mut chunk: &[u8]) -> Result<(), TooLong> {
        if chunk.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut self.after_cr) && chunk.first() == Some(&b'\n') {
            chunk = &chunk[1..];
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', chunk) {
            self.keep(&chunk[..end])?;
            let line = std::mem::take(&mut self.line);
            self.end_line(&line)?;
            self.line = line;
            self.line.clear();
            let cr = chunk[end] == b'\r';
            chunk = &chunk[end + 1..];
            match chunk.first() {
                Some(b'\n') if cr => chunk = &chunk[1..],
                None => self.after_cr = cr,
                _ => {}
            }
        }
        self.keep(chunk)
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), TooLong> {
        // A line holds the name of its field too, and a comment is bounded like anything else.
        if self.line.len() + part.len() > self.limit.saturating_add(64) {
            return Err(TooLong);
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_line(&mut self, line: &[u8]) -> Result<(), TooLong> {
        let first = std::mem::take(&mut self.at_start);
        let line = if first { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line };
        if line.is_empty() {
            let event = std::mem::take(&mut self.current);
            self.last_id.clone_from(&self.next_id);
            if std::mem::take(&mut self.has_text) {
                self.ready.push_back(event);
            }
            return Ok(());
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" => return self.add_text(value),
            b"event" => self.current.kind = value.to_vec(),
            b"id" if !value.contains(&0) => {
                self.next_id = std::str::from_utf8(value).ok().filter(|id| !id.is_empty()).map(str::to_owned);
            }
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let text = String::from_utf8_lossy(value);
                self.retry = text.parse().ok().map(Duration::from_millis);
            }
            _ => {}
        }
        Ok(())
    }

    fn add_text(&mut self, value: &[u8]) -> Result<(), TooLong> {
        let text = &mut self.current.text;
        if std::mem::replace(&mut self.has_text, true) {
            text.push(b'\n');
        }
        if text.len() + value.len() > self.limit {
            return Err(TooLong);
        }
        text.extend_from_slice(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(events: &mut Events) -> Vec<String> {
        std::iter::from_fn(|| events.pop()).map(|event| String::from_utf8(event.text).unwrap()).collect()
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        let mut events = Events::new(100);
        let stream = "\u{feff}: hello\n\ndata: a\ndata:b\r\ndata\r\n\r\nid: 7\rdata:\r\rretry: x\nodd\nodd: 1\nevent: ping\ndata: c\n\n\
            data: never ended\n";
        events.push(stream.as_bytes()).unwrap();
        let seen: Vec<Event> = std::iter::from_fn(|| events.pop()).collect();
        let expected = [("", "a\nb\n"), ("", ""), ("ping", "c")];
        let expected: Vec<Event> = expected
            .iter()
            .map(|(kind, text)| Event { kind: (*kind).into(), text: (*text).into() })
            .collect();
        assert_eq!(seen, expected);
        assert_eq!(events.last_id(), Some("7"));
        assert_eq!(events.retry(), None, "`x` is no time");
    }

    #[test]
    fn the_id_of_an_event_counts_once_the_event_is_whole() {
        let mut events = Events::new(100);
        events.push(b"id: 1\nretry: 50\ndata:\n\nid: 2\ndata: cut off").unwrap();
        assert_eq!((events.last_id(), events.retry()), (Some("1"), Some(Duration::from_millis(50))));
        events.push(b"\n\n").unwrap();
        assert_eq!(events.last_id(), Some("2"));
    }

    #[test]
    fn a_long_event_ends_the_stream_within_bounds() {
        assert_eq!(Events::new(10).push(b"data: 12345678901\n"), Err(TooLong));
        assert_eq!(Events::new(10).push(b"data: 123456\ndata: 7890\n"), Err(TooLong));
        assert_eq!(Events::new(10).push(&[b'x'; 100]), Err(TooLong));
        let mut many = Events::new(10);
        for _ in 0..50 {
            many.push(b"data: 1234567890\n\n:comment\n").unwrap();
        }
        assert_eq!(texts(&mut many).len(), 50);
    }

    proptest! {
        #[test]
        fn cutting_the_stream_anywhere_changes_nothing(cuts in prop::collection::vec(0usize..60, 0..8)) {
            let stream = b"data: one\r\ndata: two\r\n\r\nid: 1\rdata: three\r\rdata: four\n\n";
            let mut events = Events::new(64);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.sort_unstable();
            let mut from = 0;
            for cut in cuts {
                events.push(&stream[from..cut]).unwrap();
                from = cut;
            }
            events.push(&stream[from..]).unwrap();
            prop_assert_eq!(texts(&mut events), ["one\ntwo", "three", "four"]);
        }
    }
}
