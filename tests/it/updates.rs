//! Subscriptions to resources: who is told of what, and what becomes of them when somebody leaves or dies.
//!
//! That they work in every pair of eras and transports is `matrix.rs`; open streams for lists are `subscribe.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::http_client::HttpClient;
use crate::support::message::Message;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const UPDATED: &str = "notifications/resources/updated";
const ITEM: &str = "fake-a://item/0";

fn conf(era: &str, settings: &Value) -> Arc<TempConf> {
    let conf = TempConf::new();
    let fake = |name: &str| conf.fake(name).args(&["--era", era]).set("idleTimeout", "300ms").json();
    conf.write(&json!({ "gateway": settings, "mcpServers": { "a": fake("a"), "b": fake("b") } }));
    conf
}

fn legacy(conf: &Arc<TempConf>) -> StdioClient {
    let client = conf.legacy();
    client.request("tools/list", json!({})).result();
    client
}

/// What the server was told, by method, of subscriptions to the item.
fn told(seen: &Message, method: &str) -> usize {
    seen.texts().iter().filter(|line| line.contains(method) && line.contains(ITEM)).count()
}

fn announce(uri: &str) -> Value {
    let step = json!({ "announce": format!(r#""uri":"{uri}""#), "method": UPDATED });
    json!({ "steps": [step] })
}

fn updates(client: &StdioClient) -> Vec<String> {
    let all = client.notifications(UPDATED);
    all.iter().map(|one| one.json["params"]["uri"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_server_is_told_of_the_first_and_the_last_subscriber_only() {
    let gateway = Gateway::on(&conf("legacy", &json!({}))).http();
    let (one, two): (HttpClient, HttpClient) = (gateway.legacy(), gateway.legacy());
    let seen = |method: &str| told(&one.call("a__seen", json!({})), method);
    for client in [&one, &two, &two] {
        client.request("resources/subscribe", json!({ "uri": ITEM })).result();
    }
    assert_eq!(seen("resources/subscribe"), 1);
    one.request("resources/unsubscribe", json!({ "uri": ITEM })).result();
    assert_eq!(seen("resources/unsubscribe"), 0);
    two.send("DELETE", &[]).expect(204);
    eventually("the server is told", || seen("resources/unsubscribe") == 1);
}

#[test]
fn who_did_not_subscribe_is_not_told_and_a_part_of_a_resource_counts() {
    let conf = conf("legacy", &json!({}));
    let client = legacy(&conf);
    client.call("a__play", announce(ITEM)).result();
    client.request("resources/subscribe", json!({ "uri": ITEM })).result();
    for uri in ["fake-a://item/01", "fake-a://item/0/part", ITEM] {
        client.call("a__play", announce(uri)).result();
    }
    eventually("both are there", || updates(&client).len() >= 2);
    client.request("resources/unsubscribe", json!({ "uri": ITEM })).result();
    client.call("a__play", announce(ITEM)).result();
    client.fence();
    assert_eq!(updates(&client), ["fake-a://item/0/part", ITEM]);
}

#[test]
fn a_server_that_dies_is_started_again_and_subscribed_to_anew() {
    for era in ["legacy", "modern"] {
        let conf = conf(era, &json!({}));
        let client = legacy(&conf);
        client.request("resources/subscribe", json!({ "uri": ITEM })).result();
        let before = conf.spawns("a");
        client.call("a__die", json!({}));
        eventually("it runs again by itself", || conf.spawns("a") > before);
        eventually("the update comes", || {
            client.call("a__play", announce(ITEM)).result();
            updates(&client).contains(&ITEM.to_owned())
        });
    }
}

#[test]
fn a_server_with_a_subscriber_is_not_idle_and_one_without_is() {
    let conf = conf("legacy", &json!({}));
    let client = legacy(&conf);
    client.request("resources/subscribe", json!({ "uri": ITEM })).result();
    let pid: u32 = client.call("a__pid", json!({})).text().parse().expect("a number");
    // As idle as the one after it, which is stopped.
    let other: u32 = client.call("b__pid", json!({})).text().parse().expect("a number");
    eventually("the other is stopped", || !conf.processes().contains(&other));
    assert!(conf.processes().contains(&pid));
    client.request("resources/unsubscribe", json!({ "uri": ITEM })).result();
    eventually("it is stopped", || !conf.processes().contains(&pid));
}

#[test]
fn a_subscription_starts_its_server_and_follows_a_reload() {
    let conf = conf("legacy", &json!({}));
    drop(legacy(&conf));
    let client = conf.legacy();
    let before = conf.spawns("a");
    client.request("resources/subscribe", json!({ "uri": ITEM })).result();
    assert_eq!(conf.spawns("a"), before + 1, "the saved lists name the server, which is started for this");
    let changed =
        conf.fake("a").args(&["--era", "legacy", "--name", "a"]).set("env", json!({ "NEW": "1" })).json();
    conf.write(&json!({ "mcpServers": { "a": changed } }));
    eventually("the new one runs", || conf.spawns("a") == before + 2);
    eventually("the update comes", || {
        client.call("a__play", announce(ITEM));
        updates(&client).contains(&ITEM.to_owned())
    });
}

#[test]
fn unknown_resources_refusals_and_too_many_are_errors() {
    let conf = conf("legacy", &json!({ "limits": { "subscriptionsPerClient": 1 } }));
    let client = legacy(&conf);
    assert_eq!(client.request("resources/subscribe", json!({})).error_code(), -32602);
    client.request("resources/subscribe", json!({ "uri": ITEM })).result();
    let second = client.request("resources/subscribe", json!({ "uri": "fake-a://item/1" }));
    assert!(second.error_text().contains("subscriptionsPerClient"), "{}", second.raw);
    client.request("resources/unsubscribe", json!({ "uri": "fake-a://item/1" })).result();
}

#[test]
fn a_client_with_a_process_of_its_own_hears_of_that_one() {
    let conf = TempConf::new();
    let fake = conf.fake("a").args(&["--era", "legacy"]).set("sharing", "per-session").json();
    conf.write(&json!({ "mcpServers": { "a": fake } }));
    let gateway = Gateway::on(&conf).http();
    let (one, two) = (gateway.legacy(), gateway.legacy());
    one.request("tools/list", json!({})).result();
    let mut streams =
        [&one, &two].map(|client| client.start("GET", &[("Accept", "text/event-stream")], "").head());
    for client in [&one, &two] {
        client.request("resources/subscribe", json!({ "uri": ITEM })).result();
    }
    let pid = |client: &HttpClient| client.call("a__pid", json!({})).text().to_owned();
    assert_ne!(pid(&one), pid(&two));
    let uri = format!("{ITEM}/of-one");
    one.call("a__play", announce(&uri)).result();
    two.call("a__play", announce(ITEM)).result();
    for (stream, expected) in streams.iter_mut().zip([uri.as_str(), ITEM]) {
        let told = stream.wait("the update", |message| message.method() == UPDATED);
        assert_eq!(told.json["params"]["uri"], expected, "each hears of its own process only");
    }
    one.request("resources/unsubscribe", json!({ "uri": ITEM })).result();
    let unsubscribed = || told(&one.call("a__seen", json!({})), "resources/unsubscribe");
    eventually("its process is told", || unsubscribed() == 1);
}

#[test]
fn a_modern_server_that_tells_of_nothing_refuses_at_once() {
    let conf = TempConf::new();
    let script = conf.dir().join("script");
    let error = r#""error":{"code":-32601,"message":"no streams here"}"#;
    std::fs::write(&script, json!({ "subscriptions/listen": error }).to_string()).expect("it is writable");
    let script = script.display().to_string();
    let fake = |name: &str, more: &[&str]| conf.fake(name).args(&["--era", "modern"]).args(more).json();
    let deaf = fake("a", &["--fault", "deaf"]);
    conf.write(&json!({ "mcpServers": { "a": deaf, "b": fake("b", &["--script", &script]) } }));
    let client = legacy(&conf);
    for uri in [ITEM, "fake-b://item/0", "fake-b://item/1", ITEM] {
        let refused = client.request("resources/subscribe", json!({ "uri": uri }));
        assert!(refused.error_text().contains("does not tell of updates"), "{uri}: {}", refused.raw);
    }
}

#[test]
fn a_subscription_that_was_cancelled_is_not_answered_and_not_kept() {
    let conf = TempConf::new();
    let slow = conf.fake("a").args(&["--era", "legacy", "--slow-start", "1000"]).json();
    conf.write(&json!({ "mcpServers": { "a": slow } }));
    // From here on the lists are known, and it is not running.
    drop(legacy(&conf));
    let client = conf.legacy();
    let id = client.begin("resources/subscribe", json!({ "uri": ITEM }));
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    client.send(&cancel.to_string());
    eventually("the server is told that nobody wants it", || {
        told(&client.call("a__seen", json!({})), "resources/unsubscribe") == 1
    });
    client.fence();
    assert_eq!(client.answers(&id), 0, "a cancelled request has no answer");
}
