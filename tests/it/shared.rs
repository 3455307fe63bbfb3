//! Clients of one user and one file share a gateway: one comes up however many come at once, nobody notices who leaves, and
//! nothing is left in the end.
//!
//! What passes through a shared gateway is tried in `matrix.rs` like everywhere else.

mod differing;
mod ends;
mod rig;
mod starts;
mod strangers;

use crate::shared::rig::Shared;
use crate::support::eventually::eventually;
use crate::support::processes::is_alive;
use crate::support::processes::signal;
use crate::support::stdio_client::StdioClient;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Barrier;

const SERVERS: usize = 10;
const CLIENTS: usize = 5;
const CALLS: usize = 2_000;

/// Starts this many clients at once.
fn at_once(shared: &Arc<Shared>, count: usize) -> Vec<StdioClient> {
    let barrier = Barrier::new(count);
    std::thread::scope(|scope| {
        let started = (0..count).map(|_| {
            scope.spawn(|| {
                barrier.wait();
                shared.client()
            })
        });
        let started: Vec<_> = started.collect();
        started.into_iter().map(|client| client.join().expect("a client starts")).collect()
    })
}

/// Calls tools of all servers, a hundred at once, and checks in the end that each call has its own answer, once.
fn call_many(client: &StdioClient, mine: usize, servers: usize, calls: usize) {
    let (mut asked, mut block) = (BTreeMap::new(), Vec::new());
    for n in 0..calls {
        let word = format!("client {mine}, call {n}");
        let tool = format!("s{}__echo", n % servers);
        let id = client.begin_call(&tool, json!({ "message": word }));
        asked.insert(id.to_string(), word);
        block.push(id);
        if block.len() == 100 {
            // Each server answers in order, so the last answers of all are enough.
            block.drain(..).skip(100 - servers).for_each(|id| drop(client.answer(&id)));
        }
    }
    let answers = || {
        let messages = client.messages().into_iter();
        messages.filter(|message| asked.contains_key(&message.id().to_string())).collect::<Vec<_>>()
    };
    eventually("every call is answered", || answers().len() >= calls);
    for answer in answers() {
        let word = asked.remove(&answer.id().to_string());
        let word = word.unwrap_or_else(|| panic!("answered twice: {}", answer.short()));
        assert!(answer.text().contains(&format!("{word}\"")), "{}", answer.short());
    }
}

#[test]
fn five_clients_at_once_share_one_gateway_and_its_servers() {
    let shared = Shared::with_servers(SERVERS, "60s");
    let clients = at_once(&shared, CLIENTS);
    let lists: Vec<Vec<String>> =
        clients.iter().map(|client| client.request("tools/list", json!({})).tools()).collect();
    assert!(lists[0].len() >= SERVERS && lists.iter().all(|list| *list == lists[0]), "{lists:?}");
    std::thread::scope(|scope| {
        for (n, client) in clients.iter().enumerate() {
            scope.spawn(move || call_many(client, n, SERVERS, CALLS));
        }
    });
    for n in 0..SERVERS {
        assert_eq!(shared.conf().spawns(&format!("s{n}")), 1, "one process for all clients");
    }
    let gateways: BTreeSet<u32> = clients.iter().map(rig::attached_to).collect();
    assert_eq!(gateways.len(), 1, "{gateways:?}");
    let listed = shared.status();
    let sessions = listed["sessionList"].as_array().expect("sessions are listed");
    assert_eq!(sessions.len(), CLIENTS);
    for session in sessions {
        assert_eq!((&session["transport"], &session["client"]), (&json!("shared"), &json!("rig 1")));
    }
}

#[test]
fn the_client_that_started_it_may_leave_or_die() {
    for way in ["exit", "kill", "group"] {
        let shared = Shared::with_servers(1, "60s");
        let first = shared.client();
        let pid = rig::attached_to(&first);
        let second = shared.client();
        assert_eq!(rig::attached_to(&second), pid);
        second.call("s0__echo", json!({ "message": "before" })).result();
        match way {
            "exit" => first.close(),
            "kill" => signal(first.pid(), Signal::KILL),
            _ => rig::kill_group(&first),
        }
        first.exit();
        eventually("the gateway notices", || shared.status()["sessions"] == 1);
        assert!(second.call("s0__echo", json!({ "message": "after" })).text().contains("after"));
        assert!(is_alive(pid) && shared.conf().spawns("s0") == 1, "{way}");
    }
}

#[test]
fn what_a_client_had_in_flight_ends_with_it_and_disturbs_nobody() {
    let shared = Shared::with_servers(1, "60s");
    let (gone, stays) = (shared.client(), shared.client());
    gone.begin_call("s0__sleep", json!({ "ms": 600_000 }));
    eventually("the call is in flight", || shared.status()["inFlight"] == 1);
    signal(gone.pid(), Signal::KILL);
    eventually("the call is over", || shared.status()["inFlight"] == 0);
    assert!(stays.call("s0__echo", json!({ "message": "still" })).text().contains("still"));
}

