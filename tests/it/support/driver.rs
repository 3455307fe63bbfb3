//! A client of either era over stdio or HTTP that can be told the same things in the same words.
//!
//! It does not use this project's code: eras and transports are spelled out here.

use crate::support::eventually::patience;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::http_client::Sent;
use crate::support::message::Message;
use crate::support::stdio_client::Inbox;
use crate::support::stdio_client::StdioClient;
use crate::support::stdio_client::lock;
use crate::support::stdio_client::with_modern_meta;
use serde_json::Value;
use serde_json::json;
use std::collections::HashMap;
use std::net::Shutdown;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Which revision a peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Lines on pipes.
    Stdio,
    /// Lines on pipes, through a gateway that is shared.
    Shared,
    /// Streamable HTTP.
    Http,
    /// HTTP+SSE of 2024-11-05.
    Sse,
    /// A WebSocket.
    Ws,
}

/// The client.
pub struct Driver {
    /// Its era.
    pub era: Era,
    capabilities: Value,
    next_id: AtomicU64,
    link: Link,
}

enum Link {
    Stdio(StdioClient),
    Http(Web),
}

/// A client over HTTP and its open streams.
struct Web {
    client: HttpClient,
    inbox: Arc<Inbox>,
    /// Sockets of responses by raw request id, to hang up with.
    open: Mutex<HashMap<String, TcpStream>>,
    gateway: HttpGateway,
}

/// What became of a request whose server asked questions.
pub struct Conversation {
    /// Method and params of each, byte for byte.
    pub questions: Vec<(String, String)>,
    /// The answer in the end.
    pub answer: Message,
}

impl Driver {
    /// Starts a gateway and connects to it; a legacy client makes its handshake.
    pub fn start(gateway: Gateway, era: Era, front: Transport, capabilities: Value) -> Self {
        let link = match front {
            Transport::Stdio => Link::Stdio(gateway.stdio()),
            Transport::Shared => Link::Stdio(gateway.shared().stdio()),
            Transport::Sse | Transport::Ws => panic!("no client for {front:?}"),
            Transport::Http => {
                let gateway = gateway.http();
                let client = if era == Era::Modern { gateway.modern() } else { gateway.client() };
                Link::Http(Web { client, inbox: Arc::default(), open: Mutex::default(), gateway })
            }
        };
        let mut driver = Self { era, capabilities, next_id: AtomicU64::new(1), link };
        if era == Era::Legacy {
            driver.initialize("2025-11-25");
        }
        driver
    }

    /// Starts a gateway and connects to it over stdio with an older revision, which it has to agree on.
    pub fn of_version(gateway: Gateway, version: &str) -> Self {
        let link = Link::Stdio(gateway.stdio());
        let mut driver = Self { era: Era::Legacy, capabilities: json!({}), next_id: AtomicU64::new(1), link };
        driver.initialize(version);
        driver
    }

    fn initialize(&mut self, version: &str) {
        let info = json!({ "name": "driver", "version": "1" });
        let params =
            json!({ "protocolVersion": version, "capabilities": self.capabilities, "clientInfo": info });
        match &mut self.link {
            Link::Stdio(client) => {
                assert_eq!(client.request("initialize", params).result()["protocolVersion"], version);
            }
            Link::Http(web) => {
                let reply = web.client.begin("initialize", params).head().expect(200);
                web.client.session = reply.header("mcp-session-id").map(str::to_owned);
                let version = reply.answer().result()["protocolVersion"].as_str().map(str::to_owned);
                web.client.version = version;
            }
        }
        self.notify("notifications/initialized", "{}");
        if let Link::Http(web) = &self.link {
            web.read("\"unasked\"", web.client.start("GET", &[("accept", "text/event-stream")], ""));
        }
    }

    /// Members of `_meta` that a request of this client needs; empty for a legacy client.
    pub fn meta(&self) -> String {
        let all = self.with_meta(json!({}))["_meta"].to_string();
        if self.era == Era::Modern { all[1..all.len() - 1].to_owned() } else { String::new() }
    }

