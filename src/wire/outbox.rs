//! What is to be written to one line transport: a bounded FIFO of whole frames.
//!
//! Producers never wait: they push under a short lock, and one writer takes everything that is queued in one piece, so
//! that many small messages become one system call. Beyond the byte budget pushes are refused. It does not know what a
//! frame says.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

/// Batches smaller than this keep their buffer.
const KEEP_CAPACITY: usize = 256 << 10;

/// Why a frame was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The other side does not read and the byte budget is used up.
    #[error("it does not read what is sent to it")]
    Full,
    /// The transport is closed.
    #[error("the connection is closed")]
    Closed,
}

/// The queue of one connection. Every frame ends with a line break, added here.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    wake: Notify,
    cut: Notify,
    limit: usize,
}

#[derive(Debug, Default)]
struct Queue {
    frames: Vec<u8>,
    urgent: Vec<u8>,
    /// Which marked frame begins where in `frames`.
    marks: VecDeque<(u64, usize)>,
    writing: usize,
    /// Bytes written so far.
    written: u64,
    closed: bool,
    /// Closed because the other side does not read.
    cut: bool,
}

impl Outbox {
    /// An empty queue that holds at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { queue: Mutex::default(), wake: Notify::new(), cut: Notify::new(), limit }
    }

    /// Queues the frame that `write` appends.
    ///
    /// # Errors
    /// [`Refused`] when the budget is used up or the queue is closed; then nothing is queued.
    pub fn push(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Refused> {
        self.append(None, write)
    }

    /// Queues a frame that can be taken back with [`Outbox::retract`] while it has not been written.
    ///
    /// # Errors
    /// As [`Outbox::push`].
    pub fn push_marked(&self, mark: u64, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Refused> {
        self.append(Some(mark), write)
    }

    /// Queues a frame that overtakes everything not yet being written.
    pub fn push_urgent(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut queue = self.lock();
        if !queue.closed {
            write(&mut queue.urgent);
            queue.urgent.push(b'\n');
            self.wake.notify_one();
        }
    }

    /// Takes a marked frame back. `false` when it is already being written.
    pub fn retract(&self, mark: u64) -> bool {
        let mut queue = self.lock();
        let Some(at) = queue.marks.iter().position(|(found, _)| *found == mark) else { return false };
        let from = queue.marks[at].1;
        let line =
            memchr::memchr(b'\n', &queue.frames[from..]).map_or(queue.frames.len() - from, |end| end + 1);
        queue.frames.drain(from..from + line);
        queue.marks.remove(at);
        queue.marks.iter_mut().skip(at).for_each(|(_, begin)| *begin -= line);
        true
    }

    /// Refuses further frames; the writer ends after what is queued.
    pub fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// As [`Outbox::close`], because the other side does not read.
    pub fn cut_off(&self) {
        self.lock().cut = true;
        self.close();
        self.cut.notify_waiters();
    }

    /// True when it was cut off: a frame was refused, and those after it.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.lock().cut
    }

    /// Resolves once it was cut off. Its writer may still be busy with what was queued.
    pub async fn cut(&self) {
        let mut cut = pin!(self.cut.notified());
        // Asked first, looked at then: nothing is missed.
        cut.as_mut().enable();
        if !self.lock().cut {
            cut.await;
        }
    }

    /// As [`Outbox::close`], and what is queued is dropped: nobody will read it.
    pub fn abandon(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        (queue.frames, queue.urgent) = (Vec::new(), Vec::new());
        queue.marks.clear();
        self.wake.notify_one();
    }

    /// True when it takes no more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Bytes waiting or being written.
    #[must_use]
    pub fn len(&self) -> usize {
        let queue = self.lock();
        queue.frames.len() + queue.urgent.len() + queue.writing
    }

    /// How many bytes the other side has taken so far, while there are more for it; `None` when it has all.
    #[must_use]
    pub fn taken(&self) -> Option<u64> {
        let queue = self.lock();
        (queue.writing > 0).then_some(queue.written)
    }

    /// All bytes that were ever queued for the other side.
    #[must_use]
    pub fn total(&self) -> u64 {
        let queue = self.lock();
        queue.written + (queue.frames.len() + queue.urgent.len() + queue.writing) as u64
    }

    /// True when nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes what is queued until the queue is closed and empty. Exactly one task may run it.
    ///
    /// # Errors
    /// The first write error; the queue is closed then.
    pub async fn write_to<W: AsyncWrite + Unpin>(&self, mut writer: W) -> io::Result<()> {
        let mut batch = Vec::new();
        while self.next_batch(&mut batch).await {
            if let Err(error) = self.write_batch(&batch, &mut writer).await {
                self.close();
                return Err(error);
            }
        }
        writer.flush().await
    }

    /// What is written makes room at once: a batch may be as large as the budget.
    async fn write_batch<W: AsyncWrite + Unpin>(&self, batch: &[u8], writer: &mut W) -> io::Result<()> {
        let mut rest = batch;
        while !rest.is_empty() {
            let written = writer.write(rest).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = &rest[written..];
            let mut queue = self.lock();
            queue.writing = rest.len();
            queue.written += written as u64;
        }
        Ok(())
    }

    /// Everything that is queued, a frame per line, once there is some; `false` when the queue is closed and empty.
    /// Exactly one task may run it, instead of [`Outbox::write_to`].
    pub async fn next_batch(&self, batch: &mut Vec<u8>) -> bool {
        loop {
            if let Some(ready) = self.take(batch) {
                return ready;
            }
            self.wake.notified().await;
        }
    }

    /// Swaps the queued frames into `batch`: `Some(true)` there are some, `Some(false)` the end, `None` wait.
    fn take(&self, batch: &mut Vec<u8>) -> Option<bool> {
        batch.clear();
        if batch.capacity() > KEEP_CAPACITY {
            *batch = Vec::new();
        }
        let mut queue = self.lock();
        queue.writing = 0;
        if queue.urgent.is_empty() {
            queue.marks.clear();
            std::mem::swap(&mut queue.frames, batch);
        } else {
            std::mem::swap(&mut queue.urgent, batch);
        }
        queue.writing = batch.len();
        match (batch.is_empty(), queue.closed) {
            (false, _) => Some(true),
            (true, true) => Some(false),
            (true, false) => None,
        }
    }

    fn append(&self, mark: Option<u64>, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Refused> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(Refused::Closed);
        }
        if queue.frames.len() + queue.writing > self.limit {
            return Err(Refused::Full);
        }
        let begin = queue.frames.len();
        write(&mut queue.frames);
        queue.frames.push(b'\n');
        if let Some(mark) = mark {
            queue.marks.push_back((mark, begin));
        }
        if begin == 0 {
            self.wake.notify_one();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn put(outbox: &Outbox, mark: u64, text: &str) {
        outbox.push_marked(mark, |out| out.extend_from_slice(text.as_bytes())).unwrap();
    }

    async fn written(outbox: &Outbox) -> String {
        outbox.close();
        let mut out = Vec::new();
        outbox.write_to(&mut out).await.unwrap();
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn frames_are_written_in_order_and_urgent_ones_first() {
        let outbox = Outbox::new(1000);
        put(&outbox, 1, "one");
        put(&outbox, 2, "two");
        outbox.push_urgent(|out| out.extend_from_slice(b"stop"));
        assert_eq!(written(&outbox).await, "stop\none\ntwo\n");
    }

    #[tokio::test]
    async fn a_queued_frame_can_be_taken_back_once() {
        let outbox = Outbox::new(1000);
        for (mark, text) in [(1, "one"), (2, "two"), (3, "three")] {
            put(&outbox, mark, text);
        }
        assert!(outbox.retract(2) && !outbox.retract(2));
        assert!(outbox.retract(3));
        assert_eq!(written(&outbox).await, "one\n");
        assert!(!outbox.retract(1));
    }

    #[tokio::test]
    async fn what_is_written_makes_room_before_its_batch_is_done() {
        let outbox = Outbox::new(40);
        put(&outbox, 1, &"x".repeat(60));
        let (writer, mut reader) = tokio::io::duplex(30);
        let reading = async {
            let mut part = [0; 30];
            reader.read_exact(&mut part).await.unwrap();
            assert_eq!(outbox.push(|out| out.push(b'y')), Ok(()));
            outbox.close();
            let mut rest = String::new();
            reader.read_to_string(&mut rest).await.unwrap();
            rest
        };
        let (written, rest) = tokio::join!(outbox.write_to(writer), reading);
        written.unwrap();
        assert_eq!(rest, format!("{}\ny\n", "x".repeat(30)));
    }

    #[tokio::test]
    async fn the_budget_and_the_end_refuse() {
        let outbox = Outbox::new(4);
        put(&outbox, 1, "12345");
        assert_eq!(outbox.push(|out| out.push(b'x')), Err(Refused::Full));
        outbox.close();
        assert_eq!(outbox.push(|out| out.push(b'x')), Err(Refused::Closed));
    }
}
