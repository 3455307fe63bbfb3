//! The HTTP front: sessions, status codes, who may connect.
//!
//! What is answered inside is in `list.rs` and `call.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::stdio_client::with_modern_meta;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;

fn gateway() -> HttpGateway {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").tools(&["echo", "pid"]))]));
    Gateway::on(&conf).http()
}

/// A modern request body.
fn modern(method: &str, params: Value) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": with_modern_meta(params) }).to_string()
}

#[test]
fn sessions_follow_the_rules() {
    let gateway = gateway();
    let mut client = gateway.legacy();
    let session = client.session.clone().expect("a session id");
    assert!(session.len() >= 16 && session.bytes().all(|byte| byte.is_ascii_graphic()), "{session}");
    assert_ne!(gateway.legacy().session.as_deref(), Some(session.as_str()));
    client.post(PING, &[]).expect(200);
    client.post(PING, &[("mcp-session-id", "")]).expect(400);
    client.post(PING, &[("mcp-session-id", "unknown")]).expect(404);
    let reply = client.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, &[]).expect(202);
    assert_eq!(reply.body(), "");
    client.send("DELETE", &[("mcp-session-id", "")]).expect(400);
    client.send("DELETE", &[("mcp-session-id", "unknown")]).expect(404);
    let gone = client.send("DELETE", &[]).status;
    assert!((200..300).contains(&gone), "{gone}");
    client.post(PING, &[]).expect(404);
    client.send("DELETE", &[]).expect(404);
    client.send("GET", &[("accept", "text/event-stream")]).expect(404);
    client.session = None;
    client.version = None;
    client.initialize();
    client.post(PING, &[]).expect(200);
}

#[test]
fn a_modern_request_for_a_method_that_is_gone_is_not_found() {
    let gateway = gateway();
    let client = gateway.modern();
    for method in ["initialize", "ping", "logging/setLevel", "unknown/method"] {
        let reply = client.post(&modern(method, json!({})), &[("mcp-method", method)]).expect(404);
        assert_eq!(reply.answer().error_code(), -32601, "{method}");
    }
}

#[test]
fn a_get_stream_needs_a_session_and_the_right_accept() {
    let gateway = gateway();
    let client = gateway.legacy();
    let stream = client.send("GET", &[("accept", "text/event-stream")]).expect(200);
    assert!(stream.is_stream());
    client.send("GET", &[("accept", "text/event-stream"), ("mcp-session-id", "")]).expect(400);
    client.send("GET", &[("accept", "application/json")]).expect(406);
}

#[test]
fn other_methods_and_paths_do_not_exist() {
    let gateway = gateway();
    let client = gateway.legacy();
    let reply = client.send("PUT", &[]).expect(405);
    assert!(reply.header("allow").is_some_and(|allow| allow.contains("POST")), "{:?}", reply.headers);
    client.send("PATCH", &[]).expect(405);
    let elsewhere = format!("GET /else HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", gateway.addr());
    client.raw(elsewhere.as_bytes()).head().expect(404);
}

#[test]
fn a_page_in_a_browser_gets_nowhere() {
    let gateway = gateway();
    let client = gateway.legacy();
    listed(&gateway);
    let before = gateway.conf().ledger_lines();
    for origin in ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://evil.example:80"]
    {
        for (method, body) in [("POST", LIST), ("GET", ""), ("DELETE", "")] {
            let reply = client.start(method, &[("origin", origin)], body).head().expect(403);
            assert_eq!(reply.header("access-control-allow-origin"), None);
        }
    }
    for host in ["evil.example", "127.0.0.1.nip.io", "localhost.evil.example"] {
        let status = client.post(LIST, &[("host", host)]).status;
        assert!([403, 421].contains(&status), "{host}: {status}");
    }
    let port = gateway.addr().port();
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}")] {
        client.post(LIST, &[("host", &host)]).expect(200);
    }
    assert_eq!(gateway.conf().ledger_lines(), before, "nothing more was started or called");
}

/// Waits until the servers were listed once, as an HTTP gateway does at its start to say how many tools there are.
fn listed(gateway: &HttpGateway) {
    eventually("the servers are listed", || gateway.stderr().contains("tools from "));
}

#[test]
fn origins_in_the_file_are_let_in() {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a"))]);
        config["gateway"] = json!({ "http": { "allowedOrigins": ["https://app.example"] } });
        config
    });
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    client.post(PING, &[("origin", "https://app.example")]).expect(200);
    client.post(PING, &[("origin", "https://app.example.evil")]).expect(403);
}

