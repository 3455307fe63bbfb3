//! `subscriptions/listen`: how modern clients hear of changed lists, and how modern servers are heard.

use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const CHANGED: &str = "notifications/tools/list_changed";

fn conf(entry: impl Fn(&TempConf) -> crate::support::tempconf::Fake) -> Arc<TempConf> {
    TempConf::with(|conf| servers([("a", entry(conf))]))
}

/// Opens a subscription to changed tools and waits for the acknowledgement.
fn listen(client: &StdioClient) -> Value {
    let wanted = json!({ "notifications": { "toolsListChanged": true, "someDaySomethingElse": true } });
    let id = client.begin("subscriptions/listen", wanted);
    let ack = client.wait("the acknowledgement", |message| {
        message.method() == "notifications/subscriptions/acknowledged" && is_tagged(message, &id)
    });
    let ack: Value = serde_json::from_str(&ack.raw).expect("a message is JSON");
    assert_eq!(ack["params"]["notifications"], json!({ "toolsListChanged": true }), "the honoured subset");
    id
}

fn is_tagged(message: &Message, id: &Value) -> bool {
    let value: Value = serde_json::from_str(&message.raw).unwrap_or_default();
    value["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == *id
}

#[test]
fn a_change_of_a_server_of_either_era_reaches_a_modern_client_that_listens() {
    for era in ["legacy", "modern"] {
        let conf = conf(|conf| conf.fake("a").args(&["--era", era]));
        let client = conf.modern();
        client.call("a__pid", json!({})).result();
        let id = listen(&client);
        client.call("a__mutate_tools", json!({ "add": "fresh" })).result();
        client.wait("the change", |message| message.method() == CHANGED && is_tagged(message, &id));
        assert!(client.request("tools/list", json!({})).tools().contains(&"a__fresh".to_owned()), "{era}");
        assert_eq!(client.answers(&id), 0, "the subscription stays open");
    }
}

#[test]
fn a_modern_server_over_http_is_heard_too() {
    let conf = TempConf::new();
    let web = conf.http_fake("web", &["--era", "modern"]);
    conf.write(&servers([("web", web.entry())]));
    let client = conf.legacy();
    client.call("web__mutate_tools", json!({ "add": "fresh" })).result();
    client.wait("the change", |message| message.method() == CHANGED);
    assert!(client.request("tools/list", json!({})).tools().contains(&"web__fresh".to_owned()));
}

#[test]
fn without_a_subscription_a_modern_client_is_told_nothing() {
    let conf = conf(|conf| conf.fake("a"));
    let client = conf.modern();
    let other = listen(&client);
    client.send(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{other}}}}}"#
    ));
    client.call("a__mutate_tools", json!({ "add": "fresh" })).result();
    let listed = || client.request("tools/list", json!({})).tools().contains(&"a__fresh".to_owned());
    crate::support::eventually::eventually("the new tool is listed", listed);
    let second = listen(&client);
    client.call("a__mutate_tools", json!({ "add": "fresher" })).result();
    client.wait("the second change", |message| message.method() == CHANGED && is_tagged(message, &second));
    assert_eq!(client.notifications(CHANGED).len(), 1, "only what was listened to");
    assert_eq!(client.answers(&other), 0, "a cancelled request has no answer");
}

#[test]
fn the_end_of_the_gateway_ends_a_subscription_with_its_result() {
    let conf = conf(|conf| conf.fake("a"));
    let client = conf.modern();
    let id = listen(&client);
    client.close();
    let answer = client.answer(&id);
    let result = answer.result();
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["_meta"]["io.modelcontextprotocol/subscriptionId"], id);
    assert!(client.exit().success());
}

#[test]
fn an_open_subscription_keeps_no_server_from_stopping() {
    let conf = conf(|conf| conf.fake("a").args(&["--era", "modern"]).set("idleTimeout", "300ms"));
    let client = conf.modern();
    listen(&client);
    client.call("a__pid", json!({})).result();
    crate::support::eventually::eventually("the idle server is stopped", || conf.processes().is_empty());
    client.call("a__pid", json!({})).result();
}

#[test]
fn over_http_a_subscription_is_a_stream_that_ends_with_the_gateway() {
    let conf = conf(|conf| conf.fake("a"));
    let gateway = Gateway::on(&conf).http();
    let client = gateway.modern();
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    let mut stream = client.begin("subscriptions/listen", wanted).head();
    stream.wait("the acknowledgement", |message| {
        message.method() == "notifications/subscriptions/acknowledged"
    });
    client
        .request("tools/call", json!({ "name": "a__mutate_tools", "arguments": { "add": "fresh" } }))
        .result();
    stream.wait("the change", |message| message.method() == CHANGED);
}

#[test]
fn what_changes_before_the_acknowledgement_is_told_after_it() {
    let conf = TempConf::with(|conf| {
        servers([("a", conf.fake("a").args(&["--slow-start", "1500"])), ("b", conf.fake("b"))])
    });
    // From here on the lists are known, and `a` is not running.
    conf.modern().request("resources/list", json!({})).result();
    let client = conf.modern();
    let wanted = json!({ "toolsListChanged": true, "resourceSubscriptions": ["fake-a://item/0"] });
    let id = client.begin("subscriptions/listen", json!({ "notifications": wanted }));
    client.call("b__mutate_tools", json!({ "add": "fresh" })).result();
    client.wait("the change", |message| message.method() == CHANGED && is_tagged(message, &id));
    let ours: Vec<Message> = client.messages().into_iter().filter(|one| is_tagged(one, &id)).collect();
    assert_eq!(ours[0].method(), "notifications/subscriptions/acknowledged");
}
