//! Servers behind a WebSocket.

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

/// A gateway with the server `live`, which has these arguments.
fn live(args: &[&str], build: impl FnOnce(Fake) -> Fake) -> (Arc<TempConf>, HttpFake, StdioClient) {
    let conf = TempConf::new();
    let fake = conf.web_fake("live", "--ws", args);
    let entry = build(fake.entry_for("ws", "ws", "/mcp").set("startTimeoutMs", 2000));
    let mut config: Value = servers([("live", entry)]);
    config["gateway"] = json!({ "limits": { "messageBytes": 1 << 20 } });
    conf.write(&config);
    let client = Gateway::on(&conf).stdio().legacy();
    (conf, fake, client)
}

#[test]
fn both_eras_are_spoken() {
    for era in ["legacy", "modern", "both"] {
        let (_conf, _fake, client) = live(&["--era", era], |entry| entry);
        assert!(client.request("tools/list", json!({})).raw.contains("live__echo"), "{era}");
        assert_eq!(client.call("live__echo", json!({ "n": 1 })).result()["structuredContent"]["n"], json!(1));
        let params =
            json!({ "name": "live__slow_progress", "arguments": {}, "_meta": { "progressToken": "p" } });
        client.request("tools/call", params).result();
        assert!(!client.notifications("notifications/progress").is_empty(), "{era}");
    }
}

#[test]
fn the_entry_may_leave_the_type_out_and_its_headers_go_along() {
    let conf = TempConf::new();
    let fake = conf.web_fake("live", "--ws", &["--bearer", "k"]);
    let entry = fake.entry_for("", "ws", "/mcp").set("headers", json!({ "Authorization": "Bearer k" }));
    conf.write(&servers([("live", entry)]));
    let told = conf.legacy().call("live__headers", json!({})).raw;
    assert!(told.contains("sec-websocket-protocol: mcp"), "{told}");
}

#[test]
fn missing_credentials_are_told() {
    let (_conf, _fake, client) = live(&["--bearer", "k"], |entry| entry);
    let told = client.call("live__echo", json!({})).error_text().to_owned();
    assert!(told.contains("`live` answered 401: it wants credentials"), "{told}");
}

#[test]
fn a_server_that_knows_no_subprotocol_is_served() {
    let (_conf, _fake, client) = live(&["--fault", "plain"], |entry| entry);
    client.call("live__echo", json!({})).result();
}

#[test]
fn a_server_of_another_kind_is_told() {
    let conf = TempConf::new();
    let fake = conf.http_fake("live", &[]);
    conf.write(&servers([("live", fake.entry_for("websocket", "ws", "/mcp"))]));
    let client = Gateway::on(&conf).stdio().legacy();
    let told = client.call("live__echo", json!({})).error_text().to_owned();
    assert!(told.contains("instead of opening a WebSocket"), "{told}");
}

#[test]
fn a_closed_connection_ends_the_calls_in_flight_and_the_next_call_connects_again() {
    let (conf, _fake, client) = live(&["--tool", "cut", "--tool", "sleep", "--tool", "echo"], |entry| entry);
    client.call("live__echo", json!({})).result();
    let waiting = client.begin_call("live__sleep", json!({ "ms": 60_000 }));
    let told = client.call("live__cut", json!({})).error_text().to_owned();
    assert!(told.contains("live") && told.contains("1011") && told.contains("out of paper"), "{told}");
    assert!(client.answer(&waiting).error_text().contains("live"));
    client.call("live__echo", json!({})).result();
    assert_eq!(client.answers(&waiting), 1);
    eventually("the old connection is closed", || !conf.ledger("closed", "live").is_empty());
}

#[test]
fn odd_frames_end_in_one_error_and_the_server_can_be_used() {
    let tools = ["--tool", "binary", "--tool", "oversized", "--tool", "pretty", "--tool", "echo"];
    let (_conf, _fake, client) = live(&tools, |entry| entry);
    client.call("live__echo", json!({})).result();
    let told = client.call("live__binary", json!({})).error_text().to_owned();
    assert!(told.contains("binary frame"), "{told}");
    let told = client.call("live__oversized", json!({})).error_text().to_owned();
    assert!(told.contains("more than 1048576 bytes"), "{told}");
    client.call("live__pretty", json!({})).result();
    client.call("live__echo", json!({})).result();
}

#[test]
fn a_cancelled_call_is_cancelled_at_the_server() {
    let (_conf, _fake, client) = live(&[], |entry| entry.set("callTimeoutMs", 300));
    assert!(client.call("live__hang", json!({})).error_text().contains("live"));
    eventually("the server has heard of it", || {
        client.call("live__cancelled", json!({})).result()["content"]
            .as_array()
            .is_some_and(|ids| !ids.is_empty())
    });
}
