//! Who shares a process or connection: everybody, a session, or nobody.
//!
//! What a question says and who may answer it is in `ask.rs` and `held.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::http_client::Reply;
use crate::support::message::Message;
use crate::support::processes;
use crate::support::tempconf::Fake;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

/// A folder with one server `a`.
fn one(build: impl FnOnce(Fake) -> Fake) -> Arc<TempConf> {
    TempConf::with(|conf| servers([("a", build(conf.fake("a")))]))
}

fn per_session() -> Arc<TempConf> {
    one(|fake| fake.set("sharing", "per-session"))
}

/// A legacy client with these capabilities.
fn session(gateway: &HttpGateway, capabilities: Value) -> HttpClient {
    let mut client = gateway.client();
    let info = json!({ "name": "rig", "version": "1" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": info });
    let reply = client.begin("initialize", params).head().expect(200);
    client.session = reply.header("mcp-session-id").map(str::to_owned);
    reply.answer().result();
    client.version = Some("2025-11-25".into());
    tell(&client, "notifications/initialized");
    client
}

fn tell(client: &HttpClient, method: &str) {
    client.post(&json!({ "jsonrpc": "2.0", "method": method }).to_string(), &[]).expect(202);
}

fn pid(client: &HttpClient) -> u32 {
    let answer = client.call("a__pid", json!({}));
    answer.text().parse().unwrap_or_else(|_| panic!("no pid: {}", answer.raw))
}

/// What the server was told in `initialize`, by the connection that this client uses.
fn declared(client: &HttpClient) -> Value {
    let seen = client.call("a__seen", json!({})).texts();
    let hello = seen.iter().find(|line| line.contains(r#""initialize""#)).expect("it was greeted");
    serde_json::from_str::<Value>(hello).expect("a line is JSON")["params"]["capabilities"].clone()
}

/// The stream for what belongs to no request.
fn stream(client: &HttpClient) -> Reply {
    client.send("GET", &[("accept", "text/event-stream")]).expect(200)
}

/// Answers a question that the client got.
fn respond(client: &HttpClient, question: &Message, result: Value) {
    let answer = json!({ "jsonrpc": "2.0", "id": question.id(), "result": result });
    client.post(&answer.to_string(), &[]).expect(202);
}

/// Has the server ask for something on the way of a call; true when the client got the question.
fn asked(client: &HttpClient, method: &str) -> bool {
    let question = format!(r#""method":"{method}","params":{{"message":"m","requestedSchema":{{}}}}"#);
    let arguments = json!({ "steps": [{ "ask": question }] });
    let sent = client.begin("tools/call", json!({ "name": "a__play", "arguments": arguments }));
    let mut reply = sent.head();
    while let Some(message) = reply.next() {
        if message.method() == method {
            respond(client, &message, json!({ "action": "decline", "roots": [] }));
            reply.wait("the answer", |message| message.json.get("result").is_some());
            return true;
        }
    }
    false
}

fn elicits() -> Value {
    json!({ "elicitation": {} })
}

fn status(conf: &Arc<TempConf>, gateway: &HttpGateway) -> Value {
    let url = gateway.addr().to_string();
    let output = Gateway::on(conf).run(&["status", "--json", &url]);
    let value: Value = serde_json::from_slice(&output.stdout).expect("status is JSON");
    value["servers"]["a"].clone()
}

#[test]
fn each_session_has_a_process_that_is_told_what_its_client_can_do() {
    let conf = per_session();
    let gateway = Gateway::on(&conf).http();
    let (one, other) = (
        session(&gateway, elicits()),
        session(&gateway, json!({ "sampling": { "tools": {}, "context": {} }, "x": {} })),
    );
    let (first, second) = (pid(&one), pid(&other));
    assert_ne!(first, second);
    assert_eq!((pid(&one), pid(&other)), (first, second));
    assert_eq!(declared(&one), elicits());
    assert_eq!(declared(&other), json!({ "sampling": { "tools": {} } }));
    assert_eq!(status(&conf, &gateway)["privateConnections"], 2);

    one.send("DELETE", &[]).expect(204);
    eventually("the process ends with its session", || !processes::is_alive(first));
    assert_eq!(pid(&other), second, "the other one is not disturbed");
}

#[test]
fn a_process_that_dies_disturbs_no_other_session() {
    let gateway = Gateway::on(&per_session()).http();
    let (one, other) = (session(&gateway, json!({})), session(&gateway, json!({})));
    let (first, second) = (pid(&one), pid(&other));
    let waiting = other.begin("tools/call", json!({ "name": "a__sleep", "arguments": { "ms": 300 } }));
    assert!(one.call("a__die", json!({})).error_text().contains("the disk is full"));
    assert_eq!(waiting.head().answer().text(), "slept");
    assert_eq!(pid(&other), second);
    assert_ne!(pid(&one), first, "it is started again");
}

#[test]
fn each_call_has_a_process_and_none_is_left() {
    let conf = one(|fake| fake.set("sharing", "per-call"));
    let gateway = Gateway::on(&conf).http();
    let client = session(&gateway, json!({}));
    client.request("tools/list", json!({})).result();
    let (first, second) = (pid(&client), pid(&client));
    assert_ne!(first, second);
    let modern = gateway.modern();
    let third: u32 = modern.call("a__pid", json!({})).text().parse().expect("a pid");
    eventually("they end with their calls", || {
        [first, second, third].iter().all(|pid| !processes::is_alive(*pid))
    });
    let slow = client.begin("tools/call", json!({ "name": "a__sleep", "arguments": { "ms": 700 } }));
    assert_eq!(slow.head().answer().text(), "slept", "it lives as long as its call");
    assert!(client.call("a__die", json!({})).error_text().contains("the disk is full"));
    eventually("nothing is open", || status(&conf, &gateway).get("privateConnections").is_none());
}

#[test]
fn a_server_that_asks_is_shared_no_more_and_that_is_remembered() {
    let conf = one(|fake| fake);
    let gateway = Gateway::on(&conf).http();
    let (one, other) = (session(&gateway, elicits()), session(&gateway, json!({})));
    assert_eq!(pid(&one), pid(&other));
    assert!(asked(&one, "elicitation/create"));
    assert_ne!(pid(&one), pid(&other));
    assert_eq!(declared(&one), elicits());
    assert_eq!(status(&conf, &gateway)["asks"], true);
    processes::signal(gateway.pid(), Signal::TERM);
    gateway.exit();
    eventually("nothing is left", || conf.processes().is_empty());

    let gateway = Gateway::on(&conf).http();
    let (one, other) = (session(&gateway, elicits()), session(&gateway, json!({})));
    assert_ne!(pid(&one), pid(&other), "it was forgotten");
    assert!(asked(&one, "elicitation/create"));
    assert!(!asked(&other, "elicitation/create"), "it cannot answer");
}

#[test]
fn a_server_of_the_modern_era_stays_shared() {
    let conf = one(Fake::modern);
    let gateway = Gateway::on(&conf).http();
    let (one, other) = (session(&gateway, elicits()), session(&gateway, json!({})));
    assert!(asked(&one, "elicitation/create"));
    assert_eq!(pid(&one), pid(&other));
}

#[test]
fn folders_are_asked_of_the_client_that_owns_the_process() {
    let conf = one(|fake| fake.args(&["--ask-roots"]));
    let gateway = Gateway::on(&conf).http();
    gateway.legacy().request("tools/list", json!({})).result();
    eventually("it was seen asking", || status(&conf, &gateway)["asks"] == true);

    let roots = json!({ "roots": { "listChanged": true } });
    let (one, other) = (session(&gateway, roots.clone()), session(&gateway, json!({})));
    let (mut ours, _theirs) = (stream(&one), stream(&other));
    assert_eq!(declared(&one), roots);
    assert_eq!(declared(&other), json!({}));
    let question = ours.wait("the first question", |message| message.method() == "roots/list");
    respond(&one, &question, json!({ "roots": [{ "uri": "file:///ours" }] }));
    let knows = |client: &HttpClient, uri: &str| {
        client.call("a__seen", json!({})).texts().iter().any(|line| line.contains(uri))
    };
    eventually("the server knows", || knows(&one, "file:///ours"));
    assert!(!knows(&other, "file:///ours"));

    tell(&one, "notifications/roots/list_changed");
    tell(&other, "notifications/roots/list_changed");
    let question = ours.wait("the next question", |message| message.method() == "roots/list");
    respond(&one, &question, json!({ "roots": [{ "uri": "file:///next" }] }));
    eventually("the server knows the change", || knows(&one, "file:///next"));
    assert_eq!(
        conf.ledger("roots_changed", "a").len(),
        1,
        "only the one that was told of folders hears of changes"
    );
}

#[test]
fn without_a_stream_folders_are_asked_on_the_way_of_a_call() {
    let conf = one(|fake| fake.args(&["--ask-roots"]).set("sharing", "per-session"));
    let gateway = Gateway::on(&conf).http();
    let client = session(&gateway, json!({ "roots": {} }));
    let sent = client.begin("tools/call", json!({ "name": "a__sleep", "arguments": { "ms": 200 } }));
    let mut reply = sent.head().expect(200);
    let question = reply.wait("the question", |message| message.method() == "roots/list");
    reply.wait("the answer", |message| message.json.get("result").is_some());
    respond(&client, &question, json!({ "roots": [{ "uri": "file:///late" }] }));
    eventually("an answer after the call counts", || {
        client.call("a__seen", json!({})).texts().iter().any(|line| line.contains("file:///late"))
    });
}

#[test]
fn a_request_that_belongs_to_nobody_is_refused() {
    let gateway = Gateway::on(&per_session()).http();
    let answer = gateway.modern().call("a__pid", json!({}));
    assert!(answer.error_text().contains("`sharing` is `per-session`"), "{}", answer.raw);
}

#[test]
fn a_modern_caller_is_known_by_its_token_and_its_capabilities() {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a").set("sharing", "per-session"))]);
        config["gateway"] =
            json!({ "http": { "bearerTokens": ["an-invented-token-1", "an-invented-token-2"] } });
        config
    });
    let gateway = Gateway::on(&conf).http();
    let pid = |token: &str, capabilities: Value| {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": capabilities
        });
        let params = json!({ "name": "a__pid", "arguments": {}, "_meta": meta });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let token = format!("Bearer {token}");
        let headers = [
            ("authorization", token.as_str()),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "a__pid"),
        ];
        gateway.client().post(&body.to_string(), &headers).expect(200).answer().text().to_owned()
    };
    let first = pid("an-invented-token-1", json!({}));
    assert_eq!(pid("an-invented-token-1", json!({ "extensions": {} })), first);
    assert_ne!(pid("an-invented-token-1", elicits()), first);
    assert_ne!(pid("an-invented-token-2", json!({})), first);
}

