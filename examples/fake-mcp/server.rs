//! What every message is answered with.
//!
//! Tools are in `tools.rs`, lists in `lists.rs`; it does not know the transport.

use crate::definitions;
use crate::floods;
use crate::lists;
use crate::message::MODERN;
use crate::message::Message;
use crate::message::quote;
use crate::options::Eras;
use crate::options::Options;
use crate::roots;
use crate::script;
use crate::script::Script;
use crate::tasks;
use crate::tools;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// What is offered unless the command line says otherwise.
const CAPABILITIES: &str = concat!(
    r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"#,
    r#""resources":{"listChanged":true,"subscribe":true},"completions":{},"logging":{}}"#
);

/// Where answers go: stdout, or the response to one HTTP request.
pub trait Out: Send + Sync {
    /// Writes a message that is not the answer.
    fn notify(&self, text: &[u8]);
    /// Writes the answer, well-formed or not.
    fn answer(&self, text: &[u8]);
    /// True once nobody reads any more.
    fn gone(&self) -> bool {
        false
    }
    /// The header lines of the request, if it had any.
    fn headers(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Somebody who hears of changes: a listen request of a modern client, or the one legacy client.
struct Listener {
    /// The id of the listen request, raw.
    id: Option<String>,
    out: Arc<dyn Out>,
}

/// One running server.
pub struct Server {
    /// The command line.
    pub options: Options,
    /// Its tools, in its order.
    pub tools: Mutex<Vec<String>>,
    /// Every line or body received.
    pub seen: Mutex<Vec<String>>,
    /// The ids of cancelled requests, raw.
    pub cancelled: Mutex<Vec<String>>,
    /// Executed calls of `counter`.
    pub counter: AtomicU64,
    /// All calls of tools.
    pub calls: AtomicU64,
    /// Set once stdin is to be left alone.
    pub stop_reading: AtomicBool,
    /// Sessions of the HTTP transport.
    pub sessions: Mutex<Vec<String>>,
    /// Sessions ever opened.
    pub session_count: AtomicU64,
    /// Questions to clients.
    pub script: Script,
    /// Work that goes on.
    pub tasks: tasks::Tasks,
    listeners: Mutex<Vec<Listener>>,
}

/// An error answer: code, message, and `,"data":…` or nothing.
pub type Refusal = (i64, String, String);

impl Server {
    /// A server that has not spoken yet.
    pub fn new(options: Options) -> Self {
        let mut tools = if options.tools.is_empty() { tools::builtin() } else { options.tools.clone() };
        if options.http.is_some() && options.tools.is_empty() {
            tools.extend(floods::RAW.map(str::to_owned));
        }
        if options.tasks {
            tools.extend(tasks::TOOLS.map(str::to_owned));
        }
        Self {
            options,
            tools: Mutex::new(tools),
            seen: Mutex::default(),
            cancelled: Mutex::default(),
            counter: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            stop_reading: AtomicBool::new(false),
            sessions: Mutex::default(),
            session_count: AtomicU64::new(0),
            script: Script::default(),
            tasks: tasks::Tasks::default(),
            listeners: Mutex::default(),
        }
    }

    /// Appends a line to the ledger: what happened, pid, name, and more words.
    pub fn note(&self, what: &str, more: &str) {
        let Some(path) = &self.options.ledger else { return };
        let line = format!("{what} {} {} {more}", std::process::id(), self.options.name);
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(format!("{}\n", line.trim_end()).as_bytes()));
    }

    /// Acts on one line or body.
    pub fn take(self: &Arc<Self>, line: &str, out: &Arc<dyn Out>) {
        if !self.options.forgetful {
            lock(&self.seen).push(line.to_owned());
        }
        let Some(message) = Message::read(line) else { return };
        if self.options.silent {
            return;
        }
        let Some(id) = message.id.clone() else { return self.hear(&message, out) };
        if message.method.is_empty() {
            return self.script.hear(&id, line);
        }
        if message.method == "server/discover" && self.options.exit_on_discover {
            crate::complain("fake-mcp: what is server/discover?");
            crate::leave(3);
        }
        if let Err((code, text, data)) = self.check_era(&message) {
            return out.answer(error(&id, code, &text, &data).as_bytes());
        }
        if let Some(members) = script::members(self.options.script.as_deref(), &message.method) {
            return out.answer(format!(r#"{{"jsonrpc":"2.0","id":{id},{members}}}"#).as_bytes());
        }
        if tasks::take(self, &message, &id, out) {
            return;
        }
        match message.method.as_str() {
            "tools/call" => tools::call(self, message, &id, out),
            "subscriptions/listen" => self.listen(&message, &id, out),
            _ => match self.reply(&message) {
                Ok(result) => out.answer(self.success(&id, &result).as_bytes()),
                Err((code, text, data)) => out.answer(error(&id, code, &text, &data).as_bytes()),
            },
        }
    }

    /// A success answer.
    pub fn success(&self, id: &str, result: &str) -> String {
        if self.options.pretty {
            return format!("{{\n  \"jsonrpc\": \"2.0\",\r\n  \"id\": {id},\n  \"result\":\n{result}\n}}");
        }
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
    }

    /// Sends a notification to everybody who hears of changes.
    pub fn announce(&self, method: &str) {
        self.announce_with(method, "");
    }

    /// The same with members in the params.
    pub fn announce_with(&self, method: &str, members: &str) {
        let comma = if members.is_empty() { "" } else { "," };
        let mut listeners = lock(&self.listeners);
        listeners.retain(|listener| !listener.out.gone());
        for listener in listeners.iter() {
            let params = match &listener.id {
                Some(id) => {
                    format!(
                        r#"{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}{comma}{members}}}"#
                    )
                }
                None => format!("{{{members}}}"),
            };
            let text = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
            listener.out.notify(text.as_bytes());
        }
    }

    /// Sends changes to `out` from now on.
    pub fn add_listener(&self, id: Option<String>, out: &Arc<dyn Out>) {
        lock(&self.listeners).push(Listener { id, out: Arc::clone(out) });
    }

    fn hear(&self, message: &Message, out: &Arc<dyn Out>) {
        roots::hear(self, &message.method, out);
        match message.method.as_str() {
            "notifications/cancelled" => {
                let id = message.raw("requestId").unwrap_or_default();
                self.note("cancelled", &id);
                lock(&self.cancelled).push(id);
            }
            "notifications/initialized" if self.options.http.is_none() => self.add_listener(None, out),
            _ => {}
        }
    }

    fn check_era(&self, message: &Message) -> Result<(), Refusal> {
        let supported = r#","data":{"supported":["2026-07-28"],"requested":"2025-11-25"}"#;
        match (self.options.eras, message.version()) {
            (Eras::Legacy, Some(_)) if message.method != "server/discover" => {
                Err((-32600, "a legacy server got a modern `_meta` key".into(), String::new()))
            }
            (Eras::Modern, None) if message.method == "initialize" => {
                Err((-32022, "unsupported protocol version".into(), supported.into()))
            }
            (Eras::Modern, None) => Err((-32602, "`_meta` has no protocol version".into(), String::new())),
            (Eras::Modern | Eras::Both, Some(version)) if version != MODERN => {
                Err((-32022, "unsupported protocol version".into(), supported.into()))
            }
            (Eras::Modern | Eras::Both, Some(_)) if !message.is_complete_modern() => {
                Err((-32602, "`_meta` has no client capabilities".into(), String::new()))
            }
            _ => Ok(()),
        }
    }

    fn reply(&self, message: &Message) -> Result<String, Refusal> {
        let modern = message.version().is_some();
        match message.method.as_str() {
            "initialize" if !modern => Ok(self.handshake(message.text("/protocolVersion"))),
            "server/discover" if modern && self.options.eras != Eras::Legacy => Ok(self.discovery()),
            "ping" if !modern => Ok("{}".into()),
            "logging/setLevel" if !modern => Ok(r#"{"x-unknown":1e2}"#.into()),
            "resources/subscribe" | "resources/unsubscribe" if !modern => Ok("{}".into()),
            method => lists::reply(self, method, message),
        }
    }

    fn handshake(&self, asked: &str) -> String {
        let known = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
        let version = if known.contains(&asked) { asked } else { "2025-11-25" };
        format!(r#"{{"protocolVersion":"{version}",{}}}"#, self.about())
    }

    fn discovery(&self) -> String {
        let both = if self.options.eras == Eras::Both { r#","2025-11-25""# } else { "" };
        let more = r#""resultType":"complete","ttlMs":0,"cacheScope":"public""#;
        format!(r#"{{"supportedVersions":["{MODERN}"{both}],{},{more}}}"#, self.about())
    }

    fn capabilities(&self) -> String {
        let usual = self.options.capabilities.as_deref().unwrap_or(CAPABILITIES);
        let tasks = if self.options.eras == Eras::Modern { tasks::MODERN } else { tasks::LEGACY };
        match usual.strip_suffix('}') {
            Some(rest) if self.options.tasks => format!("{rest},{tasks}}}"),
            _ => usual.to_owned(),
        }
    }

    fn about(&self) -> String {
        let name = quote(&self.options.name);
        let own = definitions::instructions(self).or_else(|| self.options.instructions.clone());
        let text = own.unwrap_or_else(|| format!("instructions of {name}"));
        format!(
            concat!(
                r#""capabilities":{capabilities},"#,
                r#""serverInfo":{{"name":{name},"version":"1"}},"instructions":{text},"#,
                r#""_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":{name},"version":"1"}}}}"#
            ),
            capabilities = self.capabilities(),
            name = name,
            text = quote(&text),
        )
    }

    fn listen(&self, message: &Message, id: &str, out: &Arc<dyn Out>) {
        let deaf = self.options.fault == "deaf";
        let wanted = message.raw("notifications").filter(|_| !deaf).unwrap_or_else(|| "{}".into());
        let params = format!(
            r#"{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}},"notifications":{wanted}}}"#
        );
        let method = "notifications/subscriptions/acknowledged";
        out.notify(format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#).as_bytes());
        self.add_listener(Some(id.to_owned()), out);
        while self.options.http.is_some() && !out.gone() {
            tools::tick();
        }
    }

    /// Whether the request with this id was cancelled, by message or by hanging up.
    pub fn is_cancelled(&self, id: &str, out: &Arc<dyn Out>) -> bool {
        if self.options.http.is_some() && out.gone() {
            let mut cancelled = lock(&self.cancelled);
            if !cancelled.iter().any(|one| one == id) {
                cancelled.push(id.to_owned());
                self.note("cancelled", id);
            }
            return true;
        }
        lock(&self.cancelled).iter().any(|one| one == id)
    }

    /// Counts one executed call of `counter`.
    pub fn count(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// An error answer.
pub fn error(id: &str, code: i64, text: &str, data: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{}{data}}}}}"#, quote(text))
}

/// A lock that no panic can spoil.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
