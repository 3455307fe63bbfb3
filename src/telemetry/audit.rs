//! A file of lines that are only ever added to, written beside everything else: nobody waits for it.
//!
//! What stands in a line is not known here. Lines that cannot be written are counted, and a line says how many.

mod file;
pub mod place;
pub mod tally;
pub mod time;

use crate::telemetry::audit::file::Appender;
use crate::telemetry::audit::place::Place;
use crate::telemetry::audit::tally::Say;
use crate::telemetry::audit::tally::Tallies;
use crate::telemetry::audit::time::rfc3339;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use std::time::SystemTime;
use tokio::time::Instant;

/// Lines that wait for the writer; more are dropped.
const QUEUE: usize = 16_384;
/// Bytes that wait while the file cannot be written; more are dropped.
const HELD: usize = 4 << 20;
/// Beyond this no line is promised to be written: the rest is for calls that have begun.
const ROOM: usize = HELD / 2;
/// Lines that take longer to be written than this are not being written, in milliseconds.
const LATE: u64 = 2000;
/// Until it is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// How often what was counted is written.
const SWEEP: Duration = Duration::from_secs(60);
/// Longest wait for what was written before.
const FLUSH: Duration = Duration::from_secs(2);

/// The way to the file. The last one dropped ends the writer, after it has written what waits.
#[derive(Debug)]
pub struct AuditLog {
    sender: SyncSender<Letter>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    failing: AtomicBool,
    /// Lines that are not written yet, wherever they are, and their bytes.
    lines: AtomicUsize,
    bytes: AtomicUsize,
    dropped: AtomicU64,
    /// Since when the writer is at what waits, in milliseconds after `start`; 0 while it waits for lines.
    busy: AtomicU64,
    start: Instant,
    tallies: Mutex<Tallies>,
}

enum Letter {
    Line(String),
    Flush(SyncSender<()>),
}

impl AuditLog {
    /// Opens the file and writes `opening` there, or notes that this cannot be done. It blocks.
    #[must_use]
    pub fn open(place: Place, opening: &str) -> Self {
        let (sender, letters) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::new());
        let file = Appender::new(place);
        let mut writer =
            Writer { file, shared: Arc::clone(&shared), held: Vec::new(), held_lines: 0, sweep: None };
        // Only a line that is there shows that lines can be written: the disk may be full.
        writer.add(opening);
        writer.write();
        std::thread::spawn(move || writer.run(&letters));
        Self { sender, shared }
    }

    /// Adds a line, which has no line break in it. It never waits.
    pub fn write(&self, line: String) {
        let bytes = line.len() + 1;
        if self.shared.enter(bytes) && self.sender.try_send(Letter::Line(line)).is_err() {
            self.shared.leave(1, bytes);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds a line about one more of `kind`: the first is written, the others are counted for a while and written as one.
    pub fn count(&self, kind: &str, say: impl FnOnce() -> Say) {
        let first = self.shared.tallies().add(kind, say);
        if let Some(line) = first {
            self.write(line);
        }
    }

    /// True while lines can be written: the last attempt did not fail, none takes too long, and there is room.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        let shared = &self.shared;
        !shared.failing.load(Ordering::Relaxed)
            && shared.lines.load(Ordering::Relaxed) < QUEUE
            && shared.bytes.load(Ordering::Relaxed) < ROOM
            && !shared.is_late(shared.now())
    }

    /// Waits until what was added before is written, not for ever; what is left then is told. It blocks.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.sender.try_send(Letter::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(FLUSH);
        }
        let lines = self.shared.lines.load(Ordering::Relaxed);
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        if lines > 0 || dropped > 0 {
            tracing::error!(lines, dropped, "lines of the audit log are not written yet");
        }
    }
}

impl Shared {
    fn new() -> Self {
        Self {
            failing: AtomicBool::new(false),
            lines: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            start: Instant::now(),
            tallies: Mutex::default(),
        }
    }

