//! How a shared gateway ends: when nobody is left, when it is told to, when another takes over.

use crate::shared::rig;
use crate::shared::rig::Shared;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::processes::is_alive;
use crate::support::processes::signal;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::process::Stdio;

#[test]
fn after_the_last_client_it_stays_for_a_while_and_leaves_nothing() {
    let shared = Shared::with_servers(2, "300ms");
    let client = shared.client();
    let pid = rig::attached_to(&client);
    client.call("s0__echo", json!({ "message": "x" })).result();
    client.close();
    assert!(client.exit().success());
    eventually("it has ended", || !is_alive(pid));
    eventually("its servers have ended", || shared.conf().processes().is_empty());
    assert_eq!(shared.left(), ["log"], "no socket and no lock");
    // The next client finds what it needs.
    let next = shared.client();
    assert!(next.call("s0__echo", json!({ "message": "next" })).text().contains("next"));
}

#[test]
fn a_client_that_comes_in_time_finds_the_same_one() {
    let shared = Shared::with_servers(1, "60s");
    let first = shared.client();
    let pid = rig::attached_to(&first);
    first.close();
    first.exit();
    assert_eq!(rig::attached_to(&shared.client()), pid);
}

#[test]
fn stop_ends_it_and_a_client_that_needs_it_has_the_next_one() {
    let shared = Shared::with_servers(1, "60s");
    let client = shared.client();
    let pid = rig::attached_to(&client);
    let call = client.begin_call("s0__sleep", json!({ "ms": 200 }));
    eventually("the call is in flight", || shared.status()["inFlight"] == 1);
    let (code, said, _) = shared.run(&["stop"]);
    assert!(code == 0 && said.contains(&format!("(pid {pid})")), "{said}");
    client.answer(&call).result();
    eventually("it has ended", || !is_alive(pid));
    assert!(shared.pid().is_none(), "nobody needs another");
    let (code, _, why) = shared.run(&["stop"]);
    assert!(code == 4 && why.contains("no shared gateway runs"), "{why}");
    assert!(client.call("s0__echo", json!({ "message": "needed" })).text().contains("needed"));
    assert_ne!(rig::attached_to(&client), pid);
}

#[test]
fn restart_when_idle_waits_for_calls_and_no_client_notices() {
    let shared = Shared::with_servers(1, "60s");
    let client = shared.client();
    let pid = rig::attached_to(&client);
    let call = client.begin_call("s0__sleep", json!({ "ms": 300 }));
    eventually("the call is in flight", || shared.status()["inFlight"] == 1);
    let (code, said, _) = shared.run(&["restart", "--when-idle"]);
    assert!(code == 0, "{said}");
    client.answer(&call).result();
    assert!(client.call("s0__echo", json!({ "message": "after" })).text().contains("after"));
    eventually("another took over", || shared.pid().is_some_and(|now| now != pid));
    eventually("the one before has ended", || !is_alive(pid));
    assert!(client.messages().iter().all(|message| !message.is_error()));
}

#[test]
fn signals_to_a_client_end_its_session_as_the_end_of_its_input_does() {
    let shared = Shared::with_servers(1, "60s");
    let (ends, stays) = (shared.client(), shared.client());
    let call = ends.begin_call("s0__sleep", json!({ "ms": 200 }));
    eventually("the call is in flight", || shared.status()["inFlight"] == 1);
    signal(ends.pid(), Signal::TERM);
    ends.answer(&call).result();
    assert!(ends.exit().success());
    assert!(stays.call("s0__echo", json!({ "message": "x" })).text().contains('x'));
}

#[test]
fn a_gateway_over_http_is_shared_too_and_ends_with_its_process_only() {
    let shared = Shared::with_servers(1, "100ms");
    let http = Gateway::on(shared.conf()).shared().http();
    let client = shared.client();
    assert_eq!(rig::attached_to(&client), http.pid());
    client.call("s0__echo", json!({ "message": "x" })).result();
    http.legacy().call("s0__echo", json!({ "message": "x" })).result();
    assert_eq!(shared.conf().spawns("s0"), 1);
    let listed = http.status();
    let ways = listed["sessionList"].as_array().expect("sessions").iter();
    let mut ways: Vec<_> = ways.map(|session| session["transport"].as_str().unwrap_or_default()).collect();
    ways.sort_unstable();
    assert_eq!(ways, ["http", "shared"]);
    let (code, _, why) = shared.run(&["stop"]);
    assert!(code == 4 && why.contains("serves HTTP, too"), "{why}");
    drop(client);
    // Longer than it would stay without HTTP.
    eventually("the session is over", || http.status()["sessions"] == 1);
    signal(http.pid(), Signal::TERM);
    assert!(http.exit().success());
}

