//! Servers are started when they are needed, once, and lists need none.
//!
//! What the lists say is in `list.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::json;
use std::sync::Arc;

const LISTS: [&str; 4] = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"];

/// A folder whose catalog is warm and where nothing runs.
fn warm() -> Arc<TempConf> {
    let conf = TempConf::with(|conf| {
        let odd = conf.fake("c").args(&["--tools", "30", "--pages", "7"]);
        servers([("a", conf.fake("a")), ("b", conf.fake("b").modern()), ("c", odd)])
    });
    let client = conf.legacy();
    client.close();
    assert_eq!(client.exit().code(), Some(0), "{}", client.stderr());
    eventually("the servers are gone", || conf.processes().is_empty());
    conf
}

#[test]
fn with_a_warm_catalog_handshakes_and_lists_start_no_process() {
    let conf = warm();
    let before = conf.ledger_lines();
    assert_eq!((conf.spawns("a"), conf.spawns("b"), conf.spawns("c")), (1, 1, 1));
    let tools = 2 * fake_tools(&conf) + 30;
    let legacy = Gateway::on(&conf).stdio().legacy();
    let modern = Gateway::on(&conf).stdio().modern();
    modern.request("server/discover", json!({})).result();
    for method in LISTS {
        let (old, new) = (legacy.request(method, json!({})), modern.request(method, json!({})));
        assert_eq!(old.result().get("_meta").filter(|meta| meta.to_string().contains("missing")), None);
        assert!(new.result()["ttlMs"].is_u64());
    }
    assert_eq!(legacy.request("tools/list", json!({})).tools().len(), tools);
    let http = Gateway::on(&conf).http();
    assert_eq!(http.legacy().request("tools/list", json!({})).tools().len(), tools);
    assert_eq!(http.modern().request("tools/list", json!({})).tools().len(), tools);
    assert_eq!(conf.processes(), [0; 0]);
    assert_eq!(conf.ledger_lines(), before);
}

/// How many tools a fake server has by itself: half of what two of them show.
fn fake_tools(conf: &Arc<TempConf>) -> usize {
    let tools = Gateway::on(conf).stdio().legacy().request("tools/list", json!({})).tools();
    tools.iter().filter(|name| name.starts_with("a__")).count()
}

#[test]
fn a_call_starts_only_the_server_it_needs() {
    let conf = warm();
    let client = Gateway::on(&conf).stdio().legacy();
    client.call("b__pid", json!({})).result();
    assert_eq!((conf.spawns("a"), conf.spawns("b"), conf.spawns("c")), (1, 2, 1));
    assert_eq!(conf.processes().len(), 1);
}

#[test]
fn fifty_first_calls_at_once_start_one_process() {
    let conf = warm();
    let client = Gateway::on(&conf).stdio().legacy();
    let ids: Vec<_> = (0..50).map(|_| client.begin_call("a__pid", json!({}))).collect();
    let mut pids: Vec<String> = ids.iter().map(|id| client.answer(id).text().to_owned()).collect();
    pids.dedup();
    assert_eq!(pids.len(), 1, "{pids:?}");
    assert_eq!(conf.spawns("a"), 2);
}

#[test]
fn cancelling_the_first_caller_does_not_cancel_the_start_for_the_others() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").args(&["--slow-start", "300"]))]));
    conf.legacy();
    let client = Gateway::on(&conf).stdio().legacy();
    let first = client.begin_call("a__pid", json!({}));
    let second = client.begin_call("a__pid", json!({}));
    let params = json!({ "requestId": first });
    client.send(
        &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }).to_string(),
    );
    client.answer(&second).result();
    assert_eq!(client.answers(&first), 0);
    assert_eq!(conf.spawns("a"), 2);
    assert_eq!(conf.ledger("call", "a").len(), 1);
}

#[test]
fn a_cold_call_without_a_list_before_it_finds_its_server() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a")), ("b", conf.fake("b"))]));
    let client = Gateway::on(&conf).stdio().legacy();
    client.call("a__pid", json!({})).result();
    assert_eq!(conf.spawns("a"), 1);
}

#[test]
fn without_a_cache_nothing_is_saved() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    for spawns in 1..=2 {
        let client = Gateway::on(&conf).args(&["--no-cache"]).stdio().legacy();
        client.request("tools/list", json!({})).result();
        assert_eq!(conf.spawns("a"), spawns);
    }
    assert!(
        !conf.cache().exists()
            || std::fs::read_dir(conf.cache()).is_ok_and(|mut files| files.next().is_none())
    );
}

#[test]
fn an_idle_server_is_stopped_and_started_again_on_the_next_call() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").set("idleTimeout", "300ms"))]));
    let client = conf.legacy();
    let first = client.call("a__pid", json!({})).text().to_owned();
    eventually("the idle server is gone", || conf.processes().is_empty());
    assert_ne!(client.call("a__pid", json!({})).text(), first);
}

#[test]
fn a_server_is_not_idle_during_a_call() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").set("idleTimeout", "200ms"))]));
    let client = conf.legacy();
    assert_eq!(client.call("a__sleep", json!({ "ms": 900 })).text(), "slept");
}

#[test]
fn a_changed_tool_list_is_saved_for_the_next_start() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").tools(&["mutate_tools", "echo"]))]));
    let client = conf.legacy();
    client.call("a__mutate_tools", json!({ "add": "fresh" })).result();
    client.wait("list_changed", |message| message.method() == "notifications/tools/list_changed");
    let names = ["a__echo", "a__fresh", "a__mutate_tools"];
    assert_eq!(client.request("tools/list", json!({})).tools(), names);
    drop(client);
    let spawns = conf.spawns("a");
    assert_eq!(Gateway::on(&conf).stdio().legacy().request("tools/list", json!({})).tools(), names);
    assert_eq!(conf.spawns("a"), spawns);
}
