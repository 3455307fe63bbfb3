//! Calls of legacy clients to modern servers that answer with questions.
//!
//! That they work in every pair of transports is `matrix.rs`; here is what may go wrong with them.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::processes;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const FORM: &str = r#""method":"elicitation/create","params":{"mode":"form","message":"sure?","requestedSchema":{"type":"object","properties":{}}}"#;
const ROOTS: &str = r#""method":"roots/list","params":{}"#;

fn client(capabilities: Value, settings: Value) -> (Arc<TempConf>, StdioClient) {
    client_of("auto", capabilities, settings)
}

/// The same with a server that is shared in this way.
fn client_of(sharing: &str, capabilities: Value, settings: Value) -> (Arc<TempConf>, StdioClient) {
    let conf = TempConf::new();
    let fake = conf.fake("a").args(&["--era", "modern"]).set("sharing", sharing).json();
    conf.write(&json!({ "gateway": settings, "mcpServers": { "a": fake } }));
    let client = Gateway::on(&conf).stdio();
    let params = json!({
        "protocolVersion": "2025-11-25", "capabilities": capabilities,
        "clientInfo": { "name": "asked", "version": "1" }
    });
    client.request("initialize", params).result();
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    (conf, client)
}

fn begin(client: &StdioClient, steps: &[Value]) -> Value {
    client.begin_call("a__play", json!({ "steps": steps }))
}

fn ask(text: &str) -> Value {
    json!({ "ask": text })
}

