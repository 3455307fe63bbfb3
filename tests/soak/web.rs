//! A client over HTTP with many connections, each of which is kept and has one call in flight.
//!
//! It keeps no message: what came is in the ledger.

use crate::ledger::Ledger;
use crate::load::Draw;
use crate::load::Era;
use crate::load::TOOL;
use crate::plan::Ticker;
use crate::support::eventually::now;
use crate::support::eventually::patience;
use crate::support::gateway::HttpGateway;
use crate::support::message::Message;
use serde_json::json;
use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// The client.
pub struct Web {
    addr: SocketAddr,
    era: Era,
    session: Option<String>,
    /// Calls ask for progress.
    progress: bool,
    name: String,
    ledger: Arc<Ledger>,
    next: AtomicU64,
}

/// One connection of it.
pub struct Wire<'a> {
    web: &'a Web,
    stream: Option<BufReader<TcpStream>>,
}

impl Web {
    /// A client that has listed the tools.
    pub fn connect(gateway: &HttpGateway, era: Era, name: &str, ledger: &Arc<Ledger>) -> Self {
        let session = match era {
            Era::Legacy => Some(gateway.legacy()),
            Era::Modern => None,
        };
        let client = session.unwrap_or_else(|| gateway.modern());
        let tools = client.request("tools/list", json!({})).tools();
        assert!(tools.len() >= ledger.targets().len(), "{tools:?}; stderr: {}", gateway.stderr());
        Self {
            addr: gateway.addr(),
            era,
            session: client.session,
            progress: false,
            name: name.to_owned(),
            ledger: Arc::clone(ledger),
            next: AtomicU64::new(1),
        }
    }

    /// From now on each call asks for progress, with its id for a token.
    pub fn with_progress(mut self) -> Self {
        self.progress = true;
        self
    }

    /// Whether its requests belong to a session.
    pub fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// One more connection.
    pub fn wire(&self) -> Wire<'_> {
        Wire { web: self, stream: None }
    }

    /// Makes one call over a connection that ends with it; `number` makes its id.
    pub fn visit(&self, number: u64, draw: Draw) {
        self.wire().call_as(&number.to_string(), number, draw);
    }

    fn body(&self, id: &str, tag: &str, draw: Draw) -> String {
        let server = self.ledger.targets().name(draw.target);
        match self.progress {
            true => self.era.call_with_progress(id, server, tag, draw.ms),
            false => self.era.call(id, server, tag, draw.ms),
        }
    }

    fn head(&self, length: usize, draw: Draw) -> String {
        let era = match &self.session {
            Some(id) => format!("mcp-session-id: {id}\r\nmcp-protocol-version: 2025-11-25\r\n"),
            None => format!(
                "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {}__{TOOL}\r\n",
                self.ledger.targets().name(draw.target),
            ),
        };
        format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             accept: application/json, text/event-stream\r\n{era}\r\n",
            self.addr,
        )
    }

    /// Has one call in flight until the end.
    pub fn keep_busy(&self, end: Instant, mut draw: impl FnMut() -> Draw) {
        let mut wire = self.wire();
        while now() < end {
            wire.call(draw());
        }
    }

    /// Makes one call at each moment of the ticker until the end.
    pub fn keep_pace(&self, mut ticker: Ticker, end: Instant, mut draw: impl FnMut() -> Draw) {
        let mut wire = self.wire();
        while now() < end {
            ticker.wait_for_next();
            wire.call(draw());
        }
    }
}

