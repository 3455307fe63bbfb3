//! A raw client over the pipes of a child process.
//!
//! It sends what it is told to, well-formed or not, and keeps every line that comes back.

use crate::support::eventually::patience;
use crate::support::message::Message;
use crate::support::processes;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::io::BufReader;
use std::io::Write as _;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A child process that speaks MCP on stdin and stdout.
pub struct StdioClient {
    child: Mutex<Child>,
    pid: u32,
    stdin: Mutex<Option<ChildStdin>>,
    inbox: Arc<Inbox>,
    stderr: Arc<Mutex<String>>,
    next_id: AtomicU64,
    modern: bool,
    _keep: Option<Arc<dyn Send + Sync>>,
}

/// Messages as they come.
#[derive(Default)]
pub struct Inbox {
    state: Mutex<Received>,
    news: Condvar,
}

/// What came so far.
#[derive(Default)]
pub struct Received {
    /// In order.
    pub messages: Vec<Message>,
    /// Set when stdout ended.
    pub ended: bool,
}

impl StdioClient {
    /// Starts `command`; `keep` lives as long as the client.
    pub fn spawn(mut command: Command, keep: Option<Arc<dyn Send + Sync>>) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let inbox = Arc::new(Inbox::default());
        let stdout = child.stdout.take().expect("stdout is piped");
        let received = Arc::clone(&inbox);
        std::thread::spawn(move || received.fill(BufReader::new(stdout)));
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        Self {
            pid: child.id(),
            stdin: Mutex::new(child.stdin.take()),
            child: Mutex::new(child),
            inbox,
            stderr,
            next_id: AtomicU64::new(1),
            modern: false,
            _keep: keep,
        }
    }

    /// From now on every request carries what a modern one needs.
    pub fn modern(mut self) -> Self {
        self.modern = true;
        self
    }

    /// The legacy handshake.
    pub fn legacy(self) -> Self {
        self.initialize();
        self
    }

    /// The legacy handshake; returns the answer to `initialize`.
    pub fn initialize(&self) -> Message {
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "rig", "version": "1" }
        });
        let answer = self.request("initialize", params);
        answer.result();
        self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        answer
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Writes a line.
    pub fn send(&self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes());
    }

    /// Writes bytes, without a line end of their own.
    pub fn send_bytes(&self, bytes: &[u8]) {
        let mut stdin = lock(&self.stdin);
        let written = stdin.as_mut().expect("stdin is open").write_all(bytes);
        assert!(written.is_ok(), "{written:?}; stderr: {}", self.stderr());
    }

    /// Closes stdin of the process.
    pub fn close(&self) {
        lock(&self.stdin).take();
    }

    /// Sends a request and returns its id.
    pub fn begin(&self, method: &str, params: Value) -> Value {
        let id = json!(self.next_id.fetch_add(1, Ordering::SeqCst));
        let params = if self.modern { with_modern_meta(params) } else { params };
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        id
    }

    /// Sends a request and waits for its answer.
    pub fn request(&self, method: &str, params: Value) -> Message {
        let id = self.begin(method, params);
        self.answer(&id)
    }

    /// Calls a tool and waits for the answer.
    pub fn call(&self, tool: &str, arguments: Value) -> Message {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// Sends a call and returns its id.
    pub fn begin_call(&self, tool: &str, arguments: Value) -> Value {
        self.begin("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// The answer to a request.
    pub fn answer(&self, id: &Value) -> Message {
        self.wait(&format!("the answer to {id}"), |message| message.answers(id))
    }

    /// The answer to a line sent as it stands.
    pub fn exchange(&self, line: &str, id: &Value) -> Message {
        self.send(line);
        self.answer(id)
    }

    /// The first message, old or new, that fits.
    pub fn wait(&self, what: &str, fits: impl Fn(&Message) -> bool) -> Message {
        let found =
            self.inbox.wait(patience(), |received| received.messages.iter().find(|m| fits(m)).cloned());
        found.unwrap_or_else(|| {
            let lines: Vec<String> = self.messages().iter().rev().take(5).map(Message::short).collect();
            panic!("no {what}; last lines, newest first: {lines:#?}; stderr: {}", self.stderr())
        })
    }

    /// All messages so far, in order.
    pub fn messages(&self) -> Vec<Message> {
        self.inbox.messages()
    }

    /// All notifications of one method so far, in order.
    pub fn notifications(&self, method: &str) -> Vec<Message> {
        self.messages().into_iter().filter(|message| message.method() == method).collect()
    }

    /// Returns once everything that was written before is answered or passed on: asks something and waits.
    pub fn fence(&self) {
        let answer = self.request("prompts/list", json!({}));
        answer.result();
    }

    /// The number of answers to a request so far.
    pub fn answers(&self, id: &Value) -> usize {
        self.messages().iter().filter(|message| message.answers(id)).count()
    }

    /// Everything written to stderr so far.
    pub fn stderr(&self) -> String {
        lock(&self.stderr).clone()
    }

    /// Waits for the end of the process.
    pub fn exit(&self) -> ExitStatus {
        let ended = wait_for_exit(&mut lock(&self.child), patience());
        let ended = ended.unwrap_or_else(|| panic!("it still runs; stderr: {}", self.stderr()));
        self.inbox.wait(patience(), |received| received.ended.then_some(()));
        ended
    }
}

impl Drop for StdioClient {
    fn drop(&mut self) {
        self.close();
        let mut child = lock(&self.child);
        let patient = if std::thread::panicking() { 0 } else { 1 };
        for signal in [Signal::TERM, Signal::KILL] {
            if wait_for_exit(&mut child, Duration::from_secs(patient)).is_some() {
                return;
            }
            processes::signal(self.pid, signal);
        }
        let _ = child.wait();
    }
}

impl Inbox {
    /// One more message.
    pub fn add(&self, message: Message) {
        lock(&self.state).messages.push(message);
        self.news.notify_all();
    }

    /// All messages so far, in order.
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.state).messages.clone()
    }

    fn fill(&self, mut stdout: impl std::io::BufRead) {
        let mut line = Vec::new();
        while stdout.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
            line.clear();
            self.add(Message::new(text));
        }
        lock(&self.state).ended = true;
        self.news.notify_all();
    }

    /// What `find` finds, once it finds something before the end and within `limit`.
    pub fn wait<T>(&self, limit: Duration, mut find: impl FnMut(&Received) -> Option<T>) -> Option<T> {
        let mut found = None;
        let state = lock(&self.state);
        let blocked = |received: &mut Received| {
            found = find(received);
            found.is_none() && !received.ended
        };
        drop(self.news.wait_timeout_while(state, limit, blocked));
        found
    }
}

/// Adds `_meta` with what a modern request needs, keeping what is there.
pub fn with_modern_meta(mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    if params["_meta"].get("io.modelcontextprotocol/clientCapabilities").is_none() {
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    }
    params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({ "name": "rig", "version": "1" });
    params
}

/// Gathers what a pipe brings.
pub fn collect(mut pipe: impl std::io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let shared = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut bytes = [0; 8192];
        while let Ok(n @ 1..) = pipe.read(&mut bytes) {
            lock(&shared).push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    });
    text
}

/// The exit status of a child, if it ends in time.
pub fn wait_for_exit(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let mut status = None;
    crate::support::eventually::within(limit, || {
        status = child.try_wait().expect("a child can be waited for");
        status.is_some()
    });
    status
}

/// A lock that no panic can spoil.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
