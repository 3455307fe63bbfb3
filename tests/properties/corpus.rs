//! The files of `fuzz/corpus`, and inputs that are made from them.
//!
//! It does not know what they mean: it cuts, repeats and mixes lines, bytes and words.

use crate::cases::failing;
use crate::dice::Dice;
use std::path::Path;
use std::path::PathBuf;

/// Longest input that is made.
const LONGEST: usize = 6000;

/// Words that decide how JSON, event streams and settings are read.
const WORDS: [&[u8]; 76] = [
    b"$id",
    b"$end",
    b"\"id\":$id,",
    b"notifications/progress",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b":",
    b",",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\0",
    b"\t",
    b" ",
    b"\xEF\xBB\xBF",
    b"\xFF",
    b"\xC3",
    b"\xE2\x80\xA8",
    b"\x1b[31m",
    b"null",
    b"true",
    b"0",
    b"-1",
    b"1.5",
    b"1e400",
    b"1e2",
    b"123456789012345678901234567890",
    b"\"id\":",
    b"\"id\":1,",
    b"\"id\":\"x\",",
    b"\"id\":null,",
    b"\"method\":",
    b"\"params\":{}",
    b"\"params\":",
    b"\"result\":{}",
    b"\"error\":{}",
    b"\"jsonrpc\":\"2.0\",",
    b"\"_meta\":",
    b"\"name\":\"a__echo\"",
    b"\"name\":\"b__echo\"",
    b"\"arguments\":{}",
    b"\\ud800",
    b"\\u0000",
    b"\\u006eame",
    b"[[[[[[[[[[[[[[[[",
    b"]]]]]]]]]]]]]]]]",
    b"{\"a\":{\"a\":{\"a\":{\"a\":",
    b"tools/call",
    b"tools/list",
    b"ping",
    b"initialize",
    b"2025-03-26",
    b"2026-07-28",
    b"data:",
    b"data: ",
    b"id:",
    b"id: 7",
    b"retry:",
    b"retry: 10",
    b"event:",
    b"event: x",
    b":",
    b"${",
    b"}",
    b"${A}",
    b"${B:-x}",
    b"${file:secret}",
    b"mcpServers",
    b"\"command\":\"x\"",
    b"\"url\":\"http://h/\"",
    b"//",
];

/// Hand-written inputs.
pub struct Corpus {
    files: Vec<(PathBuf, Vec<u8>)>,
    /// All their lines, line breaks included.
    lines: Vec<Vec<u8>>,
}

impl Corpus {
    /// Reads `fuzz/corpus/NAME`.
    pub fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let entries = std::fs::read_dir(&folder).expect("the corpus is there");
        let mut files: Vec<_> = entries
            .map(|entry| entry.expect("an entry").path())
            .map(|path| (path.clone(), std::fs::read(path).expect("a file of the corpus")))
            .collect();
        files.sort();
        assert!(files.len() >= 10, "{} files in {}", files.len(), folder.display());
        let lines = files.iter().flat_map(|(_, bytes)| bytes.split_inclusive(|byte| *byte == b'\n'));
        let lines = lines.map(<[u8]>::to_vec).collect();
        Self { files, lines }
    }

    /// Checks every file.
    pub fn each(&self, check: impl Fn(&[u8])) {
        for (path, bytes) in &self.files {
            if let Err(why) = failing(|| check(bytes)) {
                panic!("{}: {why}", path.display());
            }
        }
    }

    /// An input: a file, some lines, or a few random bytes, and then spoilt in some places or left as it is.
    pub fn input(&self, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = match dice.below(8) {
            0 => (0..dice.below(40)).map(|_| dice.any() as u8).collect(),
            1 | 2 => self.files[dice.below(self.files.len())].1.clone(),
            _ => (0..=dice.below(4)).flat_map(|_| dice.pick(&self.lines).clone()).collect(),
        };
        bytes.truncate(LONGEST);
        for _ in 0..dice.below(5) {
            self.spoil(&mut bytes, dice);
        }
        bytes
    }

    fn spoil(&self, bytes: &mut Vec<u8>, dice: &mut Dice) {
        let at = dice.below(bytes.len() + 1);
        let to = (at + 1 + dice.below(24)).min(bytes.len());
        match dice.below(9) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..to)),
            2 | 3 => drop(bytes.splice(at..at, dice.pick(&WORDS).iter().copied())),
            4 => drop(bytes.splice(at..to, dice.pick(&WORDS).iter().copied())),
            5 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            6 if at < bytes.len() => bytes[at] = dice.any() as u8,
            7 if bytes.len() < LONGEST => {
                let copy = bytes[at..to].repeat(1 + dice.below(3));
                drop(bytes.splice(at..at, copy));
            }
            _ => drop(bytes.splice(at..at, dice.pick(&self.lines).iter().copied())),
        }
    }
}
