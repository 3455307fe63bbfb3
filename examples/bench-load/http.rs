//! Calls over Streamable HTTP: one kept-alive HTTP/1.1 connection for each call in flight, all on one thread.
//!
//! The client is written out so that it costs little; it understands answers as JSON or as an event stream, with a
//! length or in chunks, and nothing else of HTTP.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::Report;
use crate::calls::{Calls, META, Plan, Tally};
use crate::process::Usage;

/// What a legacy client says before it calls. Their ids are like those of no call.
pub const HANDSHAKE: [&str; 3] = [
    concat!(
        r#"{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-11-25","#,
        r#""capabilities":{},"clientInfo":{"name":"bench-load","version":"1"}}}"#
    ),
    r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    r#"{"jsonrpc":"2.0","id":"list","method":"tools/list"}"#,
];

/// How long the other side may take for all that is not measured, before it counts as hung.
const SILENCE: Duration = Duration::from_secs(20);

pub struct Connection {
    stream: TcpStream,
    /// The head of each request, up to the value of `Content-Length`.
    head: String,
    out: Vec<u8>,
    /// What was read and not used yet.
    buffer: Vec<u8>,
}

/// The parts of an answer's head that matter.
#[derive(Default)]
pub struct Head {
    pub status: u16,
    length: Option<usize>,
    chunked: bool,
    events: bool,
    session: Option<String>,
}

/// `modern` is the tool that is called, when that is to be done in the era of 2026-07-28.
pub fn run(plan: Plan, url: &str, modern: Option<&str>, cpu_pid: Option<u32>) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (authority, path) = split(url)?;
        let headers = match modern {
            None => timeout(SILENCE, handshake(authority, path)).await.context("no handshake")??,
            Some(tool) => {
                timeout(SILENCE, discover(authority, path)).await.context("no answer")??;
                modern_headers("tools/call", Some(tool))
            }
        };
        let start = Instant::now() + plan.warm_up;
        let mut connections = JoinSet::new();
        for number in 0..plan.in_flight {
            let connection = Connection::open(authority, path, &headers).await?;
            connections.spawn(connection.work(Calls::new(plan.clone(), number, 1), plan.clone(), start));
        }
        tokio::time::sleep_until(start).await;
        let before = cpu_pid.and_then(Usage::of);
        let mut tally = Tally::default();
        let end = start + plan.measured + SILENCE;
        while let Some(done) = timeout_at(end, connections.join_next()).await.context("calls hang")? {
            tally.merge(&done??);
        }
        let elapsed = start.elapsed();
        let usage = cpu_pid.and_then(Usage::of).zip(before).map(|(after, before)| after.since(before));
        Ok(Report { tally, elapsed, usage })
    })
}

pub fn split(url: &str) -> anyhow::Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").context("only http:// is spoken here")?;
    Ok(rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash)))
}

/// What a modern client says beside its requests.
fn modern_headers(method: &str, name: Option<&str>) -> String {
    let name = name.map(|name| format!("Mcp-Name: {name}\r\n")).unwrap_or_default();
    format!("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n{name}")
}