    fn with_meta(&self, mut params: Value) -> Value {
        if self.era == Era::Legacy {
            return params;
        }
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        with_modern_meta(params)
    }

    /// Sends a request and returns its id.
    pub fn begin(&self, method: &str, params: Value) -> Value {
        self.begin_raw(method, &self.with_meta(params).to_string())
    }

    /// Sends a request whose params go out as they stand, and returns its id.
    pub fn begin_raw(&self, method: &str, params: &str) -> Value {
        let id = json!(format!("driver {}", self.next_id.fetch_add(1, Ordering::SeqCst)));
        let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
        match &self.link {
            Link::Stdio(client) => client.send(&line),
            Link::Http(web) => {
                web.read(&id.to_string(), web.post(&self.headers(method, params), &line));
            }
        }
        id
    }

    /// What modern HTTP repeats in headers.
    fn headers(&self, method: &str, params: &str) -> Vec<(&'static str, String)> {
        if self.era == Era::Legacy {
            return Vec::new();
        }
        let view = Message::new(params).json;
        let name = match method {
            "tools/call" | "prompts/get" => view["name"].as_str(),
            "resources/read" => view["uri"].as_str(),
            _ if method.starts_with("tasks/") => view["taskId"].as_str(),
            _ => None,
        };
        let mut headers = vec![("mcp-method", method.to_owned())];
        headers.extend(name.map(|name| ("mcp-name", name.to_owned())));
        headers
    }

    /// Sends a request and waits for its answer.
    pub fn request(&self, method: &str, params: Value) -> Message {
        self.answer(&self.begin(method, params))
    }

    /// Sends a request whose params go out as they stand, and waits for its answer.
    pub fn request_raw(&self, method: &str, params: &str) -> Message {
        self.answer(&self.begin_raw(method, params))
    }

