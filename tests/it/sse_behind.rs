//! Servers that speak HTTP+SSE of 2024-11-05.
//!
//! Finding out that they do is in `fallback.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::Fake;
use crate::support::tempconf::HttpFake;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

/// A gateway with the server `old`, which has these arguments.
fn old(args: &[&str], build: impl FnOnce(Fake) -> Fake) -> (Arc<TempConf>, HttpFake, StdioClient) {
    let conf = TempConf::new();
    let fake = conf.web_fake("old", "--old-sse", args);
    let entry = build(fake.entry_for("sse", "http", "/sse").set("startTimeoutMs", 2000));
    let mut config: Value = servers([("old", entry)]);
    config["gateway"] = json!({ "limits": { "messageBytes": 1 << 20 } });
    conf.write(&config);
    let client = Gateway::on(&conf).stdio().legacy();
    (conf, fake, client)
}

#[test]
fn calls_progress_and_notifications_come_over_the_stream() {
    let (_conf, _fake, client) = old(&[], |entry| entry);
    assert!(client.request("tools/list", json!({})).raw.contains("old__echo"));
    assert_eq!(client.call("old__echo", json!({ "n": 1 })).result()["structuredContent"]["n"], json!(1));
    let token = json!({ "name": "old__slow_progress", "arguments": {}, "_meta": { "progressToken": "p" } });
    client.request("tools/call", token).result();
    assert!(!client.notifications("notifications/progress").is_empty());
    client.call("old__mutate_tools", json!({ "add": "fresh" })).result();
    eventually("the change is told", || !client.notifications("notifications/tools/list_changed").is_empty());
}

#[test]
fn the_address_may_be_absolute_and_modern_clients_are_served() {
    let conf = TempConf::new();
    let fake = conf.web_fake("old", "--old-sse", &["--fault", "absolute"]);
    conf.write(&servers([("old", fake.entry_for("sse", "http", "/sse"))]));
    let client = conf.modern();
    client.call("old__echo", json!({})).result();
}

#[test]
fn headers_of_the_entry_go_with_both_requests_and_a_refusal_is_told() {
    let headers = json!({ "Authorization": "Bearer k" });
    let (conf, _fake, client) = old(&["--bearer", "k"], |entry| entry.set("headers", headers));
    client.call("old__echo", json!({})).result();
    assert!(conf.ledger("refused", "old").is_empty());
    let (_conf, _fake, client) = old(&["--bearer", "k"], |entry| entry);
    let told = client.call("old__echo", json!({})).error_text().to_owned();
    assert!(told.contains("`old` answered 401: it wants credentials"), "{told}");
}

#[test]
fn an_address_at_another_origin_is_refused() {
    let (_conf, _fake, client) = old(&["--fault", "foreign"], |entry| entry);
    let told = client.call("old__echo", json!({})).error_text().to_owned();
    assert!(told.contains("another origin, `http://127.0.0.2:9`"), "{told}");
}

#[test]
fn a_stream_without_an_address_is_given_up() {
    let (_conf, _fake, client) = old(&["--fault", "no-endpoint"], |entry| entry.set("startTimeoutMs", 300));
    let told = client.call("old__echo", json!({})).error_text().to_owned();
    assert!(told.contains("sent no `endpoint` event within 0.3 s"), "{told}");
}

#[test]
fn a_dropped_stream_ends_the_calls_in_flight_and_the_next_call_connects_again() {
    let (conf, _fake, client) = old(&["--tool", "cut", "--tool", "sleep", "--tool", "echo"], |entry| entry);
    client.call("old__echo", json!({})).result();
    let waiting = client.begin_call("old__sleep", json!({ "ms": 60_000 }));
    let told = client.call("old__cut", json!({})).error_text().to_owned();
    assert!(told.contains("old") && told.contains("stream"), "{told}");
    assert!(client.answer(&waiting).error_text().contains("old"));
    client.call("old__echo", json!({})).result();
    assert_eq!(client.answers(&waiting), 1);
    assert_eq!(conf.ledger("stream", "old").len(), 2);
}

#[test]
fn an_oversized_event_ends_the_connection_with_the_reason() {
    let (_conf, _fake, client) = old(&["--tool", "oversized", "--tool", "echo"], |entry| entry);
    client.call("old__echo", json!({})).result();
    let told = client.call("old__oversized", json!({})).error_text().to_owned();
    assert!(told.contains("more than 1048576 bytes"), "{told}");
    client.call("old__echo", json!({})).result();
}
