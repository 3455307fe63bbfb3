//! HTTP+SSE of 2024-11-05 by hand: a GET opens a stream, whose first event names where to POST.
//!
//! The tool `cut` ends the stream instead of answering, `oversized` answers with two megabytes.

use crate::http;
use crate::http::Request;
use crate::http::chunk;
use crate::http::plain;
use crate::message::Message;
use crate::server::Out;
use crate::server::Server;
use crate::server::lock;
use std::io::BufReader;
use std::io::Write as _;
use std::net::Shutdown;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

/// One stream.
struct Stream {
    id: String,
    stream: Mutex<TcpStream>,
    headers: Vec<String>,
}

impl Out for Stream {
    fn notify(&self, text: &[u8]) {
        let text = String::from_utf8_lossy(text).replace(['\r', '\n'], " ");
        chunk(&mut lock(&self.stream), format!("event: message\r\ndata: {text}\r\n\r\n").as_bytes());
    }

    fn answer(&self, text: &[u8]) {
        self.notify(text);
    }

    fn headers(&self) -> Vec<String> {
        self.headers.clone()
    }
}

type Streams = Arc<Mutex<Vec<Arc<Stream>>>>;

/// Listens until killed.
pub fn serve(server: &Arc<Server>, address: &str) {
    let streams = Streams::default();
    for stream in http::bind(server, address).incoming().flatten() {
        let (server, streams) = (Arc::clone(server), Arc::clone(&streams));
        std::thread::spawn(move || {
            let _ = stream.set_nodelay(true);
            let mut reader = BufReader::new(&stream);
            while let Some(request) = http::read_request(&mut reader) {
                let Ok(stream) = stream.try_clone() else { return };
                if answer(&server, &streams, &request, stream).is_none() {
                    return;
                }
            }
        });
    }
}

/// Answers one request; `None` when its connection has become a stream.
fn answer(server: &Arc<Server>, streams: &Streams, request: &Request, mut stream: TcpStream) -> Option<()> {
    let key = server.options.bearer.as_deref();
    if key.is_some_and(|key| request.header("authorization") != Some(&format!("Bearer {key}"))) {
        server.note("refused", &request.method);
        plain(&mut stream, "401 Unauthorized", "", b"");
        return Some(());
    }
    match (request.method.as_str(), request.path.split('?').next().unwrap_or_default()) {
        ("GET", "/sse") => {
            server.note("stream", "");
            open(server, streams, request, stream);
            None
        }
        ("POST", "/messages") => {
            let id = request.path.rsplit('=').next().unwrap_or_default();
            let found = lock(streams).iter().find(|stream| stream.id == id).cloned();
            match found {
                Some(found) => {
                    plain(&mut stream, "202 Accepted", "", b"");
                    take(server, streams, request, found);
                }
                None => plain(&mut stream, "404 Not Found", "", b""),
            }
            Some(())
        }
        _ => {
            server.note("wrong", &request.method);
            plain(&mut stream, "405 Method Not Allowed", "", b"");
            Some(())
        }
    }
}

fn open(server: &Arc<Server>, streams: &Streams, request: &Request, mut stream: TcpStream) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let _ = stream.write_all(head.as_bytes());
    let id = server.session_count.fetch_add(1, Ordering::SeqCst).to_string();
    // Until it is known, nobody who was told of it finds it missing.
    let mut streams = lock(streams);
    match server.options.fault.as_str() {
        "no-endpoint" => chunk(&mut stream, b": wait\n\n"),
        "foreign" => chunk(&mut stream, b"event: endpoint\ndata: http://127.0.0.2:9/messages\n\n"),
        "absolute" => {
            let host = request.header("host").unwrap_or_default();
            let event = format!("event: endpoint\ndata: http://{host}/messages?s={id}\n\n");
            chunk(&mut stream, event.as_bytes());
        }
        _ => chunk(&mut stream, format!("event: endpoint\ndata: /messages?s={id}\n\n").as_bytes()),
    }
    streams.push(Arc::new(Stream { id, stream: Mutex::new(stream), headers: request.headers.clone() }));
}

fn take(server: &Arc<Server>, streams: &Streams, request: &Request, stream: Arc<Stream>) {
    let message = Message::read(&request.body);
    let tool = message.filter(|message| message.method == "tools/call");
    let tool = tool.map(|message| message.text("/name").to_owned()).unwrap_or_default();
    match tool.as_str() {
        "cut" => {
            lock(streams).retain(|other| other.id != stream.id);
            let _ = lock(&stream.stream).shutdown(Shutdown::Both);
        }
        "oversized" => stream.notify(&vec![b'x'; 2 << 20]),
        _ => {
            let out: Arc<dyn Out> = stream;
            server.take(&request.body, &out);
        }
    }
}