/// The question of this method, answered with these members.
fn answer(client: &StdioClient, method: &str, members: &str) {
    let question = client.wait("a question", |message| message.method() == method);
    client.send(&format!(r#"{{"jsonrpc":"2.0","id":{},{members}}}"#, question.id()));
}

#[test]
fn several_questions_are_asked_at_once_and_answered_in_any_order() {
    let (_conf, client) = client(json!({ "elicitation": {}, "roots": {} }), json!({}));
    let call = begin(&client, &[ask(FORM), ask(ROOTS)]);
    answer(&client, "roots/list", r#""result":{"roots":[{"uri":"file:///x"}]}"#);
    answer(&client, "elicitation/create", r#""result":{"action":"decline"}"#);
    let text = client.answer(&call);
    assert!(text.raw.contains("file:///x") && text.raw.contains("decline"), "{}", text.raw);
}

#[test]
fn a_client_that_refuses_a_form_counts_as_one_that_closed_it() {
    let (_conf, client) = client(json!({ "elicitation": {} }), json!({}));
    let call = begin(&client, &[ask(FORM)]);
    answer(&client, "elicitation/create", r#""error":{"code":-32603,"message":"no window"}"#);
    assert!(client.answer(&call).raw.contains("cancel"));
}

#[test]
fn a_client_that_refuses_something_else_ends_the_call_and_the_other_questions() {
    let (_conf, client) = client(json!({ "elicitation": {}, "roots": {} }), json!({}));
    let call = begin(&client, &[ask(FORM), ask(ROOTS)]);
    answer(&client, "roots/list", r#""error":{"code":-32601,"message":"no"}"#);
    let error = client.answer(&call);
    assert!(
        error.error_text().contains("server `a`") && error.error_text().contains("roots"),
        "{}",
        error.raw
    );
    let form = client.wait("the form", |message| message.method() == "elicitation/create");
    let withdrawn = client.wait("its end", |message| message.method() == "notifications/cancelled");
    assert_eq!(withdrawn.json["params"]["requestId"], *form.id());
}

#[test]
fn what_the_client_did_not_declare_ends_the_call_with_a_reason() {
    let (_conf, client) = client(json!({ "elicitation": {} }), json!({}));
    let call = begin(&client, &[ask(ROOTS)]);
    let error = client.answer(&call);
    assert!(error.error_text().contains("`roots`"), "{}", error.raw);
}

#[test]
fn a_cancelled_call_is_not_sent_again() {
    let (conf, client) = client(json!({ "elicitation": {} }), json!({}));
    let call = begin(&client, &[ask(FORM)]);
    let form = client.wait("the form", |message| message.method() == "elicitation/create");
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": call } });
    client.send(&cancel.to_string());
    let withdrawn = client.wait("its end", |message| message.method() == "notifications/cancelled");
    assert_eq!(withdrawn.json["params"]["requestId"], *form.id());
    client.send(&format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"accept","content":{{}}}}}}"#,
        form.id()
    ));
    client.fence();
    assert_eq!(client.answers(&call), 0);
    assert_eq!(conf.ledger("call", "a").iter().filter(|line| line.contains("play")).count(), 1);
}

#[test]
fn a_user_who_never_answers_ends_the_call() {
    let (_conf, client) = client(json!({ "elicitation": {} }), json!({ "answerTimeout": "200ms" }));
    let call = begin(&client, &[ask(FORM)]);
    let error = client.answer(&call);
    assert!(error.error_text().contains("answer of the user"), "{}", error.raw);
}

#[test]
fn the_client_is_declared_to_the_server_as_far_as_it_can_be_relayed() {
    let (_conf, client) = client(json!({ "elicitation": {}, "experimental": { "x": {} } }), json!({}));
    let seen = client.call("a__params", json!({}));
    assert!(
        seen.text().contains(r#""io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}"#),
        "{}",
        seen.raw
    );
}

#[test]
fn a_server_that_asks_for_ever_is_given_up() {
    let (_conf, client) = client(json!({ "elicitation": {} }), json!({}));
    let asks = r#""result":{"resultType":"input_required","requestState":"again"}"#;
    let call = begin(&client, &[json!({ "answer": asks })]);
    let error = client.answer(&call);
    assert!(error.error_text().contains("10 times"), "{}", error.raw);
    eventually("nothing is in flight", || client.answers(&call) == 1);
}

#[test]
fn a_session_that_ends_while_it_is_asked_takes_its_call_with_it() {
    let conf = TempConf::new();
    let fake = conf.fake("a").args(&["--era", "modern"]).json();
    conf.write(&json!({ "mcpServers": { "a": fake } }));
    let gateway = Gateway::on(&conf).http();
    let mut client = gateway.client();
    let params = json!({
        "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} },
        "clientInfo": { "name": "asked", "version": "1" }
    });
    let hello = client.begin("initialize", params).head().expect(200);
    client.session = hello.header("mcp-session-id").map(str::to_owned);
    let call = json!({ "name": "a__play", "arguments": { "steps": [{ "ask": FORM }] } });
    let mut stream = client.begin("tools/call", call).head().expect(200);
    stream.wait("the form on the stream of its call", |message| message.method() == "elicitation/create");
    client.send("DELETE", &[]).expect(204);
    let other = gateway.legacy();
    other.call("a__pid", json!({})).result();
    assert_eq!(conf.ledger("call", "a").iter().filter(|line| line.contains("play")).count(), 1);
}

#[test]
fn folders_that_a_cancelled_call_wanted_are_not_wanted_any_more() {
    let (conf, client) = client(json!({ "roots": {} }), json!({}));
    let call = begin(&client, &[ask(ROOTS)]);
    let roots = client.wait("the question", |message| message.method() == "roots/list");
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": call } });
    client.send(&cancel.to_string());
    let withdrawn = client.wait("its end", |message| message.method() == "notifications/cancelled");
    assert_eq!(withdrawn.json["params"]["requestId"], *roots.id());
    client.fence();
    assert_eq!(client.answers(&call), 0);
    assert_eq!(conf.ledger("call", "a").iter().filter(|line| line.contains("play")).count(), 1);
}

#[test]
fn the_process_that_one_call_has_waits_for_the_user_and_may_die_meanwhile() {
    for dies in [false, true] {
        let (conf, client) = client_of("per-call", json!({ "elicitation": {} }), json!({}));
        let other: u32 = client.call("a__pid", json!({})).text().parse().expect("a number");
        let call = begin(&client, &[ask(FORM)]);
        let question = client.wait("the form", |message| message.method() == "elicitation/create");
        // It began to be idle before the other one did, and both have no time for that.
        let another: u32 = client.call("a__pid", json!({})).text().parse().expect("a number");
        eventually("the other processes end", || {
            let left = conf.processes();
            [other, another].iter().all(|pid| !left.contains(pid))
        });
        let runs = || conf.ledger("call", "a").into_iter().filter(|line| line.ends_with("play"));
        let pid: u32 = runs().next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a pid");
        if dies {
            processes::signal(pid, Signal::KILL);
            // Before the gateway knows, the call may be written to a process that is gone.
            eventually("the gateway knows", || client.stderr().contains("server connection closed"));
        }
        client.send(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"accept"}}}}"#, question.id()));
        let answer = client.answer(&call);
        assert!(answer.raw.contains("accept"), "{}", answer.raw);
        let second = runs().nth(1).expect("it is asked twice");
        assert_eq!(second.contains(&format!(" {pid} ")), !dies, "{second}");
        eventually("only the shared process is left", || conf.processes().len() == 1);
    }
}
