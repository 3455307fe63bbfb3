//! WebSockets in front: `/ws`.
//!
//! WebSockets towards servers are in `ws_behind.rs`.

use crate::support::eventually::eventually;
use crate::support::eventually::patience;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::message::Message;
use crate::support::stdio_client::with_modern_meta;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// The example of RFC 6455, section 1.3.
const KEY: &str = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const ACCEPT: &str = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const USUAL: &str = "connection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n";
const MCP: &str = "sec-websocket-protocol: other, mcp\r\n";

fn gateway(http: Value, limits: Value) -> HttpGateway {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a")), ("m", conf.fake("m").modern())]);
        config["gateway"] = json!({ "http": http, "limits": limits });
        config
    });
    let gateway = Gateway::on(&conf).http();
    eventually("the servers are listed", || gateway.stderr().contains("tools from "));
    gateway
}

fn usual() -> HttpGateway {
    gateway(json!({ "websocket": true }), json!({}))
}

/// A socket that speaks frames.
pub struct Socket(BufReader<TcpStream>);

/// Asks for a WebSocket; the head of the answer and what follows it.
fn ask(gateway: &HttpGateway, headers: &str) -> (String, Socket) {
    let stream = TcpStream::connect(gateway.addr()).expect("the gateway accepts connections");
    stream.set_read_timeout(Some(patience())).expect("a socket has a time limit");
    let host =
        if headers.contains("host: ") { String::new() } else { format!("host: {}\r\n", gateway.addr()) };
    (&stream).write_all(format!("GET /ws HTTP/1.1\r\n{host}{headers}\r\n").as_bytes()).expect("it reads");
    let (mut reader, mut head) = (BufReader::new(stream), String::new());
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("an answer") > 0, "{head}");
    }
    (head.to_lowercase(), Socket(reader))
}

fn open(gateway: &HttpGateway) -> Socket {
    open_with(gateway, "")
}

/// A WebSocket that is asked for with more header lines.
pub fn open_with(gateway: &HttpGateway, headers: &str) -> Socket {
    let (head, socket) = ask(gateway, &format!("{USUAL}{KEY}{MCP}{headers}"));
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains(&ACCEPT.to_lowercase()), "{head}");
    assert!(head.contains("sec-websocket-protocol: mcp\r\n"), "{head}");
    socket
}

fn legacy(gateway: &HttpGateway, version: &str) -> Socket {
    let mut socket = open(gateway);
    let hello = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "rig", "version": "1" } });
    assert_eq!(socket.request(0, "initialize", hello).result()["protocolVersion"], version);
    socket.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    socket
}

impl Socket {
    fn frame(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            middle @ 126..=0xffff => {
                frame.push(0x80 | 126);
                frame.extend((middle as u16).to_be_bytes());
            }
            long => {
                frame.push(0x80 | 127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        let mask = [7, 1, 200, 33];
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        // It may have been closed meanwhile.
        let _ = self.0.get_mut().write_all(&frame);
    }

    fn say(&mut self, text: &str) {
        self.frame(0x80 | TEXT, text.as_bytes());
    }

    fn begin(&mut self, id: u64, method: &str, params: Value) {
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
    }

    pub fn request(&mut self, id: u64, method: &str, params: Value) -> Message {
        self.begin(id, method, params);
        self.wait("the answer", |message| message.answers(&json!(id)))
    }

    /// The next frame: what it is and what it holds.
    fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).ok()?;
        assert_eq!(head[1] & 0x80, 0, "servers do not mask");
        let length = match head[1] {
            126 => {
                let mut bytes = [0; 2];
                self.0.read_exact(&mut bytes).ok()?;
                u64::from(u16::from_be_bytes(bytes))
            }
            127 => {
                let mut bytes = [0; 8];
                self.0.read_exact(&mut bytes).ok()?;
                u64::from_be_bytes(bytes)
            }
            short => u64::from(short),
        };
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).ok()?;
        Some((head[0] & 0x0f, payload))
    }

    fn next(&mut self) -> Message {
        let (kind, payload) = self.read().expect("the socket goes on");
        assert_eq!(kind, TEXT, "{payload:?}");
        Message::new(String::from_utf8(payload).expect("text is UTF-8"))
    }

    fn wait(&mut self, what: &str, fits: impl Fn(&Message) -> bool) -> Message {
        for _ in 0..1000 {
            let message = self.next();
            if fits(&message) {
                return message;
            }
        }
        panic!("{what} does not come")
    }

    /// Reads up to the farewell; its code.
    fn closed(&mut self) -> u16 {
        loop {
            let (kind, payload) = self.read().expect("a farewell");
            if kind == CLOSE {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }
}

#[test]
fn it_is_off_unless_it_is_asked_for() {
    let gateway = gateway(json!({}), json!({}));
    assert!(ask(&gateway, &format!("{USUAL}{KEY}{MCP}")).0.starts_with("http/1.1 404 "));
}

#[test]
fn a_legacy_client_works() {
    let gateway = usual();
    let mut socket = legacy(&gateway, "2025-11-25");
    let tools = socket.request(1, "tools/list", json!({})).tools();
    assert!(tools.contains(&"a__pid".to_owned()) && tools.contains(&"m__pid".to_owned()));
    for (id, tool) in [(2, "a__pid"), (3, "m__pid")] {
        socket.request(id, "tools/call", json!({ "name": tool })).result();
    }
    let arguments = json!({ "n": 3, "ms": 2 });
    socket.begin(
        4,
        "tools/call",
        json!({ "name": "a__slow_progress", "arguments": arguments, "_meta": { "progressToken": 9 } }),
    );
    let steps: Vec<Message> = (0..4).map(|_| socket.next()).collect();
    let numbers: Vec<_> = steps.iter().map(|step| step.json["params"]["progress"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3), None]);
    let long = "x".repeat(300_000);
    let echoed = socket.request(5, "tools/call", json!({ "name": "a__echo", "arguments": { "text": long } }));
    assert!(echoed.raw.contains(&long));
    let conf = gateway.conf();
    let mut config = servers([("a", conf.fake("a"))]);
    config["gateway"] = json!({ "http": { "websocket": true }, "limits": {} });
    conf.write(&config);
    socket.wait("a changed list", |message| message.method() == "notifications/tools/list_changed");
}

