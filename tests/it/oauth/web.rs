//! A tiny HTTP server in a thread: every request goes to one function, and is written down.
//!
//! It knows nothing of OAuth or MCP.

use crate::support::stdio_client::lock;
use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

/// What came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// What goes back: status, headers, body.
pub struct Response(pub u16, pub Vec<(&'static str, String)>, pub String);

impl Response {
    /// A JSON document.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self(status, vec![("content-type", "application/json".into())], body.to_string())
    }

    /// Nothing but a status.
    pub fn empty(status: u16) -> Self {
        Self(status, Vec::new(), String::new())
    }

    /// One more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.1.push((name, value.into()));
        self
    }
}

impl Request {
    /// A parameter of the query, or of a form.
    pub fn param(&self, name: &str) -> Option<String> {
        let text = if self.query.is_empty() { &self.body } else { &self.query };
        parameter(text, name)
    }

    /// Everything of it, for searches.
    pub fn whole(&self) -> String {
        format!("{} {}?{} {:?} {}", self.method, self.path, self.query, self.headers, self.body)
    }
}

/// A parameter of a query or a form.
pub fn parameter(text: &str, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A server that answers as long as the process lives.
pub struct Web {
    pub addr: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Web {
    /// Starts it on a free port.
    pub fn start(answer: impl Fn(&Request, SocketAddr) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("it listens");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, addr, &log, &*answer));
            }
        });
        Self { addr, seen }
    }

    /// Its address.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// The requests that came, oldest first.
    pub fn seen(&self) -> Vec<Request> {
        lock(&self.seen).clone()
    }

    /// Those of a path.
    pub fn seen_at(&self, path: &str) -> Vec<Request> {
        self.seen().into_iter().filter(|request| request.path == path).collect()
    }
}

fn serve(
    mut stream: TcpStream,
    addr: SocketAddr,
    log: &Mutex<Vec<Request>>,
    answer: &(dyn Fn(&Request, SocketAddr) -> Response + Send + Sync),
) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
    let Some(request) = read(&mut stream) else { return };
    lock(log).push(request.clone());
    let Response(status, headers, body) = answer(&request, addr);
    let mut text = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all(format!("{text}\r\n{body}").as_bytes());
}

/// Reads one request.
fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = head {
            let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut lines = text.split("\r\n");
            let mut words = lines.next()?.split(' ').map(str::to_owned);
            let (method, target) = (words.next()?, words.next()?);
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length: usize = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&bytes[end + 4..end + 4 + length]).into_owned();
                let (path, query) = target.split_once('?').unwrap_or((&target, ""));
                let (path, query) = (path.to_owned(), query.to_owned());
                return Some(Request { method, path, query, headers, body });
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// What a browser was shown.
pub struct Shown {
    /// 0 when nobody listened.
    pub status: u16,
    pub location: Option<String>,
    /// `name=value` of the cookie that was set.
    pub cookie: Option<String>,
    pub body: String,
}

/// Asks once by GET, as a browser does that follows nothing: status and `Location`.
pub fn visit(url: &str) -> (u16, Option<String>) {
    let shown = browse("GET", url, None);
    assert_ne!(shown.status, 0, "somebody listens");
    (shown.status, shown.location)
}

/// Asks once, with this cookie.
pub fn browse(method: &str, url: &str, cookie: Option<&str>) -> Shown {
    let url = url::Url::parse(url).expect("an address");
    let host = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(&host) {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
        let path = &url[url::Position::BeforePath..];
        let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
        let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{cookie}{length}Connection: close\r\n\r\n");
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.read_to_string(&mut answer);
    }
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    let header = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let cookie = header("set-cookie: ").and_then(|text| text.split(';').next().map(str::to_owned));
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    Shown { status, location: header("location: "), cookie, body }
}