impl Wire<'_> {
    /// Makes a call. What goes wrong on the way leaves it without an answer.
    pub fn call(&mut self, draw: Draw) {
        let web = self.web;
        let number = web.next.fetch_add(1, Ordering::SeqCst);
        self.call_as(&number.to_string(), number, draw);
    }

    /// Makes a call under this id, as it is to stand in the message, made from `number`.
    pub fn call_as(&mut self, id: &str, number: u64, draw: Draw) {
        let sent = self.send(id, number, draw);
        self.finish(id, sent);
    }

    /// The same with another call under the same id, over another connection, as soon as progress of the first has come.
    /// Whether the second was refused.
    pub fn call_twice(&mut self, id: &str, number: u64, draw: Draw) -> bool {
        let sent = self.send(id, number, draw);
        let begun = sent.and_then(|()| self.stream()?.fill_buf().map(|_| ()));
        let mut other = self.web.wire();
        let second = other.write(&self.web.body(id, "second", draw), draw).and_then(|()| other.read());
        self.finish(id, begun);
        second.is_ok_and(|answers| {
            let text = answers.first().and_then(|answer| answer.json.pointer("/error/message")?.as_str());
            text.is_some_and(|text| text.contains("already in flight"))
        })
    }

    /// Makes a call and hangs up after this time, whatever has come.
    pub fn call_and_leave(mut self, draw: Draw, after: Duration) {
        let web = self.web;
        let number = web.next.fetch_add(1, Ordering::SeqCst);
        let id = number.to_string();
        let sent = self.send(&id, number, draw);
        Ticker::every(after).wait();
        match sent {
            Ok(()) => drop(web.ledger.give_up(&id)),
            Err(error) => web.ledger.broken(&id, &error.to_string()),
        }
    }

    /// Makes a call that no ledger knows of; the first line of the response.
    pub fn status_of_a_call(&mut self, draw: Draw) -> io::Result<String> {
        let body = self.web.body(r#""late""#, "late", draw);
        self.write(&body, draw)?;
        read_line(self.stream()?)
    }

    fn send(&mut self, id: &str, number: u64, draw: Draw) -> io::Result<()> {
        let web = self.web;
        let tag = format!("{}-{number}", web.name);
        let body = web.body(id, &tag, draw);
        web.ledger.sent(id.to_owned(), number, draw.target, tag);
        self.write(&body, draw)
    }

    /// Enters what came into the ledger.
    fn finish(&mut self, id: &str, sent: io::Result<()>) {
        let ledger = &self.web.ledger;
        let messages = match sent.and_then(|()| self.read()) {
            Ok(messages) => messages,
            Err(error) => {
                self.stream = None;
                return ledger.broken(id, &error.to_string());
            }
        };
        let mut answered = false;
        for message in messages {
            let own = *message.id().to_string() == *id;
            match message.method() {
                "notifications/progress" if !answered => ledger.progressed(id, &message.json, &message.raw),
                "" if own && !answered => answered = ledger.came(&message.json, &message.raw),
                _ => ledger.stray(&message.raw),
            }
        }
    }

    fn stream(&mut self) -> io::Result<&mut BufReader<TcpStream>> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.web.addr)?;
            stream.set_nodelay(true)?;
            // Longer than any deadline of a test, so that only what is lost fails here.
            stream.set_read_timeout(Some(patience() * 3))?;
            self.stream = Some(BufReader::new(stream));
        }
        self.stream.as_mut().ok_or_else(|| io::Error::other("it was just made"))
    }

    fn write(&mut self, body: &str, draw: Draw) -> io::Result<()> {
        let head = self.web.head(body.len(), draw);
        self.stream()?.get_mut().write_all(format!("{head}{body}").as_bytes())
    }

    /// All messages of a response.
    fn read(&mut self) -> io::Result<Vec<Message>> {
        read_response(self.stream()?)
    }
}

fn read_response(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<Message>> {
    let status = read_line(stream)?;
    let (mut chunked, mut events, mut length) = (false, false, 0);
    loop {
        let line = read_line(stream)?.to_ascii_lowercase();
        let Some((name, value)) = line.split_once(':') else { break };
        match (name, value.trim()) {
            ("transfer-encoding", value) => chunked = value == "chunked",
            ("content-type", value) => events = value.starts_with("text/event-stream"),
            ("content-length", value) => length = value.parse().map_err(io::Error::other)?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    if chunked {
        read_chunks(stream, &mut body)?;
    } else {
        stream.read_exact(&mut body)?;
    }
    let body = String::from_utf8(body).map_err(io::Error::other)?;
    if !status.contains(" 200 ") && !body.contains("\"id\"") {
        return Err(io::Error::other(format!("{status}: {body}")));
    }
    if !events {
        return Ok(vec![Message::new(body)]);
    }
    let data = body.lines().filter_map(|line| line.strip_prefix("data:"));
    Ok(data.map(str::trim).filter(|data| !data.is_empty()).map(Message::new).collect())
}

fn read_chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let size = usize::from_str_radix(&read_line(stream)?, 16).map_err(io::Error::other)?;
        let start = body.len();
        body.resize(start + size, 0);
        stream.read_exact(&mut body[start..])?;
        read_line(stream)?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn read_line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::Error::other("the gateway hung up"));
    }
    Ok(line.trim_end().to_owned())
}