#[test]
fn a_modern_client_works_as_over_stdio() {
    let gateway = usual();
    let mut socket = open(&gateway);
    let discovered = socket.request(1, "server/discover", with_modern_meta(json!({})));
    assert_eq!(discovered.result()["resultType"], "complete");
    for (id, tool) in [(2, "a__pid"), (3, "m__pid")] {
        let answer = socket.request(id, "tools/call", with_modern_meta(json!({ "name": tool })));
        assert_eq!(answer.result()["resultType"], "complete");
    }
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    socket.begin(4, "subscriptions/listen", with_modern_meta(wanted));
    socket
        .wait("an acknowledgement", |message| message.method() == "notifications/subscriptions/acknowledged");
    socket.request(5, "tools/call", with_modern_meta(json!({ "name": "m__pid" }))).result();
    let session = &gateway.status()["sessionList"][0];
    assert_eq!(
        (&session["transport"], &session["era"]),
        (&json!("websocket"), &json!("modern")),
        "{session}"
    );
    assert_eq!((&session["id"], &session["inFlight"]), (&json!("#1"), &json!(1)), "{session}");
}

#[test]
fn batches_are_those_of_their_revision() {
    let gateway = usual();
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#;
    let mut socket = legacy(&gateway, "2025-03-26");
    socket.say(batch);
    assert_eq!(socket.next().json.as_array().expect("an array").len(), 2);
    let mut socket = legacy(&gateway, "2025-06-18");
    socket.say(batch);
    assert_eq!(socket.next().error_code(), -32600);
    socket.request(3, "ping", json!({})).result();
}

