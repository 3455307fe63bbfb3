//! When the published servers run, and that none of them is left.
//!
//! How they are stopped when they do not want to is shown in `tests/it`.

use crate::bed::Bed;
use crate::bed::SERVERS;
use crate::calls;
use crate::support::eventually::eventually;
use crate::support::processes;
use rustix::process::Signal;
use serde_json::json;

const LISTS: [&str; 4] = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"];

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn after_a_restart_all_lists_come_without_a_process() {
    let bed = Bed::warm();
    let all: usize = SERVERS.iter().map(|(_, tools)| tools).sum();

    let stdio = bed.gateway().stdio().legacy();
    for method in LISTS {
        stdio.request(method, json!({})).result();
    }
    assert_eq!(stdio.request("tools/list", json!({})).tools().len(), all);
    assert_eq!(bed.conf().processes(), [0; 0]);
    assert_eq!(children(stdio.pid()), [0; 0]);

    let gateway = bed.gateway().http();
    assert_eq!(gateway.legacy().request("tools/list", json!({})).tools().len(), all);
    let modern = gateway.modern();
    modern.request("server/discover", json!({})).result();
    for method in LISTS {
        modern.request(method, json!({})).result();
    }
    // One tool runs only as a task of the legacy era.
    assert_eq!(modern.request("tools/list", json!({})).tools().len(), all - 1);
    assert_eq!(bed.conf().processes(), [0; 0]);
    assert_eq!(children(gateway.pid()), [0; 0]);
}

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn a_call_starts_the_one_server_it_needs() {
    let bed = Bed::warm();
    let client = bed.gateway().stdio().legacy();
    client.call("filesystem__list_allowed_directories", json!({})).result();
    let running = bed.conf().processes();
    let command = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let lines: Vec<String> = running.iter().map(command).collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.contains("server-filesystem")), "{lines:?}");
}

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn progress_of_a_server_comes_before_its_answer() {
    let bed = Bed::warm();
    let client = bed.gateway().stdio().legacy();
    let params = json!({
        "name": "everything__trigger-long-running-operation",
        "arguments": { "duration": 0.4, "steps": 4 },
        "_meta": { "progressToken": "mine" },
    });
    client.request("tools/call", params).result();
    let seen = client.notifications("notifications/progress");
    let steps: Vec<_> = seen.iter().map(|note| note.json["params"]["progress"].as_u64()).collect();
    assert_eq!(steps, [Some(1), Some(2), Some(3), Some(4)]);
    assert!(seen.iter().all(|note| note.json["params"]["progressToken"] == "mine"));
}

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn after_sigterm_no_server_is_left() {
    let bed = Bed::warm();
    let gateway = bed.gateway().http();
    let client = gateway.legacy();
    for call in calls::one_of_each(&bed) {
        client.request(call.method, call.through_gateway()).result();
    }
    let running = bed.conf().processes();
    assert!(running.len() >= SERVERS.len(), "{running:?}");
    processes::signal(gateway.pid(), Signal::TERM);
    assert_eq!(gateway.exit().code(), Some(0), "{}", gateway.stderr());
    eventually("the servers are gone", || bed.conf().processes().is_empty());
    assert!(running.iter().all(|pid| !processes::is_alive(*pid)), "{running:?}");
}

/// The ids of the children of a process, whatever they are.
fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("a Linux system").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parent = parent.to_string();
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        after_name.split_whitespace().nth(1) == Some(&parent)
    })
    .collect()
}
