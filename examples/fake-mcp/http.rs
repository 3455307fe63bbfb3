//! Streamable HTTP by hand: HTTP/1.1, one thread per connection, answers as JSON or as an event stream.
//!
//! It is no general HTTP server: it understands what a gateway sends, strictly.

use crate::floods;
use crate::message::Message;
use crate::options::Eras;
use crate::server::Out;
use crate::server::Server;
use crate::server::error;
use crate::server::lock;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Listens until killed.
pub fn serve(server: &Arc<Server>, address: &str) {
    for stream in bind(server, address).incoming().flatten() {
        let server = Arc::clone(server);
        std::thread::spawn(move || converse(&server, &stream));
    }
}

/// Binds, and tells the port.
pub fn bind(server: &Server, address: &str) -> TcpListener {
    let listener = TcpListener::bind(address).expect("the address can be bound");
    let port = listener.local_addr().expect("a bound listener has an address").port();
    crate::complain(&format!("port {port}"));
    if let Some(path) = &server.options.port_file {
        let aside = path.with_extension("new");
        std::fs::write(&aside, port.to_string()).expect("the port file can be written");
        std::fs::rename(&aside, path).expect("the port file can be named");
    }
    listener
}

/// One request.
pub struct Request {
    /// The method.
    pub method: String,
    /// What is asked for.
    pub path: String,
    /// The lines of the header.
    pub headers: Vec<String>,
    /// The body.
    pub body: String,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().filter_map(|line| line.split_once(':'));
        found.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// The response to one request.
struct Response {
    stream: Mutex<TcpStream>,
    headers: Vec<String>,
    /// More header lines of a response.
    extra: String,
    streaming: AtomicBool,
    always_stream: bool,
}

impl Out for Response {
    fn notify(&self, text: &[u8]) {
        let mut stream = lock(&self.stream);
        self.begin_stream(&mut stream);
        let text = String::from_utf8_lossy(text).replace(['\r', '\n'], " ");
        chunk(&mut stream, format!("event: message\ndata: {text}\n\n").as_bytes());
    }

    fn answer(&self, text: &[u8]) {
        if self.always_stream || self.streaming.load(Ordering::SeqCst) {
            self.notify(text);
            chunk(&mut lock(&self.stream), b"");
            return;
        }
        plain(&mut lock(&self.stream), "200 OK", &self.extra, text);
    }

    fn gone(&self) -> bool {
        let stream = lock(&self.stream);
        let _ = stream.set_read_timeout(Some(Duration::from_millis(1)));
        match stream.peek(&mut [0]) {
            Ok(n) => n == 0,
            Err(problem) => {
                !matches!(problem.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
            }
        }
    }

    fn headers(&self) -> Vec<String> {
        self.headers.clone()
    }
}

impl Response {
    fn begin_stream(&self, stream: &mut TcpStream) {
        if self.streaming.swap(true, Ordering::SeqCst) {
            return;
        }
        let extra = &self.extra;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n{extra}\r\n"
        );
        let _ = stream.write_all(head.as_bytes());
    }
}

/// Writes a part of a body that is written in parts.
pub fn chunk(stream: &mut TcpStream, text: &[u8]) {
    let mut bytes = format!("{:x}\r\n", text.len()).into_bytes();
    bytes.extend_from_slice(text);
    bytes.extend_from_slice(b"\r\n");
    let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
}

/// Writes a whole response.
pub fn plain(stream: &mut TcpStream, status: &str, extra: &str, body: &[u8]) {
    let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
    let mut bytes =
        format!("HTTP/1.1 {status}\r\n{kind}content-length: {}\r\n{extra}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
}

fn converse(server: &Arc<Server>, stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    loop {
        let _ = stream.set_read_timeout(None);
        let Some(request) = read_request(&mut reader) else { return };
        if answer(server, request, stream).is_none() {
            return;
        }
    }
}

/// Reads a request.
pub fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|n| *n > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        if line.trim().is_empty() {
            break;
        }
        headers.push(line.trim().to_owned());
    }
    let mut request = Request {
        method: first.split(' ').next().unwrap_or_default().to_owned(),
        path: first.split(' ').nth(1).unwrap_or_default().to_owned(),
        headers,
        body: String::new(),
    };
    let mut body = Vec::new();
    if request.header("transfer-encoding").is_some() {
        read_chunks(reader, &mut body)?;
    } else {
        body.resize(request.header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0), 0);
        reader.read_exact(&mut body).ok()?;
    }
    request.body = String::from_utf8_lossy(&body).into_owned();
    Some(request)
}

fn read_chunks(reader: &mut BufReader<&TcpStream>, body: &mut Vec<u8>) -> Option<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim(), 16).ok()?;
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..]).ok()?;
        reader.read_line(&mut line).ok()?;
        if size == 0 {
            return Some(());
        }
    }
}

