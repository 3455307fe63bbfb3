//! A WebSocket on a thread of its own per connection: one message per text frame.
//!
//! The tool `cut` closes instead of answering, `binary` answers in a binary frame, `oversized` with two megabytes,
//! `pretty` on several lines.

use crate::http;
use crate::message::Message;
use crate::server::Out;
use crate::server::Server;
use crate::server::lock;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::WebSocket;
use tokio_tungstenite::tungstenite::handshake::server::ErrorResponse;
use tokio_tungstenite::tungstenite::handshake::server::Request;
use tokio_tungstenite::tungstenite::handshake::server::Response;

struct Socket {
    socket: Mutex<WebSocket<TcpStream>>,
    headers: Vec<String>,
}

impl Out for Socket {
    fn notify(&self, text: &[u8]) {
        let text = String::from_utf8_lossy(text).into_owned();
        let _ = lock(&self.socket).send(tungstenite::Message::text(text));
    }

    fn answer(&self, text: &[u8]) {
        self.notify(text);
    }

    fn headers(&self) -> Vec<String> {
        self.headers.clone()
    }
}

/// Listens until killed.
pub fn serve(server: &Arc<Server>, address: &str) {
    for stream in http::bind(server, address).incoming().flatten() {
        let server = Arc::clone(server);
        std::thread::spawn(move || converse(&server, stream));
    }
}

fn converse(server: &Arc<Server>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut headers = Vec::new();
    #[expect(clippy::result_large_err, reason = "what the library asks for")]
    let check = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        let value = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        headers.extend(
            request.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or(""))),
        );
        let key = server.options.bearer.as_deref();
        if key.is_some_and(|key| value("authorization") != Some(&format!("Bearer {key}"))) {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = http_status(401);
            return Err(refusal);
        }
        if value("sec-websocket-protocol") == Some("mcp") && server.options.fault != "plain" {
            response.headers_mut().insert("sec-websocket-protocol", "mcp".parse().expect("a header"));
        }
        Ok(response)
    };
    let Ok(socket) = tungstenite::accept_hdr(stream, check) else { return };
    let _ = socket.get_ref().set_read_timeout(Some(Duration::from_millis(5)));
    let socket = Arc::new(Socket { socket: Mutex::new(socket), headers });
    let out: Arc<dyn Out> = Arc::clone(&socket) as Arc<dyn Out>;
    loop {
        let next = lock(&socket.socket).read();
        match next {
            Ok(tungstenite::Message::Text(text)) => take(server, &socket, &out, text.as_str()),
            Ok(_) => {}
            Err(Error::Io(problem))
                if matches!(
                    problem.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) => {}
            Err(_) => return server.note("closed", ""),
        }
        crate::tools::tick();
    }
}

fn take(server: &Arc<Server>, socket: &Socket, out: &Arc<dyn Out>, text: &str) {
    let message = Message::read(text);
    let call = message.filter(|message| message.method == "tools/call");
    let id = call.as_ref().and_then(|call| call.id.clone()).unwrap_or_default();
    let send = |message| drop(lock(&socket.socket).send(message));
    match call.as_ref().map(|call| call.text("/name")).unwrap_or_default() {
        "cut" => {
            let said = tungstenite::protocol::CloseFrame { code: 1011.into(), reason: "out of paper".into() };
            drop(lock(&socket.socket).close(Some(said)));
        }
        "binary" => send(tungstenite::Message::binary(vec![0u8, 1, 2])),
        "oversized" => send(tungstenite::Message::text("x".repeat(2 << 20))),
        "pretty" => send(tungstenite::Message::text(format!(
            "{{\r\n  \"jsonrpc\": \"2.0\",\n  \"id\": {id},\n \"result\": {{\"content\":\n[]}}\r\n}}\n"
        ))),
        _ => server.take(text, out),
    }
}

fn http_status(code: u16) -> tungstenite::http::StatusCode {
    tungstenite::http::StatusCode::from_u16(code).expect("a status")
}