    /// One more line of so many bytes; false when there is no room, and it counts as dropped.
    fn enter(&self, bytes: usize) -> bool {
        let has_room = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= HELD;
        if has_room {
            self.lines.fetch_add(1, Ordering::Relaxed);
        } else {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    fn leave(&self, lines: usize, bytes: usize) {
        self.lines.fetch_sub(lines, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Milliseconds, and never 0.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn is_late(&self, now: u64) -> bool {
        let busy = self.busy.load(Ordering::Relaxed);
        busy > 0 && now.saturating_sub(busy) > LATE
    }

    fn tallies(&self) -> MutexGuard<'_, Tallies> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fails(&self, file: &Appender, error: &std::io::Error) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(file = %file.path().display(), %error, "the audit log cannot be written");
        }
    }
}

struct Writer {
    file: Appender,
    shared: Arc<Shared>,
    /// Lines that could not be written, or not all of them.
    held: Vec<u8>,
    held_lines: usize,
    /// When counts are written next.
    sweep: Option<Instant>,
}

impl Writer {
    fn run(mut self, letters: &Receiver<Letter>) {
        loop {
            let first = match self.patience() {
                None => letters.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(patience) => letters.recv_timeout(patience),
            };
            let is_over = matches!(first, Err(RecvTimeoutError::Disconnected));
            let mut flushed = Vec::new();
            for letter in first.into_iter().chain(letters.try_iter().take(QUEUE)) {
                match letter {
                    Letter::Line(line) => self.hold(&line),
                    Letter::Flush(done) => flushed.push(done),
                }
            }
            self.sweep(is_over || !flushed.is_empty());
            self.write();
            flushed.iter().for_each(|done| _ = done.try_send(()));
            if is_over {
                if self.held_lines > 0 {
                    tracing::error!(lines = self.held_lines, "lines of the audit log were never written");
                }
                return;
            }
        }
    }

    /// How long to wait for lines; for ever when there is nothing else to do.
    fn patience(&self) -> Option<Duration> {
        let again = self.shared.failing.load(Ordering::Relaxed) || !self.held.is_empty();
        let sweep = self.sweep.map(|at| at.saturating_duration_since(Instant::now()));
        [again.then_some(AGAIN), sweep].into_iter().flatten().min()
    }

    /// Takes what was counted, when it is time.
    fn sweep(&mut self, now: bool) {
        if now || self.sweep.is_some_and(|at| at <= Instant::now()) {
            self.sweep = None;
            let lines = self.shared.tallies().sweep();
            lines.iter().for_each(|line| self.add(line));
        }
        if self.sweep.is_none() && !self.shared.tallies().is_empty() {
            self.sweep = Some(Instant::now() + SWEEP);
        }
    }

    /// Takes a line of its own.
    fn add(&mut self, line: &str) {
        if self.shared.enter(line.len() + 1) {
            self.hold(line);
        }
    }

    fn hold(&mut self, line: &str) {
        self.held_lines += 1;
        self.held.extend_from_slice(line.as_bytes());
        self.held.push(b'\n');
    }

    fn write(&mut self) {
        self.shared.busy.store(self.shared.now(), Ordering::Relaxed);
        let mut written = self.append();
        let dropped = self.shared.dropped.swap(0, Ordering::Relaxed);
        if written.is_ok() && dropped > 0 {
            let time = rfc3339(SystemTime::now());
            self.add(&format!("{{\"time\":\"{time}\",\"event\":\"dropped\",\"lines\":{dropped}}}"));
            written = self.append();
        } else {
            self.shared.dropped.fetch_add(dropped, Ordering::Relaxed);
        }
        self.shared.busy.store(0, Ordering::Relaxed);
        match written {
            Err(error) => self.shared.fails(&self.file, &error),
            Ok(()) => {
                if self.shared.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!(file = %self.file.path().display(), "the audit log is written again");
                }
            }
        }
    }
}

impl Writer {
    /// Writes what is held, as far as that goes.
    fn append(&mut self) -> std::io::Result<()> {
        let before = self.held.len();
        let written = self.file.prepare().and_then(|()| self.file.append(&mut self.held));
        let left = self.held.iter().filter(|byte| **byte == b'\n').count();
        self.shared.leave(self.held_lines - left, before - self.held.len());
        self.held_lines = left;
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn place(folder: &std::path::Path) -> Place {
        Place { file: folder.join("audit.log"), rotate_bytes: 1 << 20, keep: 2 }
    }

    #[test]
    fn lines_are_added_to_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["one", "two"] {
            let log = AuditLog::open(place(folder.path()), "opened");
            log.write(text.to_owned());
            log.flush();
        }
        assert_eq!(
            fs::read_to_string(folder.path().join("audit.log")).unwrap(),
            "opened\none\nopened\ntwo\n"
        );
    }