#[test]
fn the_version_header_may_be_absent_but_not_unknown() {
    let gateway = gateway();
    let client = gateway.legacy();
    client.post(PING, &[("mcp-protocol-version", "")]).expect(200);
    client.post(PING, &[("mcp-protocol-version", "2025-03-26")]).expect(200);
    client.post(PING, &[("mcp-protocol-version", "1999-01-01")]).expect(400);
}

#[test]
fn modern_requests_need_no_session_on_the_same_endpoint() {
    let gateway = gateway();
    let legacy = gateway.legacy();
    let client = gateway.modern();
    let reply = client.begin("server/discover", json!({})).head().expect(200);
    assert_eq!(reply.header("mcp-session-id"), None);
    assert_eq!(reply.answer().result()["resultType"], "complete");
    assert_eq!(client.request("tools/list", json!({})).tools(), ["a__echo", "a__pid"]);
    assert_eq!(client.call("a__pid", json!({})).text(), legacy.call("a__pid", json!({})).text());
    client
        .post(
            &modern("tools/list", json!({})),
            &[("mcp-method", "tools/list"), ("mcp-session-id", "ignored")],
        )
        .expect(200);
}

#[test]
fn modern_headers_must_agree_with_the_body() {
    let gateway = gateway();
    let client = gateway.modern();
    let call = modern("tools/call", json!({ "name": "a__pid", "arguments": {} }));
    for headers in [
        vec![("mcp-method", "tools/call"), ("mcp-name", "a__echo")],
        vec![("mcp-method", "tools/call")],
        vec![("mcp-method", "tools/list"), ("mcp-name", "a__pid")],
        vec![("mcp-name", "a__pid")],
    ] {
        let answer = client.post(&call, &headers).expect(400).answer();
        assert_eq!(answer.error_code(), -32020, "{headers:?}: {}", answer.raw);
    }
    let good = [("mcp-method", "tools/call"), ("mcp-name", "=?base64?YV9fcGlk?=")];
    client.post(&call, &good).expect(200).answer().result();
    assert_eq!(gateway.conf().ledger("call", "a").len(), 1);
}

#[test]
fn modern_errors_have_their_status() {
    let gateway = gateway();
    let client = gateway.modern();
    let version = "io.modelcontextprotocol/protocolVersion";
    let capabilities = "io.modelcontextprotocol/clientCapabilities";
    let send = |method: &str, meta: Value, header: &str, status: u16| {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "_meta": meta } });
        let headers = [("mcp-method", method), ("mcp-protocol-version", header)];
        client.post(&body.to_string(), &headers).expect(status).answer().error_code()
    };
    assert_eq!(send("tools/list", json!({ version: "2026-07-28" }), "2026-07-28", 400), -32602);
    assert_eq!(
        send("tools/list", json!({ version: "2099-01-01", capabilities: {} }), "2099-01-01", 400),
        -32022
    );
    assert_eq!(
        send("no/such", json!({ version: "2026-07-28", capabilities: {} }), "2026-07-28", 404),
        -32601
    );
    assert_eq!(send("ping", json!({ version: "2026-07-28", capabilities: {} }), "2026-07-28", 404), -32601);
    let unknown = client.call("a__nothing", json!({}));
    assert_eq!(unknown.error_code(), -32602);
    for status in
        [client.send("GET", &[("accept", "text/event-stream")]).status, client.send("DELETE", &[]).status]
    {
        assert!([400, 405].contains(&status), "{status}");
    }
}

#[test]
fn bodies_that_are_no_message_are_refused() {
    let gateway = gateway();
    let client = gateway.legacy();
    assert_eq!(client.post("not json", &[]).expect(400).answer().error_code(), -32700);
    assert_eq!(client.post(&format!("[{PING}]"), &[]).expect(400).answer().error_code(), -32600);
    client.post(PING, &[("content-type", "text/plain")]).expect(415);
    client.post(PING, &[("accept", "text/html")]).expect(406);
    client.post(PING, &[("content-type", "application/json; charset=utf-8")]).expect(200);
    client.post(PING, &[]).expect(200);
}