/// Answers one request; `None` when the connection is at its end.
fn answer(server: &Arc<Server>, request: Request, stream: &TcpStream) -> Option<()> {
    let mut stream = stream.try_clone().ok()?;
    if server
        .options
        .bearer
        .as_deref()
        .is_some_and(|key| request.header("authorization") != Some(&format!("Bearer {key}")))
    {
        plain(&mut stream, "401 Unauthorized", "www-authenticate: Bearer\r\n", b"");
        return Some(());
    }
    match request.method.as_str() {
        "POST" => post(server, request, stream),
        "GET" if server.options.eras != Eras::Modern => listen(server, &request, stream),
        "DELETE" if server.options.eras != Eras::Modern => {
            let session = request.header("mcp-session-id").unwrap_or_default();
            lock(&server.sessions).retain(|one| one != session);
            server.note("delete", session);
            plain(&mut stream, "200 OK", "", b"");
            Some(())
        }
        _ => {
            plain(&mut stream, "405 Method Not Allowed", "", b"");
            Some(())
        }
    }
}

fn listen(server: &Arc<Server>, request: &Request, mut stream: TcpStream) -> Option<()> {
    let session = request.header("mcp-session-id").unwrap_or_default();
    if !lock(&server.sessions).iter().any(|one| one == session) {
        plain(&mut stream, "404 Not Found", "", b"");
        return Some(());
    }
    let response = response(server, request, String::new(), stream);
    response.begin_stream(&mut lock(&response.stream));
    let out: Arc<dyn Out> = response;
    server.add_listener(None, &out);
    while !out.gone() {
        crate::tools::tick();
    }
    None
}

fn response(server: &Server, request: &Request, extra: String, stream: TcpStream) -> Arc<Response> {
    Arc::new(Response {
        stream: Mutex::new(stream),
        headers: request.headers.clone(),
        extra,
        streaming: AtomicBool::new(false),
        always_stream: server.options.sse,
    })
}

fn post(server: &Arc<Server>, request: Request, mut stream: TcpStream) -> Option<()> {
    let Some(message) = Message::read(&request.body) else {
        plain(&mut stream, "400 Bad Request", "", b"");
        return Some(());
    };
    if let Some((status, body)) = refusal(server, &request, &message) {
        lock(&server.seen).push(request.body);
        plain(&mut stream, status, "", body.as_bytes());
        return Some(());
    }
    if message.id.is_none() || message.method.is_empty() {
        let nobody: Arc<dyn Out> = response(server, &request, String::new(), stream.try_clone().ok()?);
        server.take(&request.body, &nobody);
        plain(&mut stream, "202 Accepted", "", b"");
        return Some(());
    }
    if message.method == "tools/call" && floods::RAW.contains(&message.text("/name")) {
        return floods::raw(server, message.text("/name"), stream);
    }
    let mut extra = String::new();
    if message.method == "initialize" && server.options.eras != Eras::Modern {
        let mut sessions = lock(&server.sessions);
        let session =
            format!("session-{}-{}", std::process::id(), server.session_count.fetch_add(1, Ordering::SeqCst));
        extra = format!("mcp-session-id: {session}\r\n");
        sessions.push(session);
    }
    let out: Arc<dyn Out> = response(server, &request, extra, stream);
    server.take(&request.body, &out);
    if server.options.silent {
        while !out.gone() {
            crate::tools::tick();
        }
        return None;
    }
    Some(())
}

/// What is wrong with the headers of a POST.
fn refusal(server: &Server, request: &Request, message: &Message) -> Option<(&'static str, String)> {
    let id = message.id.clone().unwrap_or_else(|| "null".into());
    let accept = request.header("accept").unwrap_or_default();
    if !accept.contains("application/json") || !accept.contains("text/event-stream") {
        return Some(("406 Not Acceptable", String::new()));
    }
    if let Some(version) = message.version() {
        if server.options.eras == Eras::Legacy {
            return Some(("400 Bad Request", error(&id, -32600, "a legacy server got a modern request", "")));
        }
        let name = match message.method.as_str() {
            "tools/call" | "prompts/get" => Some(message.text("/name")),
            "resources/read" => Some(message.text("/uri")),
            "tasks/get" | "tasks/update" | "tasks/cancel" => Some(message.text("/taskId")),
            _ => None,
        };
        let wrong = request.header("mcp-protocol-version") != Some(version)
            || request.header("mcp-method") != Some(&message.method)
            || request.header("mcp-name") != name;
        return wrong.then(|| ("400 Bad Request", error(&id, -32020, "header mismatch", "")));
    }
    if server.options.eras == Eras::Modern {
        let data = r#","data":{"supported":["2026-07-28"],"requested":"2025-11-25"}"#;
        return Some(("400 Bad Request", error(&id, -32022, "unsupported protocol version", data)));
    }
    if message.method == "initialize" {
        return None;
    }
    match request.header("mcp-session-id") {
        None => Some(("400 Bad Request", String::new())),
        Some(session) if !lock(&server.sessions).iter().any(|one| one == session) => {
            Some(("404 Not Found", String::new()))
        }
        Some(_) => None,
    }
}