#[test]
fn there_is_a_limit_to_connections_of_single_sessions() {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a").set("sharing", "per-session"))]);
        config["gateway"] = json!({ "limits": { "privateConnections": 1 } });
        config
    });
    let gateway = Gateway::on(&conf).http();
    let (one, other) = (session(&gateway, json!({})), session(&gateway, json!({})));
    pid(&one);
    let refused = other.call("a__pid", json!({}));
    assert!(refused.error_text().contains("gateway.limits.privateConnections"), "{}", refused.raw);
    one.send("DELETE", &[]).expect(204);
    pid(&other);
}

#[test]
fn an_idle_process_of_a_session_ends_and_comes_again() {
    let conf = one(|fake| fake.set("sharing", "per-session").set("idleTimeout", "300ms"));
    let gateway = Gateway::on(&conf).http();
    let client = session(&gateway, json!({}));
    let first = pid(&client);
    eventually("it ends", || !processes::is_alive(first));
    eventually("nothing is kept of it", || status(&conf, &gateway).get("privateConnections").is_none());
    assert_ne!(pid(&client), first);
}

#[test]
fn a_reload_and_the_end_leave_no_process() {
    let conf = per_session();
    let gateway = Gateway::on(&conf).http();
    let (one, other) = (session(&gateway, json!({})), session(&gateway, json!({})));
    one.request("tools/list", json!({})).result();
    let shared = conf.processes();
    let (first, second) = (pid(&one), pid(&other));
    conf.write(&servers([("a", conf.fake("a"))]));
    eventually("the entry is shared now", || pid(&one) == pid(&other));
    assert!(shared.contains(&pid(&one)), "a change of `sharing` keeps the process");
    assert!(processes::is_alive(first) && processes::is_alive(second));

    conf.write(&servers([("b", conf.fake("b"))]));
    eventually("all of the old entry are gone", || {
        let left = conf.processes();
        ![first, second].iter().chain(&shared).any(|pid| left.contains(pid))
    });
    conf.write(&servers([("a", conf.fake("a").set("sharing", "per-session"))]));
    eventually("the entry is back", || one.call("a__pid", json!({})).json.get("result").is_some());
    processes::signal(gateway.pid(), Signal::TERM);
    assert_eq!(gateway.exit().code(), Some(0), "{}", gateway.stderr());
    eventually("nothing is left", || conf.processes().is_empty());
}

