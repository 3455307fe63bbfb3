//! A raw HTTP/1.1 client: it sends exactly what a test says.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;

/// Nothing in these tests takes this long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The usual headers of a POST.
pub const POST: &str = "content-type: application/json\r\naccept: application/json, text/event-stream\r\n";

pub struct Client<S> {
    pub stream: S,
    buffer: Vec<u8>,
    events: VecDeque<serde_json::Value>,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The code of the JSON-RPC error in the body; 0 for none.
    pub fn code(&self) -> i64 {
        self.json()["error"]["code"].as_i64().unwrap_or_default()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new(), events: VecDeque::new() }
    }

    pub async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    pub async fn request(&mut self, method: &str, path: &str, headers: &str, body: &str) {
        let text = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        self.send(&text).await;
    }

    /// POSTs to the endpoint with the usual headers and `headers`.
    pub async fn post(&mut self, headers: &str, body: &str) -> Response {
        self.request("POST", "/mcp", &format!("{POST}{headers}"), body).await;
        self.response().await
    }

    /// A whole response.
    pub async fn response(&mut self) -> Response {
        let mut response = self.head().await;
        if let Some(length) = response.header("content-length") {
            let length = length.parse().unwrap();
            while self.buffer.len() < length {
                assert!(self.fill().await, "the body broke off: {response:?}");
            }
            response.body = String::from_utf8(self.buffer.drain(..length).collect()).unwrap();
        } else if response.header("transfer-encoding").is_some() {
            while let Some(chunk) = self.chunk().await {
                response.body.push_str(&chunk);
            }
        } else if response.status != 204 {
            while self.fill().await {}
            response.body = String::from_utf8(std::mem::take(&mut self.buffer)).unwrap();
        }
        response
    }

    /// The head of a response.
    pub async fn head(&mut self) -> Response {
        let end = self.find(b"\r\n\r\n").await.expect("the connection was closed before a response");
        let head = String::from_utf8(self.buffer.drain(..end + 4).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Response { status, head, body: String::new() }
    }

    /// The next piece of a chunked body; `None` at its end.
    pub async fn chunk(&mut self) -> Option<String> {
        let end = self.find(b"\r\n").await.expect("the stream was cut off");
        let length = usize::from_str_radix(std::str::from_utf8(&self.buffer[..end]).unwrap(), 16).unwrap();
        while self.buffer.len() < end + length + 4 {
            assert!(self.fill().await, "the stream was cut off");
        }
        let chunk = self.buffer[end + 2..end + 2 + length].to_vec();
        self.buffer.drain(..end + length + 4);
        (length > 0).then(|| String::from_utf8(chunk).unwrap())
    }

    /// The next message of a stream of events; `None` at its end.
    pub async fn event(&mut self) -> Option<serde_json::Value> {
        while self.events.is_empty() {
            let chunk = self.chunk().await?;
            let data = chunk.lines().filter_map(|line| line.strip_prefix("data: "));
            self.events.extend(data.map(|data| serde_json::from_str::<serde_json::Value>(data).unwrap()));
        }
        self.events.pop_front()
    }

    /// Waits until the server closes.
    pub async fn closed(&mut self) {
        while self.fill().await {}
    }

    async fn find(&mut self, what: &[u8]) -> Option<usize> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.buffer, what) {
                return Some(at);
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    async fn fill(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        read.expect("the server says nothing").unwrap_or(0) > 0
    }
}
