//! Any split of any byte stream gives the same lines, and those are the lines of the stream.

use crate::dice::Dice;
use mcp_manifold::wire::frame::Framer;
use mcp_manifold::wire::frame::Line;

const LIMIT: usize = 24;

/// One random stream in random pieces.
pub fn case(dice: &mut Dice) {
    let stream: Vec<u8> = (0..dice.below(300))
        .map(|_| match dice.below(12) {
            0 => b'\n',
            1 => b'\r',
            2 => b' ',
            3 => dice.any() as u8,
            _ => b'a',
        })
        .collect();
    let (mut framer, mut seen, mut rest) = (Framer::new(LIMIT), Vec::new(), stream.as_slice());
    while !rest.is_empty() {
        let size = (1 + dice.below(40)).min(rest.len());
        framer.push(&rest[..size]);
        rest = &rest[size..];
        while let Some(line) = framer.next_line() {
            seen.push(owned(&line));
        }
    }
    seen.extend(framer.rest().as_ref().map(owned));
    assert!(framer.next_line().is_none() && framer.rest().is_none());
    assert_eq!(seen, expected(&stream), "{}", stream.escape_ascii());
}

/// A whole line, or what is kept of one that is too long.
fn owned(line: &Line<'_>) -> (bool, Vec<u8>) {
    match line {
        Line::Whole(bytes) => (true, bytes.to_vec()),
        Line::TooLong(prefix) => (false, prefix.to_vec()),
    }
}

fn expected(stream: &[u8]) -> Vec<(bool, Vec<u8>)> {
    let lines = stream.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| match line.len() > LIMIT {
            true => Some((false, line[..LIMIT].to_vec())),
            false => Some((true, line.trim_ascii().to_vec())).filter(|line| !line.1.is_empty()),
        })
        .collect()
}
