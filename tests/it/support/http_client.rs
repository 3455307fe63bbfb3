//! A raw HTTP/1.1 client: one connection per request, chunked bodies and event streams read as they come.
//!
//! It checks nothing the server should check, so that it can send what no proper client would.

use crate::support::eventually::patience;
use crate::support::message::Message;
use crate::support::stdio_client::with_modern_meta;
use serde_json::Value;
use serde_json::json;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");
const JSON: (&str, &str) = ("content-type", "application/json");

/// A client of one endpoint.
pub struct HttpClient {
    addr: SocketAddr,
    /// `Mcp-Session-Id`, once there is one.
    pub session: Option<String>,
    /// `MCP-Protocol-Version`, once agreed.
    pub version: Option<String>,
    /// What it shows in `Authorization`.
    pub bearer: Option<String>,
    modern: bool,
    next_id: AtomicU64,
}

impl HttpClient {
    /// A client that has said nothing yet.
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr, session: None, version: None, bearer: None, modern: false, next_id: AtomicU64::new(1) }
    }

    /// From now on every request is a modern one.
    pub fn modern(mut self) -> Self {
        self.modern = true;
        self.version = Some("2026-07-28".into());
        self
    }

    /// The legacy handshake; returns the answer to `initialize`.
    pub fn initialize(&mut self) -> Message {
        let info = json!({ "name": "rig", "version": "1" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
        let reply = self.begin("initialize", params).head().expect(200);
        self.session = reply.header("mcp-session-id").map(str::to_owned);
        let answer = reply.answer();
        self.version = answer.result()["protocolVersion"].as_str().map(str::to_owned);
        let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.post(&note.to_string(), &[]).expect(202);
        answer
    }

    /// Sends a request and waits for its answer.
    pub fn request(&self, method: &str, params: Value) -> Message {
        self.begin(method, params).head().answer()
    }

    /// Calls a tool and waits for the answer.
    pub fn call(&self, tool: &str, arguments: Value) -> Message {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// Sends a request and does not wait for anything.
    pub fn begin(&self, method: &str, params: Value) -> Sent {
        let id = self.next_id.fetch_add(1, Ordering::SeqCst);
        let params = if self.modern { with_modern_meta(params) } else { params };
        let name = match method {
            "tools/call" | "prompts/get" => params["name"].as_str(),
            "resources/read" => params["uri"].as_str(),
            _ => None,
        };
        let mut headers = Vec::new();
        if self.modern {
            headers.push(("mcp-method", method));
            headers.extend(name.map(|name| ("mcp-name", name)));
        }
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.start("POST", &headers, &body.to_string())
    }

    /// POSTs a body as it stands, with the usual headers and more.
    pub fn post(&self, body: &str, more: &[(&str, &str)]) -> Reply {
        self.start("POST", more, body).head()
    }

    /// Any request without a body, with the usual headers and more.
    pub fn send(&self, method: &str, more: &[(&str, &str)]) -> Reply {
        self.start(method, more, "").head()
    }

    /// Sends a request; a header given in `more` replaces the usual one, an empty value leaves it out.
    pub fn start(&self, method: &str, more: &[(&str, &str)], body: &str) -> Sent {
        let host = self.addr.to_string();
        let length = body.len().to_string();
        let mut usual = vec![("host", host.as_str()), ("connection", "close"), ACCEPT];
        if method == "POST" {
            usual.extend([JSON, ("content-length", &length)]);
        }
        usual.extend(self.session.as_deref().map(|id| ("mcp-session-id", id)));
        usual.extend(self.version.as_deref().map(|version| ("mcp-protocol-version", version)));
        let shown = self.bearer.as_ref().map(|token| format!("Bearer {token}"));
        usual.extend(shown.as_deref().map(|shown| ("authorization", shown)));
        usual.retain(|(name, _)| !more.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)));
        let mut text = format!("{method} /mcp HTTP/1.1\r\n");
        for (name, value) in usual.iter().chain(more).filter(|(_, value)| !value.is_empty()) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body);
        self.raw(text.as_bytes())
    }

    /// Sends bytes as they stand. The server may refuse them before it has read all.
    pub fn raw(&self, bytes: &[u8]) -> Sent {
        let stream = TcpStream::connect(self.addr).expect("the gateway accepts connections");
        stream.set_read_timeout(Some(patience())).expect("a socket has a time limit");
        stream.set_write_timeout(Some(patience())).expect("a socket has a time limit");
        let _ = (&stream).write_all(bytes);
        Sent { stream }
    }
}

/// A request that was sent. Dropping it hangs up.
pub struct Sent {
    stream: TcpStream,
}

impl Sent {
    /// Waits for as long as it takes from here on; the socket to hang up with.
    pub fn patient(&self) -> TcpStream {
        self.stream.set_read_timeout(None).expect("a socket has a time limit");
        self.stream.try_clone().expect("a socket can be shared")
    }