    #[test]
    fn a_lock_that_somebody_holds_keeps_no_line_back() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { rotate_bytes: 64, ..place(folder.path()) };
        let path = place.file.clone();
        let log = AuditLog::open(place, "opened");
        let held = fs::File::options().append(true).open(&path).unwrap();
        held.lock().unwrap();
        (0..100).for_each(|n| log.write(format!("line {n}")));
        log.flush();
        assert!(log.is_writable());
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 101);
    }

    #[test]
    fn lines_that_take_long_or_much_room_make_it_unwritable() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::open(place(folder.path()), "opened");
        // As if the disk did not answer.
        log.shared.busy.store(1, Ordering::Relaxed);
        assert!(!log.shared.is_late(1 + LATE) && log.shared.is_late(2 + LATE));
        log.shared.busy.store(0, Ordering::Relaxed);
        assert!(log.is_writable());
        assert!(log.shared.enter(ROOM));
        assert!(!log.is_writable());
        assert!(!log.shared.enter(HELD) && log.shared.dropped.load(Ordering::Relaxed) == 1);
    }

    #[test]
    fn what_cannot_be_written_is_told_and_written_later() {
        let folder = tempfile::tempdir().unwrap();
        let in_the_way = folder.path().join("logs");
        fs::write(&in_the_way, "").unwrap();
        let log = AuditLog::open(place(&in_the_way), "opened");
        assert!(!log.is_writable());
        log.write("one".to_owned());
        log.flush();
        fs::remove_file(&in_the_way).unwrap();
        while !log.is_writable() {
            log.flush();
        }
        assert_eq!(fs::read_to_string(in_the_way.join("audit.log")).unwrap(), "opened\none\n");
    }

    #[test]
    fn what_happens_often_is_a_line_and_a_count_and_leaves_room_for_others() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::open(place(folder.path()), "opened");
        for _ in 0..10 * QUEUE {
            log.count("x", || Box::new(|count| format!("{count:?}")));
            assert!(log.is_writable());
        }
        log.write("one".to_owned());
        log.flush();
        let expected = format!("opened\nFirst\none\nMore({})\n", 10 * QUEUE - 1);
        assert_eq!(fs::read_to_string(folder.path().join("audit.log")).unwrap(), expected);
    }

    #[test]
    fn what_was_dropped_is_counted_in_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let in_the_way = folder.path().join("logs");
        fs::write(&in_the_way, "").unwrap();
        let log = AuditLog::open(place(&in_the_way), "opened");
        let line = "x".repeat(HELD / 4);
        (0..10).for_each(|_| log.write(line.clone()));
        log.flush();
        fs::remove_file(&in_the_way).unwrap();
        while !log.is_writable() {
            log.flush();
        }
        let last = |name: &str| {
            let text = fs::read_to_string(in_the_way.join(name)).unwrap_or_default();
            text.lines().last().unwrap_or_default().to_owned()
        };
        assert!(
            last("audit.log").ends_with("\"event\":\"dropped\",\"lines\":7}"),
            "{}",
            last("audit.log").len()
        );
    }
}
