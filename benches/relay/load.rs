//! The load generator: a window of calls in flight over a pair of pipes, every answer checked.
//!
//! It knows nothing of what is on the other side.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::time::{ClockId, clock_gettime};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::Instant;

use crate::payload::Payload;

/// How many requests are written at once, at most.
const FLUSH: usize = 8;
/// How long nothing may come before the other side counts as hung.
const SILENCE: Duration = Duration::from_secs(20);
const START: &[u8] = br#"{"jsonrpc":"2.0","id":"#;

/// What was measured.
#[derive(Clone, Copy)]
pub struct Measured {
    pub calls_per_second: f64,
    /// Of the whole process, in microseconds.
    pub cpu_per_call: f64,
}

/// One client.
pub struct Load {
    input: Receiver,
    output: Sender,
    payload: Payload,
    /// A request from after its id to its end.
    request: String,
    /// A good answer from after its id to its end: all of them must look the same.
    good: Vec<u8>,
    /// The ids in flight, each in the slot of its remainder.
    slots: Vec<u64>,
    answered: u64,
    out: Vec<u8>,
    written: usize,
    buffer: Vec<u8>,
    start: usize,
    searched: usize,
    filled: usize,
}

impl Load {
    pub fn new((input, output): (Receiver, Sender), payload: Payload, tool: &str, in_flight: usize) -> Self {
        Self {
            input,
            output,
            payload,
            request: payload.request(tool),
            good: Vec::new(),
            slots: (0..in_flight as u64).collect(),
            answered: 0,
            out: Vec::new(),
            written: 0,
            buffer: vec![0; 1 << 18],
            start: 0,
            searched: 0,
            filled: 0,
        }
    }

    /// Introduces itself, calls for the time of `warm_up`, then measures for that of `measured`.
    pub async fn run(mut self, warm_up: Duration, measured: Duration) -> anyhow::Result<Measured> {
        self.introduce().await?;
        for slot in 0..self.slots.len() {
            self.ask(slot);
        }
        self.work(Instant::now() + warm_up, self.slots.len() as u64).await?;
        self.answered = 0;
        let (before, started) = (cpu(), Instant::now());
        self.work(started + measured, 2 * self.slots.len() as u64).await?;
        let calls = self.answered as f64;
        Ok(Measured {
            calls_per_second: calls / started.elapsed().as_secs_f64(),
            cpu_per_call: (cpu() - before).as_secs_f64() * 1e6 / calls,
        })
    }

    async fn introduce(&mut self) -> anyhow::Result<()> {
        self.out.extend_from_slice(
            concat!(
                r#"{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","#,
                r#""capabilities":{},"clientInfo":{"name":"load","version":"1"}}}"#,
                "\n",
                r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
                "\n"
            )
            .as_bytes(),
        );
        loop {
            self.turn().await?;
            if let Some((from, to)) = self.next_line() {
                let line = String::from_utf8_lossy(&self.buffer[from..to]);
                if line.contains(r#""id":"hello""#) && line.contains(r#""result""#) {
                    return Ok(());
                }
                bail!("refused: {line}");
            }
        }
    }

    /// Calls until `deadline` has passed and `least` calls were answered.
    async fn work(&mut self, deadline: Instant, least: u64) -> anyhow::Result<()> {
        loop {
            self.turn().await?;
            let mut fresh = 0;
            while let Some((from, to)) = self.next_line() {
                let Some(slot) = self.take(from, to)? else { continue };
                self.ask(slot);
                fresh += 1;
                if fresh % FLUSH == 0 {
                    self.write()?;
                }
            }
            if self.answered >= least && Instant::now() >= deadline {
                return Ok(());
            }
        }
    }

    fn ask(&mut self, slot: usize) {
        self.slots[slot] += self.slots.len() as u64;
        self.out.extend_from_slice(START);
        self.out.extend_from_slice(self.slots[slot].to_string().as_bytes());
        self.out.extend_from_slice(self.request.as_bytes());
        self.out.push(b'\n');
    }

    /// Takes an answer, and says which slot is free now; `None` for a message that is no answer.
    fn take(&mut self, from: usize, to: usize) -> anyhow::Result<Option<usize>> {
        let line = &self.buffer[from..to];
        let shown = || String::from_utf8_lossy(&line[..line.len().min(300)]).into_owned();
        let Some(digits) = line.strip_prefix(START) else {
            let notice = line.starts_with(br#"{"jsonrpc":"2.0","method":"#);
            return if notice { Ok(None) } else { bail!("not understood: {}", shown()) };
        };
        let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let id = digits[..length].iter().fold(0, |id, digit| id * 10 + u64::from(digit - b'0'));
        let slot = (id % self.slots.len() as u64) as usize;
        if self.slots[slot] != id {
            bail!("an answer to no call in flight: {}", shown());
        }
        let rest = &digits[length..];
        if self.good.is_empty() && self.payload.is_in(&String::from_utf8_lossy(line)) {
            self.good = rest.to_vec();
        }
        if rest != self.good {
            bail!("a wrong answer: {}", shown());
        }
        self.answered += 1;
        Ok(Some(slot))
    }

    /// Writes what can be written, waits for something to read, and reads once.
    async fn turn(&mut self) -> anyhow::Result<()> {
        loop {
            self.write()?;
            let writable = !self.out.is_empty();
            let ready = tokio::time::timeout(SILENCE, async {
                tokio::select! {
                    biased;
                    ready = self.input.readable() => ready,
                    ready = self.output.writable(), if writable => ready,
                }
            });
            ready.await.context("nothing came for too long")??;
            if self.read()? {
                return Ok(());
            }
        }
    }

    fn write(&mut self) -> anyhow::Result<()> {
        while self.written < self.out.len() {
            match self.output.try_write(&self.out[self.written..]) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("the server reads no more"),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    /// `false` when there was nothing to read after all.
    fn read(&mut self) -> anyhow::Result<bool> {
        if self.buffer.len() - self.filled < 1 << 16 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.searched -= self.start;
            self.filled -= self.start;
            self.start = 0;
            if self.buffer.len() - self.filled < 1 << 16 {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
        }
        match self.input.try_read(&mut self.buffer[self.filled..]) {
            Ok(0) => bail!("the server ended"),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// Where the next whole line is in the buffer.
    fn next_line(&mut self) -> Option<(usize, usize)> {
        let Some(length) = memchr::memchr(b'\n', &self.buffer[self.searched..self.filled]) else {
            self.searched = self.filled;
            return None;
        };
        let line = (self.start, self.searched + length);
        self.start = line.1 + 1;
        self.searched = self.start;
        Some(line)
    }
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
