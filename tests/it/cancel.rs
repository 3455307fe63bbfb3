//! A cancelled call is cancelled at its server, under the id that server knows, and not answered.
//!
//! Deadlines are in `crash.rs`.

use crate::support::dice::Dice;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

fn cancel(client: &StdioClient, id: &Value) {
    let params = json!({ "requestId": id, "reason": "enough" });
    client.send(
        &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }).to_string(),
    );
}

fn calls(conf: &TempConf, name: &str) -> usize {
    conf.ledger("call", name).iter().filter(|line| line.ends_with("sleep")).count()
}

#[test]
fn cancelling_reaches_exactly_the_right_call() {
    let conf =
        TempConf::with(|conf| servers([("old", conf.fake("old")), ("new", conf.fake("new").modern())]));
    for server in ["old", "new"] {
        for client in [conf.legacy(), conf.modern()] {
            let before = calls(&conf, server);
            let tool = format!("{server}__sleep");
            let kept = client.begin_call(&tool, json!({ "ms": 1000, "mark": "kept" }));
            let ended = client.begin_call(&tool, json!({ "ms": 60_000, "mark": "ended" }));
            eventually("both calls run", || calls(&conf, server) == before + 2);
            cancel(&client, &ended);
            let asked = || client.call(&format!("{server}__cancelled"), json!({})).texts();
            eventually("the server hears of it", || !asked().is_empty());
            let seen = client.call(&format!("{server}__seen"), json!({})).texts();
            let line = seen.iter().find(|line| line.contains(r#""mark":"ended""#)).expect("the call arrived");
            let id = serde_json::from_str::<Value>(line).expect("JSON")["id"].to_string();
            assert_eq!(asked(), [id]);
            assert_eq!(client.answer(&kept).text(), "slept");
            assert_eq!(client.answers(&ended), 0);
        }
    }
}

#[test]
fn cancelling_what_is_unknown_or_answered_does_nothing() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.legacy();
    let id = client.begin_call("a__pid", json!({}));
    client.answer(&id).result();
    cancel(&client, &id);
    cancel(&client, &json!("never used"));
    assert!(client.call("a__cancelled", json!({})).texts().is_empty());
    assert_eq!(client.answers(&id), 1);
}

#[test]
fn the_id_of_a_cancelled_call_may_be_used_again() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.legacy();
    let line = |tool: &str| {
        let params = json!({ "name": tool, "arguments": { "ms": 60_000 } });
        json!({ "jsonrpc": "2.0", "id": "again", "method": "tools/call", "params": params }).to_string()
    };
    client.send(&line("a__sleep"));
    cancel(&client, &json!("again"));
    assert!(client.exchange(&line("a__pid"), &json!("again")).json.get("result").is_some());
}

#[test]
fn a_late_answer_to_a_cancelled_call_is_dropped() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").args(&["--ignore-cancel"]))]));
    let client = conf.legacy();
    let id = client.begin_call("a__sleep", json!({ "ms": 200 }));
    eventually("the call runs", || calls(&conf, "a") == 1);
    cancel(&client, &id);
    client.call("a__sleep", json!({ "ms": 400 })).result();
    assert_eq!(client.answers(&id), 0);
}

#[test]
fn a_modern_client_that_hangs_up_cancels_its_call() {
    let conf =
        TempConf::with(|conf| servers([("old", conf.fake("old")), ("new", conf.fake("new").modern())]));
    let gateway = Gateway::on(&conf).http();
    let client = gateway.modern();
    for server in ["old", "new"] {
        let params = json!({ "name": format!("{server}__sleep"), "arguments": { "ms": 60_000 } });
        let sent = client.begin("tools/call", params);
        eventually("the call runs", || calls(&conf, server) == 1);
        drop(sent);
        eventually("the server hears of it", || conf.ledger("cancelled", server).len() == 1);
    }
}

#[test]
fn a_legacy_client_that_hangs_up_does_not_cancel_its_call() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    let sent = client.begin("tools/call", json!({ "name": "a__sleep", "arguments": { "ms": 300 } }));
    eventually("the call runs", || calls(&conf, "a") == 1);
    drop(sent);
    client.call("a__sleep", json!({ "ms": 500 })).result();
    assert!(client.call("a__cancelled", json!({})).texts().is_empty());
}

#[test]
fn a_legacy_http_client_cancels_with_a_notification() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    let body = json!({
        "jsonrpc": "2.0", "id": "long", "method": "tools/call",
        "params": { "name": "a__sleep", "arguments": { "ms": 60_000 } }
    });
    let sent = client.start("POST", &[], &body.to_string());
    eventually("the call runs", || calls(&conf, "a") == 1);
    let other = gateway.legacy();
    let note =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "long" } });
    other.post(&note.to_string(), &[]).expect(202);
    assert!(other.call("a__cancelled", json!({})).texts().is_empty(), "another session cancelled it");
    client.post(&note.to_string(), &[]).expect(202);
    eventually("the server hears of it", || conf.ledger("cancelled", "a").len() == 1);
    drop(sent);
}

#[test]
fn cancelling_hangs_up_on_a_modern_http_server() {
    let conf = TempConf::new();
    let web = conf.http_fake("web", &["--era", "modern"]);
    conf.write(&servers([("web", web.entry())]));
    let client = conf.legacy();
    let id = client.begin_call("web__sleep", json!({ "ms": 60_000 }));
    eventually("the call runs", || calls(&conf, "web") == 1);
    cancel(&client, &id);
    eventually("the server notices", || conf.ledger("cancelled", "web").len() == 1);
    assert_eq!(client.answers(&id), 0);
}

