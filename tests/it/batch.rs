//! Several messages in one array, which clients of 2025-03-26 may send, over stdio and HTTP.
//!
//! Messages one by one are in `call.rs` and `http.rs`.

use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::message::Message;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

fn folder() -> Arc<TempConf> {
    TempConf::with(|conf| servers([("a", conf.fake("a")), ("m", conf.fake("m").modern())]))
}

fn hello(version: &str) -> Value {
    json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "rig", "version": "1" } })
}

fn stdio(conf: &Arc<TempConf>, version: &str) -> StdioClient {
    let client = Gateway::on(conf).stdio();
    assert_eq!(client.request("initialize", hello(version)).result()["protocolVersion"], version);
    client.send(INITIALIZED);
    client.request("tools/list", json!({})).result();
    client
}

fn http(gateway: &HttpGateway, version: &str) -> HttpClient {
    let mut client = gateway.client();
    let reply = client.begin("initialize", hello(version)).head().expect(200);
    client.session = reply.header("mcp-session-id").map(str::to_owned);
    assert_eq!(reply.answer().result()["protocolVersion"], version);
    client.post(INITIALIZED, &[]).expect(202);
    client.request("tools/list", json!({})).result();
    client
}

fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": { "name": tool, "arguments": arguments } })
}

/// Id and error code (0 for a result) of each answer, in the order of the ids.
fn answers(message: &Message) -> Vec<(String, i64)> {
    let all = message.json.as_array().unwrap_or_else(|| panic!("no array: {}", message.short()));
    let code = |answer: &Value| answer["error"]["code"].as_i64().unwrap_or_default();
    let mut seen: Vec<(String, i64)> = all.iter().map(|a| (a["id"].to_string(), code(a))).collect();
    seen.sort();
    seen
}

fn mixed() -> String {
    json!([
        call(1, "a__slow_progress", json!({ "n": 2, "ms": 20 })),
        { "jsonrpc": "2.0", "method": "notifications/unknown" },
        call("two", "m__pid", json!({})),
        { "jsonrpc": "2.0", "id": 99, "result": {} },
        call(3, "unknown", json!({})),
        { "jsonrpc": "2.0", "id": 4, "method": "initialize", "params": hello("2025-03-26") },
        { "jsonrpc": "2.0", "id": 5, "method": "no/such" },
        7,
        [],
    ])
    .to_string()
}

fn expected() -> Vec<(String, i64)> {
    let all = [
        ("\"two\"", 0),
        ("1", 0),
        ("3", -32602),
        ("4", -32600),
        ("5", -32601),
        ("null", -32600),
        ("null", -32600),
    ];
    all.map(|(id, code)| (id.to_owned(), code)).to_vec()
}

#[test]
fn a_batch_is_answered_with_one_array() {
    let conf = folder();
    let client = stdio(&conf, "2025-03-26");
    client.send(&mixed());
    assert_eq!(answers(&client.wait("the array", |message| message.json.is_array())), expected());
    let gateway = Gateway::on(&conf).http();
    let client = http(&gateway, "2025-03-26");
    for headers in [&[][..], &[("mcp-protocol-version", "2025-03-26")]] {
        let reply = client.post(&mixed(), headers).expect(200);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(answers(&Message::new(reply.body())), expected());
    }
}