#[test]
fn a_gateway_that_is_killed_is_replaced_once_for_all_clients() {
    let shared = Shared::with_servers(2, "60s");
    let clients = at_once(&shared, 3);
    let killed = rig::attached_to(&clients[0]);
    let calls: Vec<Value> =
        clients.iter().map(|client| client.begin_call("s0__sleep", json!({ "ms": 600_000 }))).collect();
    eventually("the calls are in flight", || shared.status()["inFlight"] == 3);
    signal(killed, Signal::KILL);
    for (client, id) in clients.iter().zip(&calls) {
        let lost = client.answer(id);
        assert!(lost.error_text().contains("may have run"), "{}", lost.short());
        assert!(client.call("s1__echo", json!({ "message": "again" })).text().contains("again"));
        assert_eq!(client.answers(id), 1);
    }
    let now: BTreeSet<u32> = clients.iter().map(rig::attached_to).collect();
    assert!(now.len() == 1 && !now.contains(&killed), "{now:?}");
    assert_eq!(shared.conf().ledger("call", "s0").len(), 3, "no call is made twice");
    // Their sessions go on: the handshake was made again for them.
    let sessions = shared.status();
    let greeted = sessions["sessionList"].as_array().expect("sessions").iter();
    assert_eq!(
        greeted.filter(|session| session["client"] == "rig 1" && session["era"] == "legacy").count(),
        3
    );
}

#[test]
fn what_a_client_set_up_holds_with_the_next_gateway() {
    const ITEM: &str = "fake-s0://item/0";
    let updated = "notifications/resources/updated";
    let shared = Shared::with_servers(1, "60s");
    let client = shared.client();
    client.request("tools/list", json!({})).result();
    client.request("resources/subscribe", json!({ "uri": ITEM })).result();
    client.request("logging/setLevel", json!({ "level": "error" })).result();
    signal(rig::attached_to(&client), Signal::KILL);
    let step = json!({ "announce": format!(r#""uri":"{ITEM}""#), "method": updated });
    eventually("the subscription was made again", || {
        // The first may be lost with the gateway.
        client.call("s0__play", json!({ "steps": [step] }));
        !client.notifications(updated).is_empty()
    });
    client.call("s0__log", json!({ "level": "info" })).result();
    assert!(client.notifications("notifications/message").is_empty(), "only errors are wanted");
    assert_eq!(shared.conf().ledger("spawn", "s0").len(), 2);
}

/// 2025-03-26: what a batch has gathered is lost with the gateway, so that each of its requests is told so.
#[test]
fn a_batch_that_a_gateway_gathers_is_lost_as_a_whole() {
    let shared = Shared::with_servers(1, "60s");
    let client = StdioClient::spawn(shared.command(&[]), None);
    let info = json!({ "name": "rig", "version": "1" });
    let hello = json!({ "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": info });
    client.request("initialize", hello).result();
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let call = |id: &str, tool: &str, arguments: Value| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool, "arguments": arguments } });
    let waits = call("waits", "s0__sleep", json!({ "ms": 600_000 }));
    client.send(&json!([call("done", "s0__echo", json!({})), waits]).to_string());
    // More than a pipe keeps without asking how far the gateway has come.
    for _ in 0..60 {
        client.call("s0__echo", json!({ "message": "x".repeat(2000) })).result();
    }
    assert!(client.answers(&json!("done")) == 0, "it waits for the other");
    signal(rig::attached_to(&client), Signal::KILL);
    for id in ["done", "waits"] {
        assert!(client.answer(&json!(id)).error_text().contains("may have run"));
    }
    client.call("s0__echo", json!({ "message": "next" })).result();
    assert_eq!([client.answers(&json!("done")), client.answers(&json!("waits"))], [1, 1]);
}

#[test]
fn killing_under_load_costs_each_call_at_most_one_error() {
    let shared = Shared::with_servers(2, "60s");
    // The one that started it, and one more, die under load: that costs the others nothing.
    let (starter, other) = (shared.client(), shared.client());
    let clients = at_once(&shared, 3);
    for client in [&starter, &other] {
        client.begin_call("s1__hang", json!({}));
    }
    std::thread::scope(|scope| {
        let running: Vec<_> = clients
            .iter()
            .map(|client| {
                scope.spawn(move || {
                    let mut lost = 0;
                    for n in 0..800 {
                        let word = format!("word {n}");
                        let id = client.begin_call("s1__echo", json!({ "message": word }));
                        let answer = client.answer(&id);
                        match answer.is_error() {
                            true => lost += 1,
                            false => assert!(answer.text().contains(&word), "{}", answer.short()),
                        }
                        assert_eq!(client.answers(&id), 1);
                    }
                    lost
                })
            })
            .collect();
        let first = eventually_attached(&shared, 5);
        rig::kill_group(&starter);
        signal(other.pid(), Signal::KILL);
        assert_eq!(eventually_attached(&shared, 3), first);
        for _ in 0..2 {
            let pid = eventually_attached(&shared, 3);
            signal(pid, Signal::KILL);
            eventually("the next gateway", || shared.pid().is_some_and(|next| next != pid));
        }
        let lost: Vec<i32> =
            running.into_iter().map(|client| client.join().expect("no answer is wrong")).collect();
        assert!(lost.iter().all(|lost| *lost <= 2), "one call at a time, killed twice: {lost:?}");
    });
}

fn eventually_attached(shared: &Shared, count: u64) -> u32 {
    let mut pid = None;
    eventually("all are attached", || {
        pid = shared.pid().filter(|_| shared.status()["sessions"] == count);
        pid.is_some()
    });
    pid.expect("it was found")
}
