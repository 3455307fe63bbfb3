//! The last lines a child wrote on stderr, read all the time so that the child never blocks.
//!
//! It does not interpret them. Lines are cleaned, and secret values of the entry removed, before anybody sees them.

use crate::downstream::veil::Veil;
use crate::name::ServerName;
use crate::telemetry::clean::clean_bytes;
use crate::telemetry::throttle::Pass;
use crate::telemetry::throttle::Throttle;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;
use tokio::time::Instant;
use tokio::time::timeout_at;

/// Bytes kept of one child.
const RING: usize = 64 << 10;
/// Bytes kept of one line.
const LINE: usize = 8 << 10;
/// Bytes read at once.
const CHUNK: usize = 16 << 10;
/// Lines logged each second.
const LOG_RATE: u32 = 20;
/// The last 64 KiB of a child's stderr. Clones share it.
#[derive(Debug, Clone)]
pub struct StderrRing {
    server: ServerName,
    veil: Veil,
    tail: Arc<Mutex<Tail>>,
}

impl StderrRing {
    /// An empty ring for `server`; what `veil` hides is never shown.
    #[must_use]
    pub fn new(server: ServerName, veil: Veil) -> Self {
        Self { server, veil, tail: Arc::default() }
    }

    /// The last `n` lines that are not empty, oldest first, each safe to show; an unfinished line counts.
    #[must_use]
    pub fn last_lines(&self, n: usize) -> Vec<String> {
        let bytes: Vec<u8> = self.lock().bytes.iter().copied().collect();
        let lines = bytes.rsplit(|&byte| byte == b'\n').map(|line| self.show(line));
        let mut last: Vec<String> = lines.filter(|line| !line.is_empty()).take(n).collect();
        last.reverse();
        last
    }

    fn show(&self, line: &[u8]) -> String {
        self.veil.hide(clean_bytes(line, LINE))
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, line: &[u8]) {
        let text = self.show(line);
        if !text.is_empty() {
            tracing::debug!(server = %self.server, line = text, "stderr");
        }
    }

    fn log_held(&self, held: u64) {
        if held > 0 {
            tracing::debug!(server = %self.server, lines = held, "stderr lines left out");
        }
    }
}

/// Reads `stderr` to its end into `ring`. It runs as long as any process holds the other end: its owner aborts it
/// after the tree was stopped.
pub async fn drain(mut stderr: ChildStderr, ring: StderrRing) {
    let mut chunk = vec![0; CHUNK];
    let mut throttle = Throttle::new(LOG_RATE);
    let mut logged: Vec<Vec<u8>> = Vec::new();
    loop {
        let read = match throttle.summary_due() {
            None => stderr.read(&mut chunk).await,
            Some(due) => match timeout_at(due, stderr.read(&mut chunk)).await {
                Ok(read) => read,
                Err(_) => {
                    ring.log_held(throttle.take_held());
                    continue;
                }
            },
        };
        let Ok(count @ 1..) = read else { break };
        let now = Instant::now();
        let mut left_out = 0;
        ring.lock().feed(&chunk[..count], |line| match throttle.ask(now) {
            Pass::Yes { held } => {
                logged.push(line.to_vec());
                left_out += held;
            }
            Pass::No => {}
        });
        ring.log_held(left_out);
        logged.drain(..).for_each(|line| ring.log(&line));
    }
    let rest = ring.lock().open_line();
    ring.log(&rest);
    ring.log_held(throttle.take_held());
}

/// Bytes of lines, cut to size.
#[derive(Debug, Default)]
struct Tail {
    bytes: VecDeque<u8>,
    /// Bytes of the line that has not ended yet, at most [`LINE`].
    open: usize,
    /// That line is longer than what is kept.
    cut: bool,
}

impl Tail {
    /// Takes bytes in and shows each line that ended.
    fn feed(&mut self, chunk: &[u8], mut ended: impl FnMut(&[u8])) {
        let mut rest = chunk;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.extend(&rest[..end]);
            if self.cut {
                self.bytes.extend("…".as_bytes());
                self.open += "…".len();
            }
            // Lines are shown in order of reading; `make_contiguous` is free until the ring has wrapped.
            let line = self.bytes.len() - self.open;
            ended(&self.bytes.make_contiguous()[line..]);
            self.bytes.push_back(b'\n');
            (self.open, self.cut) = (0, false);
            rest = &rest[end + 1..];
        }
        self.extend(rest);
        self.trim();
    }

    fn extend(&mut self, part: &[u8]) {
        let kept = part.len().min(LINE - self.open.min(LINE));
        self.bytes.extend(&part[..kept]);
        self.open += kept;
        self.cut |= kept < part.len();
    }

    /// Drops whole lines from the front.
    fn trim(&mut self) {
        let Some(over) = self.bytes.len().checked_sub(RING).filter(|&over| over > 0) else { return };
        let end = self.bytes.iter().skip(over).position(|&byte| byte == b'\n');
        let dropped = end.map_or(self.bytes.len() - self.open, |at| over + at + 1);
        self.bytes.drain(..dropped);
    }

    fn open_line(&self) -> Vec<u8> {
        self.bytes.iter().skip(self.bytes.len() - self.open).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::EnvValue;
    use crate::config::model::Stdio;
    use crate::secret::Secret;

    fn ring() -> StderrRing {
        let value = EnvValue { value: Secret::new("sk-12345678"), declared: true, from_file: false };
        let stdio = Stdio { env: vec![("KEY".to_owned(), value)], ..Stdio::default() };
        StderrRing::new(ServerName::new("s").unwrap(), Veil::of_child(&stdio))
    }

    fn feed(ring: &StderrRing, bytes: &[u8]) {
        for part in bytes.chunks(CHUNK) {
            ring.lock().feed(part, |_| {});
        }
    }

    #[test]
    fn lines_come_out_clean_and_in_order() {
        let ring = ring();
        feed(&ring, b"one\n\n\x1b[31mtwo\x1b[0m\r\nkey=sk-12345678 thr");
        feed(&ring, b"ee");
        assert_eq!(ring.last_lines(9), ["one", "two", "key=*** three"]);
        assert_eq!(ring.last_lines(1), ["key=*** three"]);
    }

    #[test]
    fn a_long_line_is_cut_and_leaves_the_others() {
        let ring = ring();
        feed(&ring, b"before\n");
        feed(&ring, &[b'x'; 1 << 20]);
        feed(&ring, b"\nafter\n");
        let lines = ring.last_lines(9);
        assert_eq!((lines[0].as_str(), lines[2].as_str(), lines.len()), ("before", "after", 3));
        assert!(lines[1].len() <= LINE + 3 && lines[1].ends_with('…'), "{}", lines[1].len());
    }

    #[test]
    fn old_lines_make_room_whole() {
        let ring = ring();
        let text: String = (0..20_000).map(|n| format!("line {n:05}\n")).collect();
        feed(&ring, text.as_bytes());
        assert!(ring.lock().bytes.len() <= RING);
        let lines = ring.last_lines(usize::MAX);
        assert!(lines.iter().all(|line| line.len() == "line 00000".len()));
        assert_eq!(lines.last().unwrap(), "line 19999");
    }
}