/// What a modern client asks before it calls.
async fn discover(authority: &str, path: &str) -> anyhow::Result<()> {
    for method in ["server/discover", "tools/list"] {
        let mut connection = Connection::open(authority, path, &modern_headers(method, None)).await?;
        let request = format!(r#"{{"jsonrpc":"2.0","id":"first","method":"{method}","params":{{{META}}}}}"#);
        let (head, body) = connection.exchange(request.as_bytes()).await?;
        ensure!(head.status == 200, "status {}: {}", head.status, lossy(&body));
    }
    Ok(())
}

/// Opens a session; the headers of its requests.
async fn handshake(authority: &str, path: &str) -> anyhow::Result<String> {
    let mut connection = Connection::open(authority, path, "").await?;
    let mut headers = String::new();
    for message in HANDSHAKE {
        let (head, body) = connection.exchange(message.as_bytes()).await?;
        ensure!((200..300).contains(&head.status), "status {}: {}", head.status, lossy(&body));
        let refused = memchr::memmem::find(&body, br#""error""#).is_some();
        ensure!(!refused, "refused: {}", lossy(&body));
        if let Some(id) = head.session {
            headers = format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: 2025-11-25\r\n");
            connection = Connection::open(authority, path, &headers).await?;
        }
    }
    Ok(headers)
}

fn lossy(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned()
}

impl Connection {
    pub async fn open(authority: &str, path: &str, headers: &str) -> anyhow::Result<Self> {
        let stream =
            TcpStream::connect(authority).await.with_context(|| format!("cannot connect to {authority}"))?;
        stream.set_nodelay(true)?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n{headers}Content-Length: "
        );
        Ok(Self { stream, head, out: Vec::new(), buffer: Vec::with_capacity(1 << 16) })
    }

    /// Calls one by one until the measured time is over; counts from `start` on.
    async fn work(mut self, mut calls: Calls, plan: Plan, start: Instant) -> anyhow::Result<Tally> {
        let deadline = start + plan.measured;
        let most = plan.most.div_ceil(u64::from(plan.in_flight));
        let mut request = Vec::new();
        let mut warm = false;
        loop {
            let now = Instant::now();
            if !warm && now >= start {
                warm = true;
                calls.tally = Tally::default();
            }
            if now >= deadline || (warm && calls.tally.answered >= most) {
                return Ok(calls.tally);
            }
            request.clear();
            calls.request(0, now, &mut request);
            let (head, body) = self.exchange(&request).await?;
            ensure!(head.status == 200, "status {}: {}", head.status, lossy(&body));
            let now = Instant::now();
            let answered = if head.events {
                events(&body)
                    .try_fold(false, |done, event| anyhow::Ok(done | calls.answer(&event, now)?.is_some()))?
            } else {
                calls.answer(&body, now)?.is_some()
            };
            ensure!(answered, "an answer without the answer: {}", lossy(&body));
        }
    }

    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<(Head, Vec<u8>)> {
        self.out.clear();
        self.out.extend_from_slice(self.head.as_bytes());
        self.out.extend_from_slice(request.len().to_string().as_bytes());
        self.out.extend_from_slice(b"\r\n\r\n");
        self.out.extend_from_slice(request);
        self.stream.write_all(&self.out).await?;
        let head = loop {
            match memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                Some(end) => {
                    let head = Head::parse(&self.buffer[..end])?;
                    self.buffer.drain(..end + 4);
                    break head;
                }
                None => self.fill().await?,
            }
        };
        let body =
            if head.chunked { self.chunks().await? } else { self.take(head.length.unwrap_or(0)).await? };
        Ok((head, body))
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }

    async fn take(&mut self, length: usize) -> anyhow::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    async fn chunks(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n") else {
                self.fill().await?;
                continue;
            };
            let size = std::str::from_utf8(&self.buffer[..end])?;
            let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
            self.take(end + 2).await?;
            let chunk = self.take(size + 2).await?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

impl Head {
    fn parse(head: &[u8]) -> anyhow::Result<Self> {
        let head = std::str::from_utf8(head).context("a head that is no text")?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status line")?;
        let mut parsed = Self { status: status.parse()?, ..Self::default() };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                parsed.length = Some(value.parse()?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                parsed.chunked = value.eq_ignore_ascii_case("chunked");
            } else if name.eq_ignore_ascii_case("content-type") {
                parsed.events = value.starts_with("text/event-stream");
            } else if name.eq_ignore_ascii_case("mcp-session-id") {
                parsed.session = Some(value.to_owned());
            }
        }
        Ok(parsed)
    }
}

/// The payloads of an event stream that came whole; events without one (primers, pings) are left out.
fn events(body: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let text = String::from_utf8_lossy(body).replace("\r\n", "\n");
    let payloads: Vec<Vec<u8>> = text
        .split("\n\n")
        .map(|event| event.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start))
        .map(|lines| lines.collect::<Vec<_>>().join("\n").into_bytes())
        .filter(|payload| !payload.is_empty())
        .collect();
    payloads.into_iter()
}
