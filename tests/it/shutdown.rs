//! The end: what is running finishes, and nothing is left behind.
//!
//! Stopping single servers is in `lazy.rs` and `reload.rs`.

use crate::support::eventually::eventually;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::processes;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use rustix::process::Signal;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A folder with a server whose whole tree resists, and one that does not.
fn stubborn() -> Arc<TempConf> {
    TempConf::with(|conf| {
        let resists = conf.fake("resists").args(&["--grandchild", "--ignore-eof", "--ignore-term"]);
        let resists = resists.set("stopGrace", json!({ "eof": "300ms", "term": "300ms" }));
        servers([("resists", resists), ("polite", conf.fake("polite"))])
    })
}

#[test]
fn the_end_of_stdin_drains_and_exits_with_0() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.legacy();
    let id = client.begin_call("a__sleep", json!({ "ms": 500 }));
    client.close();
    assert_eq!(client.exit().code(), Some(0), "{}", client.stderr());
    assert_eq!(client.answer(&id).text(), "slept");
    eventually("the server is gone", || conf.processes().is_empty());
}

#[test]
fn a_call_that_outlasts_the_drain_does_not_hold_the_end() {
    let conf = TempConf::with(|conf| {
        let mut config =
            servers([("a", conf.fake("a").set("stopGrace", json!({ "eof": "300ms", "term": "300ms" })))]);
        config["gateway"] = json!({ "drainTimeout": "500ms" });
        config
    });
    let client = conf.legacy();
    let id = client.begin_call("a__hang", json!({}));
    eventually("the call runs", || conf.ledger("call", "a").len() == 1);
    client.close();
    assert_eq!(client.exit().code(), Some(0), "{}", client.stderr());
    assert!(client.answers(&id) <= 1);
    eventually("the server is gone", || conf.processes().is_empty());
}

#[test]
fn sigterm_ends_both_fronts_with_0() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.legacy();
    let id = client.begin_call("a__sleep", json!({ "ms": 400 }));
    eventually("the call runs", || conf.ledger("call", "a").len() == 1);
    processes::signal(client.pid(), Signal::TERM);
    assert_eq!(client.exit().code(), Some(0), "{}", client.stderr());
    assert_eq!(client.answer(&id).text(), "slept");

    let gateway = Gateway::on(&conf).http();
    let session = gateway.legacy();
    let sent = session.begin("tools/call", json!({ "name": "a__sleep", "arguments": { "ms": 400 } }));
    let _stream = session.send("GET", &[("accept", "text/event-stream")]).expect(200);
    eventually("the call runs", || conf.ledger("call", "a").len() == 2);
    processes::signal(gateway.pid(), Signal::TERM);
    assert_eq!(sent.head().answer().text(), "slept");
    assert_eq!(gateway.exit().code(), Some(0), "{}", gateway.stderr());
    eventually("the servers are gone", || conf.processes().is_empty());
}

#[test]
fn sigint_ends_it_too() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    // Right after it said that it listens, so more than once.
    for signal in [Signal::INT, Signal::TERM, Signal::INT, Signal::TERM] {
        let gateway = Gateway::on(&conf).http();
        processes::signal(gateway.pid(), Signal::HUP);
        processes::signal(gateway.pid(), signal);
        assert_eq!(gateway.exit().code(), Some(0), "{}", gateway.stderr());
    }
}

#[test]
fn an_http_gateway_with_stdin_at_its_end_runs_on() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    client.call("a__sleep", json!({ "ms": 300 })).result();
    client.request("tools/list", json!({})).result();
    assert!(!gateway.has_exited());
    assert_eq!(gateway.stdout(), "");
}

#[test]
fn the_whole_tree_of_a_server_is_ended_even_if_it_ignores_sigterm() {
    let conf = stubborn();
    let client = conf.legacy();
    client.call("polite__pid", json!({})).result();
    eventually("server, grandchild and the polite one live", || conf.processes().len() == 3);
    client.close();
    assert_eq!(client.exit().code(), Some(0), "{}", client.stderr());
    eventually("nothing is left", || conf.processes().is_empty());
    assert_eq!(conf.ledger("eof", "resists").len(), 1, "stdin was not closed first");
}

#[test]
fn removing_a_server_ends_its_whole_tree() {
    let conf = stubborn();
    let client = conf.legacy();
    eventually("server, grandchild and the polite one live", || conf.processes().len() == 3);
    conf.write(&servers([("polite", conf.fake("polite"))]));
    eventually("only the polite one is left", || conf.processes().len() == 1);
    client.call("polite__pid", json!({})).result();
}

#[test]
fn nothing_survives_a_gateway_that_is_killed() {
    let conf = stubborn();
    let client = conf.legacy();
    eventually("server, grandchild and the polite one live", || conf.processes().len() == 3);
    processes::signal(client.pid(), Signal::KILL);
    eventually("nothing is left", || conf.processes().is_empty());
}

#[test]
fn half_a_request_does_not_hold_up_the_end() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let gateway = Gateway::on(&conf).http();
    gateway.legacy().request("ping", json!({})).result();
    let client = gateway.client();
    let _half = client.raw(b"POST /mcp HTTP/1.1\r\nhost: local");
    let _nothing = client.raw(b"");
    gateway.legacy().request("ping", json!({})).result();
    let begun = now();
    processes::signal(gateway.pid(), Signal::TERM);
    assert_eq!(gateway.exit().code(), Some(0), "{}", gateway.stderr());
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
}

#[test]
fn a_call_that_outlives_the_drain_is_answered_at_the_end_of_input() {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a"))]);
        config["gateway"] = json!({ "drainTimeout": "300ms" });
        config
    });
    let client = conf.legacy();
    client.call("a__pid", json!({})).result();
    let id = client.begin_call("a__hang", json!({}));
    eventually("the call runs", || conf.ledger("call", "a").len() == 2);
    client.close();
    assert!(client.answer(&id).error_text().contains("session ended"));
    assert_eq!(client.exit().code(), Some(0), "{}", client.stderr());
}