    /// Reads whatever is answered until the connection ends.
    pub fn everything(mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for the head of the response.
    pub fn head(self) -> Reply {
        self.try_head().expect("there is a response")
    }

    /// The same; `None` when the connection ended before.
    pub fn try_head(self) -> Option<Reply> {
        let mut reader = BufReader::new(self.stream);
        let mut line = || {
            let mut text = String::new();
            reader.read_line(&mut text).ok()?;
            Some(text.trim_end().to_owned())
        };
        let status = line()?.split(' ').nth(1).and_then(|code| code.parse().ok())?;
        let mut headers = Vec::new();
        loop {
            let text = line()?;
            let Some((name, value)) = text.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let find = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let chunked = find("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let length = find("content-length").and_then(|text| text.parse().ok());
        let rest = if chunked { 0 } else { length.unwrap_or(usize::MAX) };
        Some(Reply {
            status,
            headers,
            body: BufReader::new(Body { reader, chunked, rest, ended: false, cut: false }),
        })
    }
}

/// A response whose body is still being read. Dropping it hangs up.
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    body: BufReader<Body>,
}

impl Reply {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// True for an event stream.
    pub fn is_stream(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
    }

    /// Checks the status.
    pub fn expect(self, status: u16) -> Self {
        if self.status == status {
            return self;
        }
        let seen = self.status;
        panic!("status {seen} instead of {status}: {}", self.body())
    }

    /// The rest of the body.
    pub fn body(mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.body.read_to_end(&mut bytes);
        String::from_utf8(bytes).expect("bodies are UTF-8")
    }

    /// The next message of an event stream; `None` at its end.
    pub fn next(&mut self) -> Option<Message> {
        self.try_next().expect("the stream goes on")
    }

    /// The same, where a stream that breaks is nothing unusual.
    pub fn try_next(&mut self) -> std::io::Result<Option<Message>> {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            if self.body.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if let Some(more) = line.strip_prefix("data:") {
                text.push_str(more.strip_prefix(' ').unwrap_or(more));
            } else if line.is_empty() && !text.is_empty() {
                return Ok(Some(Message::new(text)));
            }
        }
    }

    /// Id and data of the next event, empty where it has none; `None` at the end of the stream.
    pub fn event(&mut self) -> Option<(String, String)> {
        let (mut id, mut data, mut found) = (String::new(), String::new(), false);
        loop {
            let mut line = String::new();
            if self.body.read_line(&mut line).expect("the stream goes on") == 0 {
                return None;
            }
            match line.trim_end_matches(['\r', '\n']).split_once(':') {
                None if found => return Some((id, data)),
                Some(("id", value)) => (id, found) = (value.trim_start().to_owned(), true),
                Some(("data", value)) => {
                    data.push_str(value.strip_prefix(' ').unwrap_or(value));
                    found = true;
                }
                _ => {}
            }
        }
    }

    /// The events of the rest of the stream.
    pub fn events(mut self) -> Vec<(String, String)> {
        std::iter::from_fn(|| self.event()).collect()
    }

    /// The next message of an event stream that fits.
    pub fn wait(&mut self, what: &str, fits: impl Fn(&Message) -> bool) -> Message {
        loop {
            let message = self.next().unwrap_or_else(|| panic!("the stream ended before {what}"));
            if fits(&message) {
                return message;
            }
        }
    }

    /// All messages of the response.
    pub fn messages(mut self) -> Vec<Message> {
        if !self.is_stream() {
            return vec![Message::new(self.body())];
        }
        std::iter::from_fn(|| self.next()).collect()
    }

    /// All messages of a stream that ends as it should: with its last chunk, not with the connection.
    pub fn whole(mut self) -> Vec<Message> {
        let all = std::iter::from_fn(|| self.next()).collect();
        assert!(!self.body.get_ref().cut, "the stream was cut off");
        all
    }

    /// The answer: the body, or the last message of the stream.
    pub fn answer(self) -> Message {
        let status = self.status;
        let last =
            self.messages().pop().unwrap_or_else(|| panic!("no answer in a response with status {status}"));
        assert!(last.json.get("id").is_some(), "status {status}, no answer: {}", last.short());
        last
    }
}

/// The decoded body.
struct Body {
    reader: BufReader<TcpStream>,
    chunked: bool,
    /// Bytes left of the chunk or the body.
    rest: usize,
    ended: bool,
    /// The connection ended before the body.
    cut: bool,
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.chunked && self.rest == 0 && !self.ended {
            let mut line = String::new();
            while line.trim().is_empty() {
                line.clear();
                if self.reader.read_line(&mut line)? == 0 {
                    self.cut = true;
                    line.push('0');
                }
            }
            self.rest = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
            self.ended = self.rest == 0;
        }
        let most = into.len().min(self.rest);
        if most == 0 {
            return Ok(0);
        }
        let n = self.reader.read(&mut into[..most])?;
        self.rest -= n;
        Ok(n)
    }
}