#[test]
fn a_call_on_a_process_of_its_own_is_cancelled_there() {
    let conf = per_session();
    let gateway = Gateway::on(&conf).http();
    let client = session(&gateway, json!({}));
    pid(&client);
    let body = json!({ "jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": { "name": "a__hang", "arguments": {} } });
    let _waiting = client.start("POST", &[], &body.to_string());
    eventually("the call runs", || conf.ledger("call", "a").len() == 2);
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "c" } });
    client.post(&cancel.to_string(), &[]).expect(202);
    eventually("the server was told", || conf.ledger("cancelled", "a").len() == 1);
}

#[test]
fn over_http_each_session_has_a_session_of_the_server() {
    let conf = TempConf::new();
    let far = conf.http_fake("a", &[]);
    conf.write(&servers([("a", far.entry().set("sharing", "per-session"))]));
    let gateway = Gateway::on(&conf).http();
    let (one, other) = (session(&gateway, elicits()), session(&gateway, json!({})));
    let id = |client: &HttpClient| {
        let headers = client.call("a__headers", json!({})).texts();
        headers.into_iter().find(|line| line.to_lowercase().starts_with("mcp-session-id")).expect("a session")
    };
    assert_ne!(id(&one), id(&other));
    assert_eq!(id(&one), id(&one));
    assert!(asked(&one, "elicitation/create"));
    assert!(!asked(&other, "elicitation/create"));
}

#[test]
fn a_task_is_asked_for_where_it_was_begun() {
    for sharing in ["per-session", "per-call"] {
        let conf = one(|fake| fake.args(&["--tasks"]).set("sharing", sharing));
        let gateway = Gateway::on(&conf).http();
        let (one, other) = (session(&gateway, json!({})), session(&gateway, json!({})));
        let begin = |client: &HttpClient| {
            client.request("tools/list", json!({})).result();
            let params = json!({ "name": "a__job", "arguments": {}, "task": { "ttl": 60000 } });
            let begun = client.request("tools/call", params);
            begun.result()["task"]["taskId"].as_str().expect("an id").to_owned()
        };
        let (first, second) = (begin(&one), begin(&other));
        assert_ne!(first, second, "each process calls its first task the same");
        for (client, id) in [(&one, &first), (&other, &second)] {
            let seen = client.request("tasks/get", json!({ "taskId": id }));
            assert_eq!(seen.result()["taskId"], **id, "{sharing}: {}", seen.raw);
        }
    }
}
