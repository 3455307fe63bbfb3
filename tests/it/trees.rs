//! Processes: a server that does not read, whole trees that resist, and a gateway that is killed.
//!
//! The end of the gateway itself is in `shutdown.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::processes;
use crate::support::tempconf::Fake;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const MIB: usize = 1 << 20;

/// Memory of a process, in bytes.
fn memory(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

/// R5.
#[test]
fn a_server_that_does_not_read_is_ended_and_costs_no_more_than_its_budget() {
    let conf = TempConf::with(|conf| {
        let mut config =
            servers([("deaf", conf.fake("deaf").set("stuckAfter", "6s")), ("good", conf.fake("good"))]);
        config["gateway"] = json!({ "limits": { "serverQueueBytes": 8 * MIB } });
        config
    });
    let client = conf.legacy();
    let pid: u32 = client.call("deaf__pid", json!({})).text().parse().expect("a pid");
    client.call("deaf__stop_reading", json!({})).result();
    let big = "x".repeat(MIB);
    client.call("good__echo", json!({ "big": big })).result();
    let before = memory(client.pid());
    let ids: Vec<Value> =
        (0..200).map(|_| client.begin_call("deaf__params", json!({ "big": big }))).collect();
    // All of them came in before this one.
    client.call("good__pid", json!({})).result();
    let grown = memory(client.pid()).saturating_sub(before);
    assert!(grown <= 32 * MIB, "it grew by {} MiB", grown / MIB);
    let refused = ["does not read", "waiting for its start"];
    let (mut at_once, mut waited) = (0, 0);
    for id in &ids {
        let answer = client.answer(id);
        let Some(text) = answer.json.pointer("/error/message").and_then(Value::as_str) else { continue };
        assert!(text.contains("`deaf`"), "{text}");
        at_once += usize::from(refused.iter().any(|why| text.contains(why)));
        waited += usize::from(text.contains("neither read its stdin"));
    }
    assert!((1..=10).contains(&waited), "{waited} calls waited until it was ended");
    assert!(at_once >= 20, "{at_once} calls were refused at once");
    eventually("it is gone and reaped", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    eventually("the next call works", || client.call("deaf__pid", json!({})).json.get("result").is_some());
    assert!(ids.iter().all(|id| client.answers(id) == 1));
}

/// Two processes and a grandchild, which ignore everything but SIGKILL.
fn tree(conf: &TempConf, name: &str) -> Fake {
    let fake = conf.fake(name).args(&["--grandchild", "--ignore-eof", "--note-term"]);
    let entry = fake.clone().json();
    let words = entry["args"].as_array().expect("args").iter().filter_map(Value::as_str);
    let line: Vec<&str> = entry["command"].as_str().into_iter().chain(words).collect();
    let script = format!("{0} --silent </dev/null >/dev/null 2>&1 & {0}", line.join(" "));
    fake.set("command", "/bin/sh")
        .set("args", json!(["-c", script]))
        .set("stopGrace", json!({ "eof": "300ms", "term": "300ms" }))
}

/// What the processes of a server noted, in order, without what they did before they were stopped.
fn order(conf: &TempConf, name: &str) -> Vec<String> {
    let lines = conf.ledger_lines();
    let mine = lines
        .iter()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|words| words.get(2) == Some(&name));
    mine.filter(|words| ["eof", "term"].contains(&words[0])).map(|words| words[0].to_owned()).collect()
}

/// R6: each way of stopping a server.
#[test]
fn the_whole_tree_dies_however_its_server_is_stopped() {
    type Stop = fn(&Arc<TempConf>, u32);
    let rows: [(&str, Value, Stop); 5] = [
        ("removed", json!({}), |conf, _| conf.write(&servers([("good", conf.fake("good"))]))),
        ("changed", json!({}), |conf, _| {
            let plain = conf.fake("odd").args(&["--resources", "1"]);
            conf.write(&servers([("odd", plain), ("good", conf.fake("good"))]));
        }),
        ("idle", json!("500ms"), |_, _| {}),
        ("sigterm", json!({}), |_, pid| processes::signal(pid, Signal::TERM)),
        ("killed", json!({}), |_, pid| processes::signal(pid, Signal::KILL)),
    ];
    for (what, idle, stop) in rows {
        let conf = TempConf::with(|conf| {
            let mut odd = tree(conf, "odd");
            if idle.is_string() {
                odd = odd.set("idleTimeout", idle);
            }
            servers([("odd", odd), ("good", conf.fake("good"))])
        });
        let gateway = Gateway::on(&conf).http();
        let client = gateway.legacy();
        client.call("good__pid", json!({})).result();
        client.call("odd__pid", json!({})).result();
        // A shell, two servers and a grandchild of each; and the good one.
        let mut old: Vec<u32> = Vec::new();
        eventually(&format!("{what}: the tree lives"), || {
            let good: u32 = client.call("good__pid", json!({})).text().parse().expect("a pid");
            old = conf.processes().into_iter().filter(|pid| *pid != good).collect();
            old.len() == 5 || what == "idle"
        });
        stop(&conf, gateway.pid());
        eventually(&format!("{what}: nothing of it is left"), || {
            !old.iter().any(|pid| processes::is_alive(*pid))
        });
        if what != "killed" {
            let order = order(&conf, "odd");
            let first_term = order.iter().position(|word| word == "term");
            assert_eq!(
                order.iter().position(|word| word == "eof").zip(first_term).map(|(a, b)| a < b),
                Some(true),
                "{what}: {order:?}"
            );
        }
        drop(gateway);
        eventually(&format!("{what}: nothing at all is left"), || conf.processes().is_empty());
    }
}

/// R7.
#[test]
fn eight_trees_die_with_a_gateway_that_is_killed() {
    let conf = TempConf::with(|conf| {
        servers(["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| (name, tree(conf, name))))
    });
    let client = conf.legacy();
    eventually("all trees live", || conf.processes().len() == 8 * 5);
    processes::signal(client.pid(), Signal::KILL);
    eventually("nothing is left", || conf.processes().is_empty());
}