#[test]
fn a_body_over_the_limit_is_413() {
    let gateway = gateway();
    let client = gateway.legacy();
    let head = |more: &str| {
        let session = client.session.as_deref().expect("a session");
        format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\nmcp-session-id: {session}\r\n{more}\r\n\r\n",
            gateway.addr()
        )
    };
    let announced = head(&format!("content-length: {}", 17 << 20));
    client.raw(announced.as_bytes()).head().expect(413);
    let mut bytes = head("transfer-encoding: chunked").into_bytes();
    for _ in 0..17 {
        bytes.extend_from_slice(b"100000\r\n");
        bytes.extend(std::iter::repeat_n(b' ', 1 << 20));
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let sent = client.raw(&bytes);
    sent.head().expect(413);
    client.post(PING, &[]).expect(200);
}

#[test]
fn a_public_address_needs_authentication_and_encryption() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let run = |config: &Value, more: &[&str]| {
        conf.write(config);
        let file = conf.file().display().to_string();
        let args = [&["serve", "--config", &file, "--no-cache", "--http", "0.0.0.0:0"], more].concat();
        Gateway::on(&conf).run(&args)
    };
    let open = servers([("a", conf.fake("a"))]);
    let mut keyed = open.clone();
    keyed["gateway"] = json!({ "http": { "bearerTokens": ["a-key-that-is-long-enough-to-be-one"] } });
    for (config, more) in [(&open, &[][..]), (&open, &["--behind-proxy"][..]), (&keyed, &[][..])] {
        let output = run(config, more);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!([Some(1), Some(2)].contains(&output.status.code()), "{:?}: {stderr}", output.status);
        assert!(stderr.contains("0.0.0.0") && !stderr.contains("listening on"), "{stderr}");
    }
    assert!(conf.ledger_lines().is_empty());
}

#[test]
fn with_keys_every_request_needs_one() {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a"))]);
        config["gateway"] = json!({ "http": { "bearerTokens": ["a-key-that-is-long-enough-to-be-one"] } });
        config
    });
    let gateway = Gateway::on(&conf).http();
    let client = gateway.client();
    listed(&gateway);
    let before = conf.ledger_lines();
    let body = modern("tools/list", json!({}));
    let headers = |key: &'static str| {
        [("mcp-method", "tools/list"), ("mcp-protocol-version", "2026-07-28"), ("authorization", key)]
    };
    for key in [
        "",
        "Bearer wrong",
        "Basic a-key-that-is-long-enough-to-be-one",
        "a-key-that-is-long-enough-to-be-one",
    ] {
        for (method, body) in [("POST", body.as_str()), ("GET", ""), ("DELETE", "")] {
            let reply = client.start(method, &headers(key), body).head().expect(401);
            assert!(reply.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")));
        }
    }
    assert_eq!(conf.ledger_lines(), before, "nothing more was started or called");
    client.post(&body, &headers("Bearer a-key-that-is-long-enough-to-be-one")).expect(200);
    assert!(!gateway.stderr().contains("a-key-that"), "{}", gateway.stderr());
}

#[test]
fn both_fronts_run_side_by_side_when_asked_for() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = Gateway::on(&conf).args(&["--http", "127.0.0.1:0", "--stdio"]).stdio().legacy();
    let pid = client.call("a__pid", json!({})).text().to_owned();
    crate::support::eventually::eventually("it listens", || client.stderr().contains("listening on http://"));
    let address = client
        .stderr()
        .split("listening on http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next().map(str::to_owned));
    let address = address.and_then(|text| text.parse().ok()).expect("an address");
    let mut web = crate::support::http_client::HttpClient::new(address);
    web.initialize();
    assert_eq!(web.call("a__pid", json!({})).text(), pid);
}

#[test]
fn an_id_in_use_in_a_session_is_refused() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    let call = |tool: &str| {
        let params = json!({ "name": tool, "arguments": { "ms": 600 } });
        json!({ "jsonrpc": "2.0", "id": "twin", "method": "tools/call", "params": params }).to_string()
    };
    let first = client.start("POST", &[], &call("a__sleep"));
    eventually("it runs", || conf.ledger("call", "a").len() == 1);
    assert_eq!(client.post(&call("a__counter"), &[]).answer().error_code(), -32600);
    assert_eq!(first.head().answer().text(), "slept");
    assert_eq!(conf.ledger("call", "a").len(), 1);
}

