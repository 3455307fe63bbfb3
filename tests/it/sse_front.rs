//! The transport of 2024-11-05 in front: `/sse` and the endpoint for messages that it names.
//!
//! The same transport towards servers is in `sse_behind.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::Reply;
use crate::support::message::Message;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const TOKENS: [&str; 2] = ["the-token-of-one-client", "the-token-of-another"];

fn folder(http: Value) -> Arc<TempConf> {
    TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a")), ("m", conf.fake("m").modern())]);
        config["gateway"] = json!({ "http": http });
        config
    })
}

fn gateway(http: Value) -> HttpGateway {
    let gateway = Gateway::on(&folder(http)).http();
    eventually("the servers are listed", || gateway.stderr().contains("tools from "));
    gateway
}

fn request(gateway: &HttpGateway, method: &str, path: &str, headers: &str, body: &str) -> Reply {
    let (addr, length) = (gateway.addr(), body.len());
    let text = format!(
        "{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    gateway.client().raw(text.as_bytes()).head()
}

fn open(gateway: &HttpGateway, headers: &str) -> Reply {
    request(gateway, "GET", "/sse", &format!("accept: text/event-stream\r\n{headers}"), "")
}

/// A client with a stream, after its handshake.
struct Client<'a> {
    gateway: &'a HttpGateway,
    endpoint: String,
    stream: Reply,
}

impl<'a> Client<'a> {
    fn new(gateway: &'a HttpGateway) -> Self {
        let mut stream = open(gateway, "").expect(200);
        assert!(stream.is_stream());
        let (_, endpoint) = stream.event().expect("the endpoint");
        let mut client = Self { gateway, endpoint, stream };
        let hello = json!({ "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": { "name": "rig", "version": "1" } });
        assert_eq!(client.request(0, "initialize", hello).result()["protocolVersion"], "2024-11-05");
        client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).expect(202);
        client
    }

    fn say(&self, body: &str) -> Reply {
        request(self.gateway, "POST", &self.endpoint, "content-type: application/json\r\n", body)
    }

    fn begin(&self, id: u64, method: &str, params: Value) {
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        assert_eq!(self.say(&body.to_string()).expect(202).body(), "");
    }

    fn request(&mut self, id: u64, method: &str, params: Value) -> Message {
        self.begin(id, method, params);
        self.stream.wait("the answer", |message| message.answers(&json!(id)))
    }
}

#[test]
fn it_is_off_unless_it_is_asked_for() {
    let gateway = gateway(json!({}));
    open(&gateway, "").expect(404);
    request(&gateway, "POST", "/message?sessionId=1", "content-type: application/json\r\n", "{}").expect(404);
}

#[test]
fn calls_are_answered_on_the_stream_in_order() {
    let gateway = gateway(json!({ "sse": true }));
    let mut client = Client::new(&gateway);
    let tools = client.request(1, "tools/list", json!({})).tools();
    assert!(tools.contains(&"a__pid".to_owned()) && tools.contains(&"m__pid".to_owned()));
    for (id, tool) in [(2, "a__pid"), (3, "m__pid")] {
        client.request(id, "tools/call", json!({ "name": tool })).result();
    }
    let arguments = json!({ "n": 3, "ms": 2 });
    client.begin(
        4,
        "tools/call",
        json!({ "name": "a__slow_progress", "arguments": arguments, "_meta": { "progressToken": 9 } }),
    );
    let steps: Vec<Message> = (0..4).map(|_| client.stream.next().expect("a message")).collect();
    let numbers: Vec<_> = steps.iter().map(|step| step.json["params"]["progress"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3), None]);
    assert!(steps[3].answers(&json!(4)));
    let mut other = Client::new(&gateway);
    assert_ne!(client.endpoint, other.endpoint);
    other.request(4, "ping", json!({})).result();
    client.request(5, "ping", json!({})).result();
}

#[test]
fn what_belongs_to_no_call_is_on_the_stream_too() {
    let gateway = gateway(json!({ "sse": true }));
    let mut client = Client::new(&gateway);
    let conf = gateway.conf();
    let mut config = servers([("a", conf.fake("a"))]);
    config["gateway"] = json!({ "http": { "sse": true } });
    conf.write(&config);
    client.stream.wait("a changed list", |message| message.method() == "notifications/tools/list_changed");
}