#[test]
fn garbage_is_answered_and_the_connection_lives() {
    let gateway = usual();
    let mut socket = legacy(&gateway, "2025-11-25");
    for (text, code) in [("nonsense", -32700), ("{}", -32600), ("", -32700), ("7", -32600)] {
        socket.say(text);
        assert_eq!(socket.next().error_code(), code, "{text}");
    }
    let over_lines = "{\n\"jsonrpc\":\"2.0\",\r\n\"id\":9,\"method\":\"ping\"\n}";
    socket.say(over_lines);
    assert!(socket.next().answers(&json!(9)));
    socket.frame(TEXT, br#"{"jsonrpc":"2.0","#);
    socket.frame(0x80 | PING, b"there?");
    socket.frame(0x80, br#""id":10,"method":"ping"}"#);
    let (mut pong, mut answer) = (false, false);
    while !(pong && answer) {
        let (kind, payload) = socket.read().expect("the socket goes on");
        pong |= kind == PONG && payload == b"there?";
        answer |= kind == TEXT;
    }
}

#[test]
fn what_is_no_text_ends_the_connection_with_its_code() {
    let gateway = gateway(json!({ "websocket": true }), json!({ "messageBytes": 4096 }));
    let cases: [(u8, Vec<u8>, u16); 4] = [
        (0x80 | BINARY, b"{}".to_vec(), 1003),
        (0x80 | TEXT, vec![b'x'; 5000], 1009),
        (0x80 | TEXT, b"\"\xff\"".to_vec(), 1007),
        (0xf0 | TEXT, b"{}".to_vec(), 1002),
    ];
    for (first, payload, code) in cases {
        let mut socket = legacy(&gateway, "2025-11-25");
        socket.frame(first, &payload);
        assert_eq!(socket.closed(), code);
    }
    let mut socket = legacy(&gateway, "2025-11-25");
    socket.frame(0x80 | CLOSE, &1000_u16.to_be_bytes());
    assert_eq!(socket.closed(), 1000);
    assert_eq!(socket.read(), None);
}

#[test]
fn calls_of_a_client_that_left_are_cancelled() {
    let gateway = usual();
    let mut socket = legacy(&gateway, "2025-11-25");
    socket.begin(7, "tools/call", json!({ "name": "a__hang" }));
    eventually("the call runs", || !gateway.conf().ledger("call", "a").is_empty());
    drop(socket);
    let mut other = legacy(&gateway, "2025-11-25");
    let mut id = 0;
    eventually("its call is cancelled", || {
        id += 1;
        !other.request(id, "tools/call", json!({ "name": "a__cancelled" })).texts().is_empty()
    });
}

#[test]
fn the_guard_is_the_same_as_everywhere() {
    let token = "the-token-of-one-client";
    let gateway = gateway(
        json!({ "websocket": true, "bearerTokens": [token], "allowedOrigins": ["https://app.example"] }),
        json!({}),
    );
    let shown = format!("authorization: Bearer {token}\r\n");
    let status = |headers: &str| {
        let (head, _) = ask(&gateway, headers);
        head.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok()).expect("a status")
    };
    let all = format!("{USUAL}{KEY}{MCP}");
    assert_eq!(status(&format!("{all}{shown}")), 101);
    assert_eq!(status(&format!("{USUAL}{KEY}{shown}")), 101, "without a subprotocol");
    assert_eq!(status(&all), 401);
    assert_eq!(status(&format!("{all}{shown}origin: https://evil.example\r\n")), 403);
    assert_eq!(status(&format!("{all}{shown}origin: https://app.example\r\n")), 101);
    assert_eq!(status(&format!("{all}{shown}host: evil.example\r\n")), 403);
    assert_eq!(status(&format!("{USUAL}{KEY}{shown}sec-websocket-protocol: chat\r\n")), 400);
    assert_eq!(status(&format!("{USUAL}{shown}")), 400, "no key");
    assert_eq!(status(&format!("{USUAL}sec-websocket-key: short\r\n{shown}")), 400);
    assert_eq!(status(&format!("{}{KEY}{shown}", USUAL.replace("13", "8"))), 426);
    assert_eq!(status(&format!("{KEY}{shown}")), 426);
}

#[test]
fn a_shutdown_answers_what_is_in_flight_and_says_goodbye() {
    let gateway = usual();
    let mut socket = legacy(&gateway, "2025-11-25");
    socket.begin(3, "tools/call", json!({ "name": "a__sleep", "arguments": { "ms": 2000 } }));
    eventually("the call runs", || !gateway.conf().ledger("call", "a").is_empty());
    crate::support::processes::signal(gateway.pid(), rustix::process::Signal::TERM);
    let mut id = 3;
    eventually("new calls are turned away", || {
        id += 1;
        let answer = socket.request(id, "tools/call", json!({ "name": "a__pid", "arguments": {} }));
        answer.raw.contains("shutting down")
    });
    socket.wait("the answer", |message| message.answers(&json!(3))).result();
    assert_eq!(socket.closed(), 1001);
    drop(socket);
    assert!(gateway.exit().success());
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let gateway = gateway(json!({ "websocket": true }), json!({ "clientQueueBytes": 65_536 }));
    let mut deaf = legacy(&gateway, "2025-11-25");
    let mut good = legacy(&gateway, "2025-11-25");
    for id in 1..=6 {
        deaf.begin(id, "tools/call", json!({ "name": "a__line", "arguments": { "mib": 8 } }));
    }
    let sessions = || gateway.status()["sessions"].as_u64();
    eventually("its session is over", || sessions() == Some(1));
    assert!(gateway.stderr().contains("was cut off"), "{}", gateway.stderr());
    good.request(9, "tools/call", json!({ "name": "a__pid" })).result();
}