#[test]
fn the_file_decides_whether_it_is_shared() {
    let shared = Shared::with_servers(1, "60s");
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(shared.conf().file()).expect("the file")).expect("JSON");
    config["gateway"]["share"] = json!(false);
    shared.conf().write(&config);
    let client = shared.client();
    client.call("s0__echo", json!({ "message": "x" })).result();
    assert!(
        client.stderr().contains("not shared with other clients: `gateway.share` is false"),
        "{}",
        client.stderr()
    );
    assert!(shared.pid().is_none());
    assert_eq!(shared.left(), ["log"], "no socket and no lock");
}

#[test]
fn what_is_asked_of_a_gateway_that_stops_is_answered_by_the_next() {
    let shared = Shared::with_servers(1, "60s");
    let client = shared.client();
    let pid = rig::attached_to(&client);
    let call = client.begin_call("s0__sleep", json!({ "ms": 1_000 }));
    eventually("the call is in flight", || shared.status()["inFlight"] == 1);
    assert_eq!(shared.run(&["stop"]).0, 0);
    let late = client.begin_call("s0__echo", json!({ "message": "late" }));
    client.answer(&call).result();
    assert!(client.answer(&late).text().contains("late"));
    // It may have been read before the gateway heard that it ends.
    eventually("it has ended", || !is_alive(pid));
    client.call("s0__echo", json!({ "message": "next" })).result();
    assert_ne!(rig::attached_to(&client), pid);
}

#[test]
fn a_last_line_without_an_end_is_run_once() {
    let shared = Shared::with_servers(1, "60s");
    let client = shared.client();
    let params = json!({ "name": "s0__echo", "arguments": { "message": "last" } });
    let call = json!({ "jsonrpc": "2.0", "id": "last", "method": "tools/call", "params": params });
    client.send_bytes(call.to_string().as_bytes());
    client.close();
    client.answer(&json!("last")).result();
    assert!(client.exit().success());
    assert_eq!(shared.conf().ledger("call", "s0").len(), 1);
    assert!(!client.messages().iter().any(|message| message.is_error()));
}

#[test]
fn a_restart_that_nobody_waits_for_any_more_is_not_made() {
    let shared = Shared::with_servers(1, "60s");
    let client = shared.client();
    let pid = rig::attached_to(&client);
    let call = client.begin_call("s0__sleep", json!({ "ms": 600_000 }));
    eventually("the call is in flight", || shared.status()["inFlight"] == 1);
    let mut asked = std::os::unix::net::UnixStream::connect(shared.socket()).expect("the socket");
    let wish = json!({ "kind": "restart", "whenIdle": true });
    let hello = json!({ "links": [1, 1], "version": "1", "pid": 1, "wish": wish });
    std::io::Write::write_all(&mut asked, format!("{hello}\n").as_bytes()).expect("it listens");
    drop(asked);
    // Who comes later is answered later.
    for _ in 0..2 {
        assert_eq!(shared.pid(), Some(pid));
    }
    client.send(
        &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": call } })
            .to_string(),
    );
    eventually("the call is over", || shared.status()["inFlight"] == 0);
    client.call("s0__echo", json!({ "message": "x" })).result();
    assert_eq!(rig::attached_to(&client), pid);
}