#[test]
fn a_call_cancelled_while_lists_are_awaited_never_runs() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").args(&["--slow-start", "400"]))]));
    let client = conf.legacy();
    let ended = json!("ended");
    let call = r#"{"jsonrpc":"2.0","id":"ended","method":"tools/call","params":{"name":"a__sleep"}}"#;
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"ended"}}"#;
    // In one piece: nothing comes between the two.
    client.send(&format!("{call}\n{cancelled}"));
    assert_eq!(client.call("a__counter", json!({})).text(), "1");
    assert_eq!(client.call("a__counter", json!({})).text(), "2");
    assert_eq!(calls(&conf, "a"), 0);
    assert_eq!(client.answers(&ended), 0);
}

/// R15. Every call has a mark; those that are never answered by themselves have an odd one.
#[test]
fn a_thousand_calls_are_cancelled_at_random_moments() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").set("maxInFlight", 120))]));
    let client = conf.legacy();
    let mut dice = Dice(15);
    // The id of each call, by its mark, and whether it was cancelled.
    let mut calls: BTreeMap<usize, (Value, bool)> = BTreeMap::new();
    for wave in 0..20 {
        let mut waiting = Vec::new();
        for n in 0..50 {
            let mark = wave * 50 + n;
            let ms = if mark % 2 == 1 { 60_000 } else { dice.roll(20) };
            let id = client.begin_call("a__sleep", json!({ "ms": ms, "mark": mark }));
            calls.insert(mark, (id, false));
            waiting.push(mark);
            if n % 10 == 5 {
                // Its answer shows that all before it were sent, however slow the machine is.
                client.call("a__pid", json!({})).text();
            }
            while !waiting.is_empty() && dice.roll(3) == 0 {
                let mark = waiting.swap_remove(dice.roll(waiting.len()));
                let call = calls.get_mut(&mark).expect("it was made");
                cancel(&client, &call.0);
                call.1 = true;
            }
        }
        for mark in waiting.into_iter().filter(|mark| mark % 2 == 1) {
            let call = calls.get_mut(&mark).expect("it was made");
            cancel(&client, &call.0);
            call.1 = true;
        }
        client.fence();
    }
    let endless = calls.iter().filter(|(mark, _)| *mark % 2 == 1);
    assert!(endless.clone().all(|(_, (id, cancelled))| *cancelled && client.answers(id) == 0));
    for (id, _) in calls.values().filter(|(_, cancelled)| !cancelled) {
        assert_eq!(client.answer(id).text(), "slept");
    }
    assert!(calls.values().all(|(id, _)| client.answers(id) <= 1));

    // What reached the server and had no end of its own was cancelled there, under the id it has there.
    let seen = client.call("a__seen", json!({})).texts();
    let lines: Vec<Value> = seen.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mark = |line: &Value| line.pointer("/params/arguments/mark").and_then(Value::as_u64);
    let arrived: BTreeMap<String, u64> =
        lines.iter().filter_map(|line| Some((line["id"].to_string(), mark(line)?))).collect();
    let told = || -> Vec<String> { client.call("a__cancelled", json!({})).texts() };
    let endless: BTreeSet<&String> =
        arrived.iter().filter(|(_, mark)| *mark % 2 == 1).map(|(id, _)| id).collect();
    assert!(endless.len() >= 50, "only {} calls reached the server", endless.len());
    eventually("the server hears of every one", || {
        let told = told();
        endless.iter().all(|id| told.contains(id))
    });
    let told = told();
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "one was cancelled twice");
    for id in &told {
        let mark = usize::try_from(arrived[id]).expect("a mark");
        assert!(calls[&mark].1, "the call {mark} was not cancelled by anybody");
    }
    // As many as there may be: each has a place again.
    let again: Vec<Value> = (0..120).map(|_| client.begin_call("a__sleep", json!({ "ms": 1 }))).collect();
    assert!(again.iter().all(|id| client.answer(id).text() == "slept"));
}

#[test]
fn modern_clients_that_hang_up_at_random_moments_cancel_their_calls() {
    let conf = TempConf::with(|conf| {
        let limited = |name: &str| conf.fake(name).set("maxInFlight", 40);
        servers([("old", limited("old")), ("new", limited("new").modern())])
    });
    let gateway = Gateway::on(&conf).http();
    let client = gateway.modern();
    client.request("tools/list", json!({})).result();
    let mut dice = Dice(28);
    for server in ["old", "new"] {
        let tool = format!("{server}__sleep");
        let mut waiting = Vec::new();
        for _ in 0..80 {
            waiting.push(client.begin("tools/call", json!({ "name": tool, "arguments": { "ms": 60_000 } })));
            while waiting.len() > 30 || (!waiting.is_empty() && dice.roll(3) == 0) {
                drop(waiting.swap_remove(dice.roll(waiting.len())));
            }
        }
        drop(waiting);
        eventually("the server hears of all that reached it", || {
            conf.ledger("cancelled", server).len() == calls(&conf, server)
        });
        let params = json!({ "name": tool, "arguments": { "ms": 20 } });
        eventually("every one has a place again", || {
            let again: Vec<_> = (0..40).map(|_| client.begin("tools/call", params.clone())).collect();
            let answers: Vec<_> = again.into_iter().map(|sent| sent.head().answer()).collect();
            answers.iter().all(|answer| answer.json.get("result").is_some())
        });
    }
}
