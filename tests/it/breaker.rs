//! Servers that keep failing are left alone: calls fail at once, one is let through now and then, and an answer ends it.
//!
//! The counting itself, with all its times, is tested beside `src/downstream/breaker.rs`.

use crate::support::eventually::eventually;
use crate::support::processes;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::Fake;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const REFUSED: &str = "calls are refused";

/// A gateway whose breakers open after three failures, for `pause`.
fn one(pause: &str, build: impl FnOnce(Fake) -> Fake) -> (Arc<TempConf>, StdioClient) {
    let conf = TempConf::with(|conf| {
        let mut file = servers([("odd", build(conf.fake("odd"))), ("good", conf.fake("good"))]);
        file["gateway"] = json!({ "breaker": { "failures": 3, "pause": pause } });
        file
    });
    let client = conf.legacy();
    (conf, client)
}

fn executed(conf: &TempConf, tool: &str) -> usize {
    conf.ledger("call", "odd").iter().filter(|line| line.ends_with(tool)).count()
}

#[test]
fn silence_opens_it_for_that_server_alone_and_the_error_says_when_it_is_tried() {
    let (conf, client) = one("60s", |fake| fake.set("callTimeout", "300ms"));
    for _ in 0..3 {
        assert!(client.call("odd__hang", json!({})).error_text().contains("no answer"));
    }
    let refused = client.call("odd__pid", json!({}));
    let text = refused.error_text();
    for part in [
        "server `odd`",
        "failed 3 times in a row",
        "gave no answer within 0.3 s",
        REFUSED,
        "one is tried in ",
    ] {
        assert!(text.contains(part), "no `{part}`: {}", refused.raw);
    }
    client.call("good__pid", json!({})).result();
    assert_eq!((executed(&conf, "hang"), executed(&conf, "pid")), (3, 0));
}

#[test]
fn answers_errors_and_cancelled_calls_never_open_it() {
    let (_conf, client) = one("60s", |fake| fake);
    for _ in 0..4 {
        assert_eq!(client.call("odd__fail", json!({})).result()["isError"], true);
        assert_eq!(client.call("odd__error", json!({})).error_code(), -31000);
        client.call("odd__neither", json!({}));
        let id = client.begin_call("odd__hang", json!({}));
        client.send(
            &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })
                .to_string(),
        );
    }
    client.call("odd__pid", json!({})).result();
}

#[test]
fn one_call_of_many_is_tried_and_its_answer_lets_all_others_through() {
    let (conf, client) = one("1s", |fake| fake.set("tools", json!({ "hang": { "callTimeout": "400ms" } })));
    for _ in 0..3 {
        client.call("odd__hang", json!({}));
    }
    let mut all: Vec<Value> = Vec::new();
    eventually("one of the calls gets to the server", || {
        all.extend((0..20).map(|_| client.begin_call("odd__sleep", json!({ "ms": 1500 }))));
        all.iter().for_each(|id| drop(client.answer(id)));
        executed(&conf, "sleep") > 0
    });
    let slept = all.iter().filter(|id| client.answer(id).json.get("result").is_some()).count();
    assert_eq!((slept, executed(&conf, "sleep")), (1, 1));
    client.call("odd__pid", json!({})).result();
}

#[test]
fn a_long_call_that_is_tried_and_reports_progress_does_not_hold_the_others_back() {
    let (conf, client) = one("1s", |fake| fake.set("tools", json!({ "hang": { "callTimeout": "400ms" } })));
    for _ in 0..3 {
        client.call("odd__hang", json!({}));
    }
    let mut long = Value::Null;
    eventually("a call gets to the server", || {
        let arguments = json!({ "n": 10_000, "ms": 20 });
        let params =
            json!({ "name": "odd__slow_progress", "arguments": arguments, "_meta": { "progressToken": 1 } });
        long = client.begin("tools/call", params);
        eventually("it is refused or begins", || {
            client.answers(&long) > 0 || executed(&conf, "slow_progress") > 0
        });
        client.answers(&long) == 0
    });
    eventually("the others are let through", || {
        client.call("odd__pid", json!({})).json.get("result").is_some()
    });
    assert_eq!(client.answers(&long), 0, "it is still running");
}

#[test]
fn what_is_refused_after_a_start_that_failed_is_no_try() {
    let conf = TempConf::new();
    let mark = conf.dir().join("works");
    let script = format!("[ -e {0} ] || exit 3; exec \"$@\"", mark.display());
    std::fs::write(&mark, "").expect("a file");
    let fake = conf.fake("odd").json();
    let mut args = vec![json!("-c"), json!(script), json!("sh"), fake["command"].clone()];
    args.extend(fake["args"].as_array().cloned().unwrap_or_default());
    conf.write(&json!({
        "mcpServers": { "odd": { "command": "sh", "args": args } },
        "gateway": { "breaker": { "failures": 1, "pause": "100ms", "maxPause": "60s" } }
    }));
    let client = conf.legacy();
    client.call("odd__pid", json!({})).result();
    std::fs::remove_file(&mark).expect("it is there");
    client.call("odd__die", json!({}));
    // Many calls while it is left alone: of those none is a try, so none makes the pause longer.
    let count = |what: &str| client.stderr().matches(what).count();
    eventually("it was tried to start it a few times", || {
        client.call("odd__pid", json!({}));
        count("server failed to start") >= 3
    });
    std::fs::write(&mark, "").expect("a file");
    eventually("it works again", || client.call("odd__pid", json!({})).json.get("result").is_some());
    assert_eq!(count("keeps failing"), 1 + count("server failed to start"), "{}", client.stderr());
}

#[test]
fn a_server_that_dies_in_every_call_is_not_started_for_each_of_them() {
    let (conf, client) = one("60s", |fake| fake);
    for _ in 0..10 {
        client.call("odd__die", json!({}));
    }
    assert_eq!(executed(&conf, "die"), 3, "the rest were refused");
    assert!(conf.spawns("odd") <= 4, "{} starts", conf.spawns("odd"));
}

#[test]
fn over_http_broken_answers_count_and_refusals_by_the_server_do_not() {
    let conf = TempConf::new();
    let fake = conf.http_fake("odd", &["--era", "modern"]);
    conf.write(&json!({
        "mcpServers": { "odd": { "url": fake.url() } },
        "gateway": { "breaker": { "failures": 3, "pause": "60s" } }
    }));
    let client = conf.legacy();
    for _ in 0..5 {
        assert_eq!(client.call("odd__error", json!({ "code": -32602 })).error_code(), -32602);
    }
    client.call("odd__pid", json!({})).result();
    processes::signal(fake.pid(), Signal::KILL);
    eventually("calls are refused at once", || {
        let answer = client.call("odd__pid", json!({}));
        let text = answer.error_text();
        text.contains(REFUSED) || text.contains("it is tried again on a call in")
    });
}
