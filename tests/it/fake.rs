//! The rig itself: the fake server does what the other tests rely on.

use crate::support::eventually::eventually;
use crate::support::http_client::HttpClient;
use crate::support::processes;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::fake_mcp;
use rustix::process::Signal;
use serde_json::json;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

fn start(args: &[&str]) -> StdioClient {
    let mut command = Command::new(fake_mcp());
    command.args(args);
    StdioClient::spawn(command, None)
}

fn endpoint(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").trim_end_matches("/mcp").parse().expect("an address")
}

#[test]
fn a_legacy_fake_echoes_raw_bytes() {
    let fake = start(&[]).legacy();
    let line =
        r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"echo","arguments":{ "a":1e2}}}"#;
    let answer = fake.exchange(line, &json!("x"));
    assert!(
        answer.raw_result().contains(r#""structuredContent":{ "a":1e2}, "x-unknown" :"#),
        "{}",
        answer.raw
    );
    assert_eq!(fake.request("server/discover", json!({})).error_code(), -32601);
}

#[test]
fn a_modern_fake_refuses_the_handshake_and_wants_its_meta() {
    let fake = start(&["--era", "modern"]);
    assert_eq!(fake.request("initialize", json!({ "protocolVersion": "2025-11-25" })).error_code(), -32022);
    assert_eq!(fake.request("tools/list", json!({})).error_code(), -32602);
    let fake = fake.modern();
    assert_eq!(
        fake.request("server/discover", json!({})).result()["supportedVersions"],
        json!(["2026-07-28"])
    );
    assert_eq!(fake.call("pid", json!({})).result()["resultType"], "complete");
}

#[test]
fn a_fake_over_http_keeps_sessions_and_streams_progress() {
    let conf = TempConf::new();
    let fake = conf.http_fake("web", &["--era", "both"]);
    let mut client = HttpClient::new(endpoint(&fake.url()));
    client.initialize();
    assert!(client.session.is_some());
    let params = json!({ "name": "slow_progress", "arguments": { "n": 2 }, "_meta": { "progressToken": 7 } });
    let messages = client.begin("tools/call", params).head().messages();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert_eq!(messages[1].json["params"]["progress"], 2);
    let modern = HttpClient::new(endpoint(&fake.url())).modern();
    assert_eq!(modern.call("pid", json!({})).text(), fake.pid().to_string());
    assert_eq!(client.send("DELETE", &[]).status, 200);
    assert_eq!(client.begin("ping", json!({})).head().status, 404);
}

#[test]
fn a_cancelled_sleep_is_not_answered() {
    let fake = start(&[]).legacy();
    let id = fake.begin_call("sleep", json!({ "ms": 60_000 }));
    fake.send(
        &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })
            .to_string(),
    );
    assert_eq!(fake.call("cancelled", json!({})).texts(), [id.to_string()]);
    assert_eq!(fake.answers(&id), 0);
}

#[test]
fn the_mark_finds_a_grandchild_that_ignores_sigterm() {
    let conf = TempConf::new();
    let mut command = Command::new(fake_mcp());
    command.args(["--grandchild"]).env(processes::MARK, conf.mark());
    let fake = StdioClient::spawn(command, Some(Arc::clone(&conf) as Arc<dyn Send + Sync>)).legacy();
    eventually("both live", || conf.processes().len() == 2);
    fake.close();
    assert!(fake.exit().success());
    let left = conf.processes();
    assert_eq!(left.len(), 1);
    processes::signal(left[0], Signal::TERM);
    assert!(processes::is_alive(left[0]));
}

#[test]
fn the_ledger_counts_spawns_and_calls() {
    let conf = TempConf::new();
    let entry = conf.fake("a").args(&["--exit-at-start", "3"]).json();
    let args: Vec<String> = serde_json::from_value(entry["args"].clone()).expect("args are texts");
    let mut command = Command::new(fake_mcp());
    command.args(&args);
    let fake = StdioClient::spawn(command, None);
    assert_eq!(fake.exit().code(), Some(3));
    assert_eq!(conf.spawns("a"), 1);
    assert!(conf.ledger("call", "a").is_empty());
    eventually("it says why", || fake.stderr().contains("the licence is missing"));
}
