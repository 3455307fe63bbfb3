//! Any bytes in any chunks: the events of an event stream are those that the standard gives, and memory is bounded.
//!
//! The expectation is read from the whole stream at once, in the words of the standard, and shares no code with the
//! parser. Fuzzing calls [`check`] too.

use mcp_manifold::downstream::http::sse::Event;
use mcp_manifold::downstream::http::sse::Events;
use std::time::Duration;

/// Longest event.
const LIMIT: usize = 200;

/// What a reader knows after a stream.
#[derive(Debug, PartialEq, Eq, Default)]
struct Seen {
    events: Vec<Event>,
    last_id: Option<String>,
    retry: Option<Duration>,
    too_long: bool,
}

/// The same events come out however the stream is cut; until one is too long they are those of the standard.
pub fn check(stream: &[u8]) {
    let whole = read(stream.chunks(stream.len().max(1)));
    for size in [1, 2, 3, 7, 16] {
        assert_eq!(read(stream.chunks(size)), whole, "in pieces of {size}");
    }
    let uneven = stream.len() / 3;
    assert_eq!(read([&stream[..uneven], &[], &stream[uneven..]].into_iter()), whole, "cut at {uneven}");
    let expected = as_standard(stream);
    let common = expected.events.len().min(whole.events.len());
    assert_eq!(whole.events[..common], expected.events[..common]);
    if !whole.too_long {
        assert_eq!(whole, expected);
    }
    assert!(whole.events.iter().all(|event| event.text.len() <= LIMIT));
    let fits = stream.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::len).sum::<usize>() <= LIMIT;
    assert!(!(fits && whole.too_long), "nothing in it is too long");
}

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Seen {
    let mut reader = Events::new(LIMIT);
    let mut seen = Seen::default();
    for chunk in chunks {
        seen.too_long = reader.push(chunk).is_err();
        seen.events.extend(std::iter::from_fn(|| reader.pop()));
        if seen.too_long {
            break;
        }
    }
    if !seen.too_long {
        seen.last_id = reader.last_id().map(str::to_owned);
        seen.retry = reader.retry();
    }
    seen
}

/// WHATWG, 9.2.6, "interpreting an event stream"; only ids that can stand in a header are kept.
fn as_standard(stream: &[u8]) -> Seen {
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let (mut seen, mut text, mut kind, mut id) = (Seen::default(), None::<Vec<u8>>, Vec::new(), None);
    for line in whole_lines(stream) {
        if line.is_empty() {
            seen.last_id.clone_from(&id);
            let kind = std::mem::take(&mut kind);
            seen.events.extend(text.take().map(|text| Event { kind, text }));
            continue;
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(0) => continue,
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => match &mut text {
                Some(text) => {
                    text.push(b'\n');
                    text.extend_from_slice(value);
                }
                None => text = Some(value.to_vec()),
            },
            b"event" => kind = value.to_vec(),
            b"id" if !value.contains(&0) => {
                id = String::from_utf8(value.to_vec()).ok().filter(|id| !id.is_empty());
            }
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let digits = String::from_utf8(value.to_vec()).expect("digits are text");
                seen.retry = digits.parse().ok().map(Duration::from_millis);
            }
            _ => {}
        }
    }
    seen
}

/// Lines that have ended: with LF, CR, or both.
fn whole_lines(stream: &[u8]) -> Vec<&[u8]> {
    let (mut lines, mut rest) = (Vec::new(), stream);
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        lines.push(&rest[..end]);
        let both = rest[end..].starts_with(b"\r\n");
        rest = &rest[end + 1 + usize::from(both)..];
    }
    lines
}
