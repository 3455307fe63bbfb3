//! A gateway with a client on its pipes that has many calls in flight.
//!
//! It keeps no message: what came is in the ledger.

use crate::ledger::Ledger;
use crate::load::Draw;
use crate::load::Era;
use crate::plan::Ticker;
use crate::random::Random;
use crate::support::eventually::now;
use crate::support::eventually::patience;
use crate::support::eventually::within;
use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::stdio_client::collect;
use crate::support::stdio_client::lock;
use crate::support::stdio_client::wait_for_exit;
use serde_json::Value;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write as _;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The gateway and its client.
pub struct Piped {
    child: Mutex<Child>,
    pid: u32,
    stdin: Mutex<Option<ChildStdin>>,
    shared: Arc<Shared>,
    stderr: Arc<Mutex<String>>,
    era: Era,
    name: String,
    next: AtomicU64,
}

/// What the reading thread has too.
struct Shared {
    ledger: Arc<Ledger>,
    news: Condvar,
    /// Goes with `news`.
    answers: Mutex<u64>,
}

impl Piped {
    /// Starts the gateway; the client has listed the tools.
    pub fn start(gateway: &Gateway, era: Era, name: &str, ledger: &Arc<Ledger>) -> Self {
        let mut command = gateway.serve(&[]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the gateway starts");
        let mut stdout = BufReader::with_capacity(1 << 16, child.stdout.take().expect("stdout is piped"));
        let shared =
            Arc::new(Shared { ledger: Arc::clone(ledger), news: Condvar::new(), answers: Mutex::new(0) });
        let piped = Self {
            pid: child.id(),
            stdin: Mutex::new(child.stdin.take()),
            stderr: collect(child.stderr.take().expect("stderr is piped")),
            child: Mutex::new(child),
            shared: Arc::clone(&shared),
            era,
            name: name.to_owned(),
            next: AtomicU64::new(1),
        };
        piped.greet(&mut stdout);
        std::thread::spawn(move || shared.read(stdout));
        piped
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Everything written to stderr so far.
    pub fn stderr(&self) -> String {
        lock(&self.stderr).clone()
    }

    /// Sends a call and does not wait.
    pub fn begin(&self, draw: Draw) {
        self.begin_padded(draw, 0);
    }

    /// The same with an argument of so many bytes that nobody looks at.
    pub fn begin_padded(&self, draw: Draw, bytes: usize) {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let (id, tag) = (number.to_string(), format!("{}-{number}", self.name));
        let ledger = &self.shared.ledger;
        let mut line = self.era.call(&id, ledger.targets().name(draw.target), &tag, draw.ms);
        if bytes > 0 {
            line = line.replacen(r#""tag""#, &format!(r#""pad":"{}","tag""#, "x".repeat(bytes)), 1);
        }
        ledger.sent(id, number, draw.target, tag);
        self.send(&line);
    }

    /// Keeps this many calls in flight until the end.
    pub fn keep_busy(&self, in_flight: usize, end: Instant, mut draw: impl FnMut() -> Draw) {
        while now() < end {
            let answers = lock(&self.shared.answers);
            let full = |_: &mut u64| self.shared.ledger.open() >= in_flight;
            drop(self.shared.news.wait_timeout_while(answers, patience(), full));
            while self.shared.ledger.open() < in_flight {
                self.begin(draw());
            }
        }
    }

    /// Sends calls at a pace until the end, however long answers take.
    pub fn keep_pace(&self, mut ticker: Ticker, end: Instant, mut draw: impl FnMut() -> Draw) {
        while now() < end {
            ticker.wait();
            self.begin(draw());
        }
    }

    /// Cancels all calls to a server; an answer that comes all the same is one too many.
    pub fn cancel(&self, target: usize) {
        self.shared.ledger.withdraw(target).iter().for_each(|id| self.say_cancelled(id));
    }

    /// Cancels any call. False when there is none.
    pub fn cancel_any(&self, random: &mut Random) -> bool {
        let ledger = &self.shared.ledger;
        let place = random.below(ledger.open().max(1) as u64) as usize;
        let Some(id) = ledger.any_open(place).filter(|id| ledger.give_up(id)) else { return false };
        self.say_cancelled(&id);
        true
    }

    fn say_cancelled(&self, id: &str) {
        let params = format!(r#""requestId":{id},"reason":"enough""#);
        self.send(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{{params}}}}}"#
        ));
    }

    /// Waits for what is in flight; what does not come counts as lost.
    pub fn settle(&self) {
        within(patience(), || self.shared.ledger.open() == 0);
    }

    /// Closes stdin and waits for the end.
    pub fn finish(&self) -> ExitStatus {
        lock(&self.stdin).take();
        let ended = wait_for_exit(&mut lock(&self.child), patience());
        ended.unwrap_or_else(|| panic!("it still runs; stderr: {}", self.stderr()))
    }

    fn send(&self, line: &str) {
        let mut stdin = lock(&self.stdin);
        let written = stdin.as_mut().expect("stdin is open").write_all(format!("{line}\n").as_bytes());
        assert!(written.is_ok(), "{written:?}; stderr: {}", self.stderr());
    }

    /// The handshake, and the first list.
    fn greet(&self, stdout: &mut impl BufRead) {
        if self.era == Era::Legacy {
            let client = r#""capabilities":{},"clientInfo":{"name":"soak","version":"1"}"#;
            let params = format!(r#""protocolVersion":"2025-11-25",{client}"#);
            self.send(&self.era.request(r#""hello""#, "initialize", &params));
            self.await_answer(stdout, "hello");
            self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        }
        self.send(&self.era.request(r#""tools""#, "tools/list", ""));
        let tools = self.await_answer(stdout, "tools").tools();
        assert!(tools.len() >= self.shared.ledger.targets().len(), "{tools:?}; stderr: {}", self.stderr());
    }

    fn await_answer(&self, stdout: &mut impl BufRead, id: &str) -> Message {
        loop {
            let mut line = String::new();
            let read = stdout.read_line(&mut line).expect("stdout can be read");
            assert!(read > 0, "it ended; stderr: {}", self.stderr());
            let message = Message::new(line);
            if message.id().as_str() == Some(id) {
                return message;
            }
        }
    }
}

impl Shared {
    fn read(&self, mut stdout: impl BufRead) {
        let mut line = Vec::new();
        while stdout.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let message: Value = serde_json::from_slice(&line).unwrap_or_default();
            let raw = String::from_utf8_lossy(&line);
            match (message.get("id"), message.get("method")) {
                (None, Some(_)) => {}
                (Some(_), None) => drop(self.ledger.came(&message, &raw)),
                _ => self.ledger.stray(&raw),
            }
            line.clear();
            *lock(&self.answers) += 1;
            self.news.notify_all();
        }
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        lock(&self.stdin).take();
        let mut child = lock(&self.child);
        if !matches!(child.try_wait(), Ok(Some(_))) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