    /// Calls a tool and waits for the answer.
    pub fn call(&self, tool: &str, arguments: Value) -> Message {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// The answer to a request.
    pub fn answer(&self, id: &Value) -> Message {
        self.wait(&format!("answer to {id}"), |message| message.answers(id))
    }

    /// The first message, old or new, that fits.
    pub fn wait(&self, what: &str, fits: impl Fn(&Message) -> bool) -> Message {
        let web = match &self.link {
            Link::Stdio(client) => return client.wait(what, fits),
            Link::Http(web) => web,
        };
        let found =
            web.inbox.wait(patience(), |received| received.messages.iter().find(|one| fits(one)).cloned());
        found.unwrap_or_else(|| {
            let last: Vec<String> = self.messages().iter().rev().take(5).map(Message::short).collect();
            panic!("no {what}; newest first: {last:#?}; stderr: {}", web.gateway.stderr())
        })
    }

    /// All messages so far.
    pub fn messages(&self) -> Vec<Message> {
        match &self.link {
            Link::Stdio(client) => client.messages(),
            Link::Http(web) => web.inbox.messages(),
        }
    }

    /// All notifications of one method so far.
    pub fn notifications(&self, method: &str) -> Vec<Message> {
        self.messages().into_iter().filter(|message| message.method() == method).collect()
    }

    /// Sends a notification.
    pub fn notify(&self, method: &str, params: &str) {
        self.send(&format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#), method);
    }

    /// Answers a question of the server: `members` are `"result":…` or `"error":…`.
    pub fn respond(&self, id: &Value, members: &str) {
        self.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},{members}}}"#), "");
    }

    fn send(&self, line: &str, method: &str) {
        match &self.link {
            Link::Stdio(client) => client.send(line),
            Link::Http(web) => drop(web.post(&self.headers(method, "{}"), line).head().expect(202)),
        }
    }

    /// Gives a request up the way its era and transport say.
    pub fn cancel(&self, id: &Value) {
        if let (Link::Http(web), Era::Modern) = (&self.link, self.era) {
            let socket = lock(&web.open).remove(&id.to_string());
            let _ = socket.expect("the request is open").shutdown(Shutdown::Both);
            return;
        }
        self.notify("notifications/cancelled", &format!(r#"{{"requestId":{id},"reason":"enough"}}"#));
    }

    /// A request, with `answers` (result texts by method) to whatever the server asks meanwhile.
    pub fn converse(&self, method: &str, params: Value, answers: &[(&str, &str)]) -> Conversation {
        match self.era {
            Era::Legacy => self.converse_legacy(method, params, answers),
            Era::Modern => self.converse_modern(method, params, answers),
        }
    }

    fn converse_legacy(&self, method: &str, params: Value, answers: &[(&str, &str)]) -> Conversation {
        let (mut questions, mut answered) = (Vec::new(), Vec::<Value>::new());
        let before: Vec<Value> =
            self.messages().iter().filter(|one| is_question(one)).map(|one| one.id().clone()).collect();
        let id = self.begin(method, params);
        loop {
            let new = |one: &Message| {
                is_question(one) && !before.contains(one.id()) && !answered.contains(one.id())
            };
            let next = self.wait("answer or question", |message| message.answers(&id) || new(message));
            if next.answers(&id) {
                return Conversation { questions, answer: next };
            }
            let params = next.raw_at(&["params"]).unwrap_or_default();
            questions.push((next.method().to_owned(), params));
            self.respond(next.id(), &format!(r#""result":{}"#, find(answers, next.method())));
            answered.push(next.id().clone());
        }
    }

    fn converse_modern(&self, method: &str, params: Value, answers: &[(&str, &str)]) -> Conversation {
        let (mut questions, mut more) = (Vec::new(), String::new());
        let base = self.with_meta(params).to_string();
        for _ in 0..5 {
            let answer = self.request_raw(method, &format!("{}{more}}}", &base[..base.len() - 1]));
            let asked = answer.json.pointer("/result/inputRequests").and_then(Value::as_object);
            let Some(asked) = asked else { return Conversation { questions, answer } };
            let mut responses = Vec::new();
            for (key, question) in asked {
                let method = question["method"].as_str().expect("a question has a method");
                let raw = answer.raw_at(&["result", "inputRequests", key, "params"]).unwrap_or_default();
                questions.push((method.to_owned(), raw));
                responses.push(format!("{}:{}", json!(key), find(answers, method)));
            }
            let state = answer.raw_at(&["result", "requestState"]);
            let state = state.map(|raw| format!(r#","requestState":{raw}"#)).unwrap_or_default();
            more = format!(r#","inputResponses":{{{}}}{state}"#, responses.join(","));
        }
        panic!("it asks and asks: {questions:?}")
    }
}

impl Web {
    fn post(&self, headers: &[(&str, String)], body: &str) -> Sent {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.client.start("POST", &headers, body)
    }

    /// Reads the response to a request on a thread of its own; ends with the response, or when somebody hangs up.
    fn read(&self, id: &str, sent: Sent) {
        lock(&self.open).insert(id.to_owned(), sent.patient());
        let inbox = Arc::clone(&self.inbox);
        std::thread::spawn(move || {
            let Some(mut reply) = sent.try_head() else { return };
            if !reply.is_stream() {
                let body = reply.body();
                if !body.is_empty() {
                    inbox.add(Message::new(body));
                }
                return;
            }
            while let Ok(Some(message)) = reply.try_next() {
                inbox.add(message);
            }
        });
    }
}

fn is_question(message: &Message) -> bool {
    !message.method().is_empty() && message.json.get("id").is_some()
}

fn find<'a>(answers: &[(&str, &'a str)], method: &str) -> &'a str {
    let found = answers.iter().find(|(asked, _)| *asked == method);
    found.unwrap_or_else(|| panic!("nobody expected `{method}`")).1
}
