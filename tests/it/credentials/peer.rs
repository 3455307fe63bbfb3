//! A small HTTP server that writes down every byte of every request, and answers as its test says.
//!
//! [`mcp`] answers like a legacy MCP server with one tool, `whoami`, which says what credential it was shown.

use serde_json::Value;
use serde_json::json;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;

/// One request as it came.
#[derive(Clone)]
pub struct Request {
    /// Request line and header lines.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The JSON-RPC method.
    pub fn method(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["method"].as_str().unwrap_or_default().to_owned()
    }
}

/// A status with a JSON body; of a redirect, where it leads.
pub struct Answer(pub u16, pub String);

/// The server; it lives as long as the test process.
pub struct Peer {
    addr: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Peer {
    /// Answers with `answer`.
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let (seen, answer) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::new(answer));
        let notes = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (notes, answer) = (Arc::clone(&notes), Arc::clone(&answer));
                std::thread::spawn(move || converse(&stream, &notes, &*answer));
            }
        });
        Self { addr, seen }
    }

    /// An MCP server that takes requests for which `admits` says yes, and answers 401 to others.
    pub fn mcp(admits: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        Self::start(move |request| if admits(request) { mcp(request) } else { Answer(401, "{}".into()) })
    }

    /// Its address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("nobody panics with it").clone()
    }

    /// All bytes so far.
    pub fn bytes(&self) -> String {
        self.seen().iter().map(|request| format!("{}{}", request.head, request.body)).collect()
    }

    /// The `Authorization` headers of calls so far.
    pub fn shown(&self) -> Vec<String> {
        let calls = self.seen().into_iter().filter(|request| request.method() == "tools/call");
        calls.map(|request| request.header("authorization").unwrap_or("none").to_owned()).collect()
    }
}

fn converse(stream: &TcpStream, notes: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Answer) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        notes.lock().expect("nobody panics with it").push(request.clone());
        let Answer(status, body) = answer(&request);
        let to = if (300..400).contains(&status) { format!("location: {body}\r\n") } else { String::new() };
        let head = format!(
            "HTTP/1.1 {status} X\r\n{to}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = stream;
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if let Some((_, value)) =
            line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case("content-length"))
        {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { head, body: String::from_utf8_lossy(&body).into_owned() })
}

/// The answer of a legacy MCP server.
pub fn mcp(request: &Request) -> Answer {
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let result = match body["method"].as_str() {
        None => return Answer(405, String::new()),
        Some(method) if method.starts_with("notifications/") => return Answer(202, String::new()),
        Some("initialize") => json!({
            "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
            "serverInfo": { "name": "peer", "version": "1" },
        }),
        Some("tools/list") => {
            json!({ "tools": [{ "name": "whoami", "inputSchema": { "type": "object" } }] })
        }
        Some("tools/call") => {
            let shown = ["authorization", "x-api-key", "x-tenant"];
            let shown = shown.map(|name| format!("{name}={}", request.header(name).unwrap_or("none")));
            json!({ "content": [{ "type": "text", "text": shown.join(" ") }] })
        }
        Some(_) => {
            let error = json!({ "code": -32601, "message": "unknown method" });
            return Answer(200, json!({ "jsonrpc": "2.0", "id": body["id"], "error": error }).to_string());
        }
    };
    Answer(200, json!({ "jsonrpc": "2.0", "id": body["id"], "result": result }).to_string())
}