#[test]
fn a_client_that_does_not_read_is_cut_off_and_nothing_is_run_twice() {
    const CALLS: usize = 200;
    let shared = Shared::start(|conf| {
        let limits = json!({ "clientQueueBytes": 65_536 });
        json!({ "mcpServers": { "s0": conf.fake("s0").json() }, "gateway": { "limits": limits } })
    });
    let mut command = shared.command(&[]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut client = command.spawn().expect("the program starts");
    let mut input = client.stdin.take().expect("stdin");
    let writing = std::thread::spawn(move || {
        let who = json!({ "name": "deaf", "version": "1" });
        let first = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": who });
        let _ = writeln!(
            input,
            "{}",
            json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": first })
        );
        for id in 1..=CALLS {
            let params = json!({ "name": "s0__echo", "arguments": { "message": "x".repeat(8_000) } });
            let call = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
            let _ = writeln!(input, "{call}");
        }
        input
    });
    eventually("it has come", || shared.status()["sessions"] == 1);
    eventually("it was cut off", || shared.status()["sessions"] == 0);
    let mut answered = BTreeSet::new();
    for line in BufReader::new(client.stdout.take().expect("stdout")).lines() {
        let message: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        let id = message["id"].as_u64();
        assert!(id.is_none_or(|id| answered.insert(id)), "answered twice: {id:?}");
    }
    assert!(client.wait().expect("it was started").success(), "its output has an end, and so has it");
    drop(writing.join());
    let sessions = shared.status()["sessions"].clone();
    assert!(sessions == 0 && shared.conf().ledger("call", "s0").len() <= CALLS, "{sessions}");
}

#[test]
fn a_client_is_served_on_when_sharing_was_turned_off_and_its_gateway_ended() {
    let shared = Shared::with_servers(1, "60s");
    let client = shared.client();
    let before = rig::attached_to(&client);
    let text = std::fs::read_to_string(shared.conf().file()).expect("the file");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["gateway"]["share"] = json!(false);
    shared.conf().write(&config);
    eventually("it is read", || shared.status()["config"]["generation"] == 2);
    signal(before, Signal::KILL);
    eventually("it is served", || !client.call("s0__echo", json!({ "message": "x" })).is_error());
    let own = rig::attached_to(&client);
    assert_ne!(own, before);
    assert!(client.stderr().contains("not shared with other clients any more: `gateway.share` is false"));
    let other = shared.client();
    other.call("s0__echo", json!({ "message": "x" })).result();
    assert!(!other.stderr().contains("attached"), "{}", other.stderr());
    client.close();
    assert!(client.exit().success());
    eventually("its gateway ends, too", || !is_alive(own));
}

#[test]
fn what_a_call_needs_of_its_client_is_read_while_the_gateway_ends() {
    let shared = Shared::with_servers(1, "60s");
    let client = shared.client();
    let (slow, cancelled) =
        (client.begin_call("s0__sleep", json!({ "ms": 1500 })), client.begin_call("s0__hang", json!({})));
    eventually("both run", || shared.conf().ledger("call", "s0").len() == 2);
    let pid = rig::attached_to(&client);
    assert_eq!(shared.run(&["stop"]).0, 0);
    // It waits for the first and would wait for the second, but for this.
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": cancelled } }).to_string());
    client.answer(&slow).result();
    eventually("it ends without waiting for a drain", || !is_alive(pid));
    assert_eq!(client.answers(&cancelled), 0);
    assert!(client.call("s0__echo", json!({ "message": "next" })).text().contains("next"));
}

#[test]
fn a_client_that_moves_finishes_its_calls_first() {
    let shared = Shared::start(
        |conf| json!({ "mcpServers": { "s0": conf.fake("s0").json() }, "gateway": { "linger": "60s", "drainTimeout": "200ms" } }),
    );
    let client = shared.client();
    let slow = client.begin_call("s0__sleep", json!({ "ms": 2000 }));
    eventually("it runs", || shared.conf().ledger("call", "s0").len() == 1);
    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(shared.conf().file()).expect("it is there"))
            .expect("it is JSON");
    // The new entry is not the same for all clients, so that this one has another view from now on.
    config["mcpServers"]["own"] = shared.conf().fake("own").set("cwd", "${workspaceFolder}").json();
    shared.conf().write(&config);
    assert!(client.call("s0__echo", json!({ "message": "beside" })).text().contains("beside"));
    client.answer(&slow).result();
    eventually("it has moved", || {
        client.request("tools/list", json!({})).tools().iter().any(|name| name.starts_with("own__"))
    });
    assert_eq!(client.answers(&slow), 1);
}
