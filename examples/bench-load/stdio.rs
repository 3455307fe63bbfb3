//! Calls over the pipes of a child process, on one thread: one reader, one writer, a window of calls in flight.
//!
//! It waits in `poll`, as a client with other things to do would; requests are written a few at a time, so that the
//! other side does not fall into step with whole windows.

use std::io::{ErrorKind, Read, Write};
use std::ops::Range;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::time::Instant;

use crate::Report;
use crate::calls::{Calls, Plan, Tally};
use crate::process::Usage;

/// How long nothing may come before the other side counts as hung.
const SILENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

struct Pipes {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// Requests, and how much of them is written.
    out: Vec<u8>,
    written: usize,
    /// What was read: lines begin at `start`, and up to `scanned` there is no end of one.
    buffer: Vec<u8>,
    start: usize,
    scanned: usize,
    filled: usize,
}

pub fn run(plan: Plan, command: &[String], cpu_pid: Option<u32>, flush: usize) -> anyhow::Result<Report> {
    let mut pipes = Pipes::start(command)?;
    let pid = cpu_pid.unwrap_or(pipes.child.id());
    for request in crate::http::HANDSHAKE {
        pipes.ask(request)?;
    }
    let mut calls = Calls::new(plan.clone(), 0, plan.in_flight);
    let now = Instant::now();
    for slot in 0..calls.slots() {
        calls.request(slot, now, &mut pipes.out);
        pipes.out.push(b'\n');
    }
    pipes.work(&mut calls, flush, u64::MAX, now + plan.warm_up)?;
    calls.tally = Tally::default();
    let before = Usage::of(pid);
    let started = Instant::now();
    pipes.work(&mut calls, flush, plan.most, started + plan.measured)?;
    let elapsed = started.elapsed();
    let usage = Usage::of(pid).zip(before).map(|(after, before)| after.since(before));
    pipes.stop()?;
    Ok(Report { tally: calls.tally, elapsed, usage })
}

impl Pipes {
    fn start(command: &[String]) -> anyhow::Result<Self> {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", command[0]))?;
        let input = child.stdin.take().context("a piped child has a stdin")?;
        let output = child.stdout.take().context("a piped child has a stdout")?;
        let flags = rustix::fs::fcntl_getfl(&input)?;
        rustix::fs::fcntl_setfl(&input, flags | rustix::fs::OFlags::NONBLOCK)?;
        let (out, buffer) = (Vec::new(), vec![0; 1 << 18]);
        Ok(Self { child, input, output, out, written: 0, buffer, start: 0, scanned: 0, filled: 0 })
    }

    /// Sends one message of the handshake; when it is a request, waits for its answer.
    fn ask(&mut self, message: &str) -> anyhow::Result<()> {
        self.out.extend_from_slice(message.as_bytes());
        self.out.push(b'\n');
        self.write()?;
        let mut answered = !message.contains(r#""id":"#);
        while !answered {
            self.turn()?;
            while let Some(line) = self.next_line() {
                let line = &self.buffer[line];
                if memchr::memmem::find(line, br#""error""#).is_some() {
                    bail!("refused: {}", String::from_utf8_lossy(line));
                }
                answered |= memchr::memmem::find(line, br#""result""#).is_some();
            }
        }
        Ok(())
    }

    /// Calls until `deadline`, or until `most` calls were answered.
    fn work(&mut self, calls: &mut Calls, flush: usize, most: u64, deadline: Instant) -> anyhow::Result<()> {
        loop {
            self.turn()?;
            let now = Instant::now();
            let mut fresh = 0;
            while let Some(line) = self.next_line() {
                let Some(slot) = calls.answer(&self.buffer[line], now)? else { continue };
                calls.request(slot, now, &mut self.out);
                self.out.push(b'\n');
                fresh += 1;
                if fresh % flush == 0 {
                    self.write()?;
                }
            }
            if now >= deadline || calls.tally.answered >= most {
                return Ok(());
            }
        }
    }

    /// Writes what can be written, waits for something to read, and reads once.
    fn turn(&mut self) -> anyhow::Result<()> {
        loop {
            self.write()?;
            let mut waits =
                [PollFd::new(&self.output, PollFlags::IN), PollFd::new(&self.input, PollFlags::OUT)];
            let waits = if self.out.is_empty() { &mut waits[..1] } else { &mut waits[..] };
            if poll(waits, Some(&SILENCE))? == 0 {
                bail!("nothing came for {} s", SILENCE.tv_sec);
            }
            if !waits[0].revents().is_empty() {
                return self.read();
            }
        }
    }

    fn write(&mut self) -> anyhow::Result<()> {
        while self.written < self.out.len() {
            match self.input.write(&self.out[self.written..]) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("the server reads no more"),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    fn read(&mut self) -> anyhow::Result<()> {
        if self.buffer.len() - self.filled < 1 << 16 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.scanned -= self.start;
            self.filled -= self.start;
            self.start = 0;
            if self.buffer.len() - self.filled < 1 << 16 {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
        }
        let read = self.output.read(&mut self.buffer[self.filled..])?;
        if read == 0 {
            bail!("the server ended");
        }
        self.filled += read;
        Ok(())
    }

    /// Where the next whole line is in the buffer.
    fn next_line(&mut self) -> Option<Range<usize>> {
        let Some(length) = memchr::memchr(b'\n', &self.buffer[self.scanned..self.filled]) else {
            self.scanned = self.filled;
            return None;
        };
        let line = self.start..self.scanned + length;
        self.start = line.end + 1;
        self.scanned = self.start;
        Some(line)
    }

    /// Closes the child's stdin, and lets it finish what it has begun.
    fn stop(self) -> anyhow::Result<()> {
        let Self { mut child, input, mut output, mut buffer, .. } = self;
        drop(input);
        let moment = Timespec { tv_sec: 5, tv_nsec: 0 };
        while poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&moment))? > 0 {
            if output.read(&mut buffer)? == 0 {
                return child.wait().map(drop).context("the server cannot be waited for");
            }
        }
        child.kill()?;
        child.wait()?;
        bail!("the server does not end when its stdin does")
    }
}
