//! What goes on after the request: answers of users, updates, log lines. Each step asks the rules of its own time.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const FORM: &str = r#""method":"elicitation/create","params":{"mode":"form","message":"sure?","requestedSchema":{"type":"object","properties":{}}}"#;
const UPDATED: &str = "notifications/resources/updated";
const ITEM: &str = "fake-a://item/0";

/// Servers `a` of this era and `b`, and rules for the client on pipes.
fn write(conf: &TempConf, era: &str, rules: &Value) {
    let fake = conf.fake("a").args(&["--era", era]).set("sharing", "shared").json();
    let other = conf.fake("b").tools(&["echo"]).json();
    let policies = json!({ "few": { "default": "execute", "rules": rules } });
    let access = json!({ "policies": policies, "attach": { "callers": { "local": "few" } } });
    conf.write(&json!({ "gateway": { "access": access }, "mcpServers": { "a": fake, "b": other } }));
}

fn conf(era: &str) -> Arc<TempConf> {
    let conf = TempConf::new();
    write(&conf, era, &json!([]));
    conf
}

/// From now on these rules hold; they change what is listed.
fn narrow(
    conf: &TempConf,
    era: &str,
    rules: &Value,
    client: &StdioClient,
    list: impl Fn(&StdioClient) -> Message,
) {
    let before = list(client).tools().len();
    write(conf, era, rules);
    eventually("the rules hold", || list(client).tools().len() < before);
}

fn modern_meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } }
    })
}

#[test]
fn a_parked_call_that_comes_back_is_asked_again() {
    let conf = conf("legacy");
    let client = Gateway::on(&conf).stdio();
    let list = |client: &StdioClient| client.request("tools/list", json!({ "_meta": modern_meta() }));
    let call =
        json!({ "name": "a__play", "arguments": { "steps": [{ "ask": FORM }] }, "_meta": modern_meta() });
    let asked = client.request("tools/call", call.clone());
    assert_eq!(asked.result()["resultType"], "input_required", "{}", asked.short());
    narrow(&conf, "legacy", &json!([{ "server": "a", "tool": "play", "level": "deny" }]), &client, list);
    let mut back = call.clone();
    let keys = asked.result()["inputRequests"].as_object().expect("questions").keys();
    let answers = keys.map(|key| (key.clone(), json!({ "action": "accept", "content": {} })));
    back["inputResponses"] = Value::Object(answers.collect());
    back["requestState"] = asked.result()["requestState"].clone();
    let refused = client.request("tools/call", back);
    assert!(refused.error_text().starts_with("unknown tool `a__play`"), "{}", refused.short());
}

#[test]
fn a_call_that_goes_on_after_a_question_is_asked_again() {
    let conf = conf("modern");
    let client = Gateway::on(&conf).stdio();
    let params = json!({
        "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} },
        "clientInfo": { "name": "asked", "version": "1" }
    });
    client.request("initialize", params).result();
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let list = |client: &StdioClient| client.request("tools/list", json!({}));
    list(&client).result();
    let call = client.begin_call("a__play", json!({ "steps": [{ "ask": FORM }] }));
    let question = client.wait("a question", |message| message.method() == "elicitation/create");
    narrow(&conf, "modern", &json!([{ "server": "a", "tool": "play", "level": "deny" }]), &client, list);
    let answer = r#""result":{"action":"accept","content":{}}"#;
    client.send(&format!(r#"{{"jsonrpc":"2.0","id":{},{answer}}}"#, question.id()));
    let refused = client.answer(&call);
    assert_eq!(
        refused.error_text(),
        "this `tools/call` is no longer permitted: the rules changed while it waited"
    );
}

fn announce(client: &StdioClient) {
    let step = json!({ "announce": format!(r#""uri":"{ITEM}""#), "method": UPDATED });
    client.call("a__play", json!({ "steps": [step] })).result();
    client.fence();
}

#[test]
fn updates_of_what_may_not_be_read_are_not_told() {
    let conf = conf("legacy");
    let client = conf.legacy();
    let list = |client: &StdioClient| client.request("tools/list", json!({}));
    list(&client).result();
    client.request("resources/subscribe", json!({ "uri": ITEM })).result();
    announce(&client);
    eventually("it is told", || client.notifications(UPDATED).len() == 1);
    let rules = json!([
        { "server": "a", "resource": "fake-a://item/*", "level": "read" },
        { "server": "a", "tool": "echo", "level": "deny" }
    ]);
    narrow(&conf, "legacy", &rules, &client, list);
    announce(&client);
    assert_eq!(client.notifications(UPDATED).len(), 1, "it may be listed, but not read");
    let refused = client.request("resources/subscribe", json!({ "uri": ITEM }));
    assert!(refused.error_text().contains("may be listed but not used"), "{}", refused.short());
}
