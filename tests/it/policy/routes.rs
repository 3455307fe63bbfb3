//! Privilege by another route: the old HTTP+SSE, WebSockets, batches. One decision, whatever the request came by.

use crate::policy::ROLES;
use crate::policy::TOKENS;
use crate::policy::link::Link;
use crate::policy::roles;
use crate::support::eventually::patience;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::message::Message;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::json;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;

const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"rig","version":"1"}}}"#;
const READY: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"s__echo","arguments":{}}}"#;

fn conf() -> Arc<TempConf> {
    TempConf::with(|conf| {
        let mut all = servers([("s", conf.fake("s").tools(&["echo"]))]);
        all["gateway"] = roles("deny");
        all["gateway"]["http"]["sse"] = json!(true);
        all["gateway"]["http"]["websocket"] = json!(true);
        all
    })
}

/// The answer to the call is what this role gets.
fn check(answer: &Message, role: &str, route: &str) {
    match role {
        "deny" => assert_eq!(answer.error_text(), "unknown tool `s__echo`", "{route}"),
        "read" => assert!(answer.error_text().contains("may be listed but not used"), "{route}"),
        _ => assert!(!answer.is_error(), "{role}, {route}: {}", answer.short()),
    }
}

fn over_sse(gateway: &HttpGateway, token: &str) -> Message {
    let send = |method: &str, path: &str, body: &str| {
        let (addr, length) = (gateway.addr(), body.len());
        let text = format!(
            "{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\naccept: text/event-stream\r\n\
             content-type: application/json\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        gateway.client().raw(text.as_bytes()).head()
    };
    let mut stream = send("GET", "/sse", "").expect(200);
    let (_, endpoint) = stream.event().expect("the endpoint");
    for body in [HELLO, READY, CALL] {
        send("POST", &endpoint, body).expect(202);
    }
    stream.wait("the answer", |message| message.answers(&json!(1)))
}

/// One text in a frame of a client.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend(u16::try_from(text.len()).expect("a short text").to_be_bytes());
    // A mask of zeros leaves it as it is.
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

fn over_websocket(gateway: &HttpGateway, token: &str) -> Message {
    let mut stream = TcpStream::connect(gateway.addr()).expect("the gateway accepts connections");
    stream.set_read_timeout(Some(patience())).expect("a socket has a time limit");
    let head = format!(
        "GET /ws HTTP/1.1\r\nhost: {}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: mcp\r\nauthorization: Bearer {token}\r\n\r\n",
        gateway.addr()
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    for text in [HELLO, READY, CALL] {
        stream.write_all(&frame(text)).expect("it reads");
    }
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).expect("an answer");
        assert!(count > 0, "it hung up: {}", String::from_utf8_lossy(&read));
        read.extend(&chunk[..count]);
        let text = String::from_utf8_lossy(&read);
        // The answer to the call is the last message.
        if let Some(at) = text.find(r#"{"jsonrpc":"2.0","id":1,"#)
            && let Ok(value) = serde_json::from_str::<serde_json::Value>(&text[at..])
        {
            return Message::new(value.to_string());
        }
    }
}

fn in_a_batch(gateway: &HttpGateway, token: &str) -> Message {
    let (Link::Http(client), _) = Link::http(gateway, "2025-03-26", Some(token)) else {
        panic!("it is over HTTP")
    };
    let list = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
    let body = client.post(&format!("[{list},{CALL}]"), &[]).expect(200).body();
    let answers = body.lines().find_map(|line| {
        let text = line.strip_prefix("data:").unwrap_or(line);
        serde_json::from_str::<Vec<serde_json::Value>>(text.trim()).ok()
    });
    let answers = answers.unwrap_or_else(|| panic!("no array of answers: {body}"));
    let answer = answers.iter().find(|answer| answer["id"] == 1).expect("the answer to the call");
    Message::new(answer.to_string())
}

#[test]
fn s4_no_route_gives_more_than_another() {
    let conf = conf();
    let gateway = Gateway::on(&conf).http();
    for (role, token) in ROLES.into_iter().zip(TOKENS) {
        check(&over_sse(&gateway, token), role, "sse");
        check(&over_websocket(&gateway, token), role, "websocket");
        check(&in_a_batch(&gateway, token), role, "batch");
    }
    assert_eq!(conf.ledger("call", "s").len(), 6, "two roles by three routes");
}
