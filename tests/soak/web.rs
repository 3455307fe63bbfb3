//! A client over HTTP with many connections, each of which is kept and has one call in flight.
//!
//! It keeps no message: what came is in the ledger.

use crate::ledger::Ledger;
use crate::load::Draw;
use crate::load::Era;
use crate::load::TOOL;
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
use std::time::Instant;

/// The client.
pub struct Web {
    addr: SocketAddr,
    era: Era,
    session: Option<String>,
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
            name: name.to_owned(),
            ledger: Arc::clone(ledger),
            next: AtomicU64::new(1),
        }
    }

    /// One more connection.
    pub fn wire(&self) -> Wire<'_> {
        Wire { web: self, stream: None }
    }

    /// Has one call in flight until the end.
    pub fn keep_busy(&self, end: Instant, mut draw: impl FnMut() -> Draw) {
        let mut wire = self.wire();
        while now() < end {
            wire.call(draw());
        }
    }
}

impl Wire<'_> {
    /// Makes a call. What goes wrong on the way leaves it without an answer.
    pub fn call(&mut self, draw: Draw) {
        let web = self.web;
        let number = web.next.fetch_add(1, Ordering::SeqCst);
        self.call_as(number.to_string(), number, draw);
    }

    /// Makes a call under this id, as it is to stand in the message, made from `number`.
    pub fn call_as(&mut self, id: String, number: u64, draw: Draw) {
        let web = self.web;
        let server = web.ledger.targets().name(draw.target);
        let tag = format!("{}-{number}", web.name);
        let body = web.era.call(&id, server, &tag, draw.ms);
        web.ledger.sent(id.clone(), number, draw.target, tag);
        let answers = match self.exchange(&format!("{server}__{TOOL}"), &body) {
            Ok(answers) => answers,
            Err(error) => {
                self.stream = None;
                return web.ledger.broken(&id, &error.to_string());
            }
        };
        for (place, answer) in answers.iter().enumerate() {
            match place == 0 && *answer.id().to_string() == *id {
                true => drop(web.ledger.came(&answer.json, &answer.raw)),
                false => web.ledger.stray(&answer.raw),
            }
        }
    }

    /// The messages of a response that are no notifications.
    fn exchange(&mut self, name: &str, body: &str) -> io::Result<Vec<Message>> {
        let web = self.web;
        if self.stream.is_none() {
            let stream = TcpStream::connect(web.addr)?;
            stream.set_nodelay(true)?;
            // Longer than any deadline of a test, so that only what is lost fails here.
            stream.set_read_timeout(Some(patience() * 3))?;
            self.stream = Some(BufReader::new(stream));
        }
        let stream = self.stream.as_mut().expect("it was just made");
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            web.addr,
            body.len(),
        );
        let era = match (&web.session, web.era) {
            (Some(id), _) => format!("mcp-session-id: {id}\r\nmcp-protocol-version: 2025-11-25\r\n"),
            (None, Era::Legacy) => String::new(),
            (None, Era::Modern) => {
                format!("mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {name}\r\n")
            }
        };
        let accept = "accept: application/json, text/event-stream\r\n\r\n";
        stream.get_mut().write_all(format!("{head}{era}{accept}{body}").as_bytes())?;
        let messages = read_response(stream)?;
        Ok(messages.into_iter().filter(|message| message.method().is_empty()).collect())
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