#[test]
fn the_session_ends_with_its_stream_and_its_calls_are_cancelled() {
    let gateway = gateway(json!({ "sse": true }));
    let client = Client::new(&gateway);
    client.begin(7, "tools/call", json!({ "name": "a__hang" }));
    let mut other = Client::new(&gateway);
    eventually("the call runs", || !gateway.conf().ledger("call", "a").is_empty());
    let (endpoint, gone) = (client.endpoint.clone(), client);
    drop(gone);
    let ping = r#"{"jsonrpc":"2.0","id":8,"method":"ping"}"#;
    let say = || request(&gateway, "POST", &endpoint, "content-type: application/json\r\n", ping).status;
    eventually("the session is gone", || say() == 404);
    let cancelled = || other.request(1, "tools/call", json!({ "name": "a__cancelled" })).texts();
    let mut cancelled = cancelled;
    eventually("its call is cancelled", || !cancelled().is_empty());
}

#[test]
fn only_the_session_of_the_caller_is_found() {
    let gateway = gateway(json!({ "sse": true, "bearerTokens": TOKENS }));
    open(&gateway, "").expect(401);
    let shown = |token: &str| format!("authorization: Bearer {token}\r\n");
    let mut stream = open(&gateway, &shown(TOKENS[0])).expect(200);
    let (_, endpoint) = stream.event().expect("the endpoint");
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let say = |path: &str, token: &str| {
        let headers = format!("content-type: application/json\r\n{}", shown(token));
        request(&gateway, "POST", path, &headers, ping).status
    };
    assert_eq!(say(&endpoint, TOKENS[1]), 404);
    for path in ["/message", "/message?sessionId=", "/message?sessionId=0123456789abcdef", "/message?x=1"] {
        assert_eq!(say(path, TOKENS[0]), 404, "{path}");
    }
    assert_eq!(say(&endpoint, TOKENS[0]), 202);
    assert!(stream.next().expect("an answer").answers(&json!(1)));
    let id = endpoint.split_once('=').expect("an id").1.to_owned();
    assert!(id.len() >= 32, "{id}");
    let mut streamable = gateway.client();
    streamable.bearer = Some(TOKENS[0].into());
    streamable.session = Some(id);
    streamable.post(ping, &[]).expect(404);
    streamable.send("DELETE", &[]).expect(404);
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let conf = folder(json!({ "sse": true }));
    let mut config = servers([("a", conf.fake("a"))]);
    config["gateway"] = json!({ "http": { "sse": true }, "limits": { "clientQueueBytes": 4096 } });
    conf.write(&config);
    let gateway = Gateway::on(&conf).http();
    let client = Client::new(&gateway);
    let body = |id: u64| {
        let params = json!({ "name": "a__line", "arguments": { "mib": 8 } });
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }).to_string()
    };
    let mut id = 0;
    eventually("its session is gone", || {
        id += 1;
        client.say(&body(id)).status == 404
    });
    Client::new(&gateway).request(1, "ping", json!({})).result();
}

#[test]
fn the_guard_is_the_same_as_everywhere() {
    let gateway = gateway(json!({ "sse": true }));
    open(&gateway, "origin: https://evil.example\r\n").expect(403);
    request(&gateway, "GET", "/sse", "accept: application/json\r\n", "").expect(406);
    request(&gateway, "PUT", "/sse", "accept: text/event-stream\r\n", "").expect(405);
    let client = Client::new(&gateway);
    let post = |headers: &str, body: &str| request(&gateway, "POST", &client.endpoint, headers, body);
    post("content-type: application/json\r\norigin: https://evil.example\r\n", "{}").expect(403);
    post("content-type: text/plain\r\n", "{}").expect(415);
    for (body, code) in [("nonsense", -32700), ("{}", -32600), ("[]", -32600)] {
        let reply = post("content-type: application/json\r\n", body).expect(400);
        assert_eq!(Message::new(reply.body()).error_code(), code, "{body}");
    }
    request(&gateway, "GET", &client.endpoint, "", "").expect(405);
}

#[test]
fn a_shutdown_answers_what_is_in_flight() {
    let gateway = gateway(json!({ "sse": true }));
    let mut client = Client::new(&gateway);
    client.begin(3, "tools/call", json!({ "name": "a__sleep", "arguments": { "ms": 700 } }));
    eventually("the call runs", || !gateway.conf().ledger("call", "a").is_empty());
    crate::support::processes::signal(gateway.pid(), rustix::process::Signal::TERM);
    client.stream.wait("the answer", |message| message.answers(&json!(3))).result();
    assert!(client.stream.next().is_none());
    assert!(gateway.exit().success());
}
