//! What becomes of children when a gateway is killed, with its reaper or without.
//!
//! Children of a gateway that ends in order are in `shutdown.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::processes;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use rustix::process::Signal;
use serde_json::json;
use std::sync::Arc;

/// A configuration with one server that nothing but SIGKILL ends, and a grandchild.
fn stubborn() -> Arc<TempConf> {
    TempConf::with(|conf| {
        let stubborn = conf.fake("s").args(&["--grandchild", "--ignore-eof", "--ignore-term"]);
        servers([("s", stubborn)])
    })
}

/// A gateway on `conf`, with a running server.
fn running(conf: &Arc<TempConf>) -> (StdioClient, u32) {
    let client = conf.legacy();
    let pid = client.call("s__pid", json!({})).text().parse().expect("a process");
    (client, pid)
}

/// Gateways of one user have one cache.
fn share_cache(owner: &TempConf, others: &[&TempConf]) {
    std::fs::create_dir(owner.cache()).expect("a folder");
    for other in others {
        std::os::unix::fs::symlink(owner.cache(), other.cache()).expect("a link");
    }
}

/// The reaper of a gateway.
fn reaper_of(gateway: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{gateway}/task/{gateway}/children"));
    let all: Vec<u32> = match children {
        Ok(text) if !text.trim().is_empty() => {
            text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
        }
        // Children belong to the thread that made them.
        _ => std::fs::read_dir(format!("/proc/{gateway}/task"))
            .expect("the gateway lives")
            .flatten()
            .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
            .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
            .collect(),
    };
    let reaps = |pid: &u32| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"\0reap\0"))
    };
    all.into_iter().find(reaps).expect("a reaper")
}

#[test]
fn children_die_with_a_gateway_that_is_killed() {
    let conf = stubborn();
    let (client, pid) = running(&conf);
    assert!(processes::is_alive(pid));
    processes::signal(client.pid(), Signal::KILL);
    eventually("everything started from here has ended", || conf.processes().is_empty());
}

#[test]
fn a_reaper_that_was_killed_is_replaced_with_the_next_child() {
    let conf = TempConf::with(|conf| {
        let stubborn = conf.fake("s").args(&["--grandchild", "--ignore-eof", "--ignore-term"]);
        servers([("s", stubborn), ("t", conf.fake("t"))])
    });
    let client = conf.legacy();
    client.call("s__pid", json!({})).result();
    let listed: u32 = client.call("t__pid", json!({})).text().parse().expect("a process");
    let reaper = reaper_of(client.pid());
    processes::signal(reaper, Signal::KILL);
    eventually("it is dead", || !processes::is_alive(reaper));
    processes::signal(listed, Signal::KILL);
    eventually("the server is started again", || {
        client.call("t__pid", json!({})).json.get("result").is_some() && conf.spawns("t") == 2
    });
    assert_ne!(reaper_of(client.pid()), reaper);
    processes::signal(client.pid(), Signal::KILL);
    eventually("everything started from here has ended", || conf.processes().is_empty());
}

#[test]
fn the_next_start_ends_what_is_left_when_the_reaper_was_killed_too_and_nothing_else() {
    let (dead, sibling) = (stubborn(), stubborn());
    let third = TempConf::with(|conf| servers([("t", conf.fake("t"))]));
    share_cache(&dead, &[&sibling, &third]);
    let (killed, orphan) = running(&dead);
    let (living, kept) = running(&sibling);
    processes::signal(reaper_of(killed.pid()), Signal::KILL);
    processes::signal(killed.pid(), Signal::KILL);
    killed.exit();
    assert!(processes::is_alive(orphan), "the test needs a child that survives");

    let next = Gateway::on(&third).stdio().legacy();
    eventually("what was left behind has ended", || dead.processes().is_empty());
    assert_eq!(living.call("s__pid", json!({})).text(), kept.to_string(), "the sibling's was not touched");
    assert!(next.stderr().contains("left behind"), "{}", next.stderr());
    eventually("only gateways that live have a ledger", || {
        std::fs::read_dir(dead.cache().join("children")).is_ok_and(|files| files.count() == 1)
    });
}