#[test]
fn answers_and_notifications_are_accepted_without_a_body() {
    let gateway = gateway();
    let client = gateway.legacy();
    for body in [
        r#"{"jsonrpc":"2.0","id":5,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":5,"error":{"code":1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/nothing"}"#,
    ] {
        assert_eq!(client.post(body, &[]).expect(202).body(), "", "{body}");
    }
}

#[test]
fn bodies_too_deep_or_not_utf8_are_refused() {
    let gateway = gateway();
    let client = gateway.legacy();
    let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
    let params = format!(r#"{{"name":"a__echo","arguments":{{"x":{deep}}}}}"#);
    let reply =
        client.post(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#), &[]);
    assert!([200, 400].contains(&reply.status), "{}", reply.status);
    reply.answer().error_code();
    let session = client.session.as_deref().expect("a session");
    let mut bytes = format!(
        "POST /mcp HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-session-id: {session}\r\ncontent-length: 49\r\n\r\n",
        gateway.addr()
    )
    .into_bytes();
    bytes.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"x\":\"\xff");
    bytes.extend_from_slice(b"\"}");
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let length = (bytes.len() - at).to_string();
    let text = format!("content-length: {length}\r\n\r\n");
    let old = b"content-length: 49\r\n\r\n";
    let from = bytes.windows(old.len()).position(|part| part == old).expect("a length");
    bytes.splice(from..from + old.len(), text.into_bytes());
    client.raw(&bytes).head().expect(400);
    client.post(PING, &[]).expect(200);
}

#[test]
fn requests_that_can_be_read_in_two_ways_are_refused() {
    let gateway = gateway();
    let host = gateway.addr();
    let client = gateway.legacy();
    let before = gateway.conf().ledger("call", "a").len();
    let body = modern("tools/call", json!({ "name": "a__pid", "arguments": {} }));
    let rest =
        "content-type: application/json\r\naccept: application/json, text/event-stream\r\nconnection: close";
    for head in [
        format!(
            "POST /mcp HTTP/1.1\r\nhost: {host}\r\nhost: evil.example\r\n{rest}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ),
        format!("POST /mcp HTTP/1.1\r\n{rest}\r\ncontent-length: {}\r\n\r\n", body.len()),
        format!(
            "POST http://evil.example/mcp HTTP/1.1\r\nhost: {host}\r\n{rest}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ),
        format!(
            "POST /mcp HTTP/1.1\r\nhost: {host}\r\n{rest}\r\ncontent-length: 3\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ),
    ] {
        let status = client.raw(format!("{head}{body}").as_bytes()).head().status;
        assert!((400..500).contains(&status), "{status} for {head}");
    }
    assert_eq!(gateway.conf().ledger("call", "a").len(), before);
}

#[test]
fn a_carriage_return_of_a_server_cannot_end_an_event() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let gateway = Gateway::on(&conf).http();
    let smuggled = "\r\rdata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}";
    let members = "\"result\":{\"content\":[],\r\"x\":1\r}";
    for client in [gateway.legacy(), gateway.modern()] {
        let answer = client.call("a__members", json!({ "members": members }));
        assert_eq!(answer.result()["x"], 1);
        assert!(!answer.raw.contains('\r'), "{}", answer.raw);
        // Inside a string it is no JSON at all, and none of it gets through.
        let members = format!("\"result\":{{\"x\":\"{smuggled}\"}}");
        let answer = client.call("a__members", json!({ "members": members }));
        assert!(answer.error_text().contains("cannot be read"), "{}", answer.raw);
    }
}

#[test]
fn a_cancelled_legacy_call_ends_without_an_answer_and_without_an_alarm() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    let cancelled = |id: &str| {
        let message =
            json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
        client.post(&message.to_string(), &[]).expect(202);
    };
    for (id, progress) in [("plain", json!({})), ("streamed", json!({ "progressToken": 1 }))] {
        let tool = if id == "plain" { "a__hang" } else { "a__slow_progress" };
        let params = json!({ "name": tool, "arguments": { "n": 5000 }, "_meta": progress });
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        let sent = client.start("POST", &[], &call.to_string());
        eventually("the call runs", || conf.ledger("call", "a").len() == if id == "plain" { 1 } else { 2 });
        cancelled(id);
        let reply = sent.head().expect(200);
        assert!(reply.is_stream());
        let answers = reply.messages().into_iter().filter(|message| message.answers(&json!(id))).count();
        assert_eq!(answers, 0);
    }
}