#[test]
fn progress_of_a_batch_comes_before_its_answers() {
    let conf = folder();
    let mut slow = call(1, "a__slow_progress", json!({ "n": 3, "ms": 5 }));
    slow["params"]["_meta"] = json!({ "progressToken": "t" });
    let batch = format!("[\n{slow},\n\n{}]", call(2, "a__pid", json!({})));
    let gateway = Gateway::on(&conf).http();
    let reply = http(&gateway, "2025-03-26").post(&batch, &[]).expect(200);
    assert!(reply.is_stream());
    let messages = reply.messages();
    let (last, steps) = messages.split_last().expect("messages");
    assert_eq!(answers(last), [("1".to_owned(), 0), ("2".to_owned(), 0)]);
    assert_eq!(steps.iter().map(|step| &step.json["params"]["progress"]).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn what_is_cancelled_is_left_out_and_the_rest_waits_for_nothing_else() {
    let conf = folder();
    let client = stdio(&conf, "2025-03-26");
    client.send(&json!([call(1, "a__hang", json!({})), call(2, "a__pid", json!({}))]).to_string());
    client.request("ping", json!({})).result();
    assert!(client.messages().iter().all(|message| !message.json.is_array()), "one is still missing");
    client.send(r#"[{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}]"#);
    assert_eq!(answers(&client.wait("the array", |message| message.json.is_array())), [("2".to_owned(), 0)]);
    client.send(&json!([call(6, "a__hang", json!({}))]).to_string());
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":6}}"#);
    client.fence();
    let arrays = client.messages().iter().filter(|message| message.json.is_array()).count();
    assert_eq!(arrays, 1, "an array with nothing in it is not sent");
}

#[test]
fn what_wants_no_answer_gets_none() {
    let conf = folder();
    let gateway = Gateway::on(&conf).http();
    let client = http(&gateway, "2025-03-26");
    let batch = format!(r#"[{INITIALIZED},{{"jsonrpc":"2.0","id":5,"result":{{}}}}]"#);
    assert_eq!(client.post(&batch, &[]).expect(202).body(), "");
}

#[test]
fn no_other_revision_has_batches() {
    let conf = folder();
    let gateway = Gateway::on(&conf).http();
    let batch = json!([call(1, "a__pid", json!({}))]).to_string();
    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let client = stdio(&conf, version);
        client.send(&batch);
        let refused = client.wait("an error", |message| message.json.get("error").is_some());
        assert_eq!((refused.error_code(), refused.id()), (-32600, &Value::Null), "{version}");
        assert!(refused.error_text().contains("2025-03-26"));
        client.call("a__pid", json!({})).result();
        let refused = http(&gateway, version).post(&batch, &[]).expect(400).body();
        assert_eq!(Message::new(refused).error_code(), -32600, "{version}");
    }
    let modern = gateway.modern().post(&batch, &[]).expect(400).body();
    assert_eq!(Message::new(modern).error_code(), -32600);
    gateway.client().post(&batch, &[]).expect(400);
    let client = Gateway::on(&conf).stdio();
    client.send(&batch);
    let refused = client.wait("an error", |message| message.json.get("error").is_some());
    assert_eq!(refused.error_code(), -32600, "before `initialize`");
}

#[test]
fn batches_have_bounds() {
    let conf = folder();
    let gateway = Gateway::on(&conf).http();
    let (over_stdio, over_http) = (stdio(&conf, "2025-03-26"), http(&gateway, "2025-03-26"));
    let many = format!("[{}]", vec![r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#; 101].join(","));
    let cases = [("[]", -32600), (&*many, -32600), ("[1", -32700), (r#"[{"jsonrpc":"2.0""#, -32700)];
    for (text, code) in cases {
        let before = over_stdio.messages().len();
        over_stdio.send(text);
        over_stdio.fence();
        let said = over_stdio.messages();
        assert_eq!((said[before].error_code(), said[before].id()), (code, &Value::Null), "{text:.20}");
        let reply = over_http.post(text, &[]).expect(400).body();
        assert_eq!(Message::new(reply).error_code(), code, "{text:.20}");
    }
}

#[test]
fn a_client_of_the_first_revision_works_over_stdio() {
    let conf = folder();
    let client = stdio(&conf, "2024-11-05");
    client.request("ping", json!({})).result();
    let params = json!({ "name": "a__slow_progress", "arguments": { "n": 2, "ms": 1 }, "_meta": { "progressToken": 1 } });
    client.request("tools/call", params).result();
    assert_eq!(client.notifications("notifications/progress").len(), 2);
    for tool in ["a__pid", "m__pid"] {
        client.call(tool, json!({})).result();
    }
    for list in ["prompts/list", "resources/list", "resources/templates/list"] {
        client.request(list, json!({})).result();
    }
    client.request("logging/setLevel", json!({ "level": "error" })).result();
}
