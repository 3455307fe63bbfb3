//! Tasks within one era, over stdio and HTTP, in front and behind; none between the eras.

use crate::support::bed::Bed;
use crate::support::bed::CLIENTS;
use crate::support::bed::PEERS;
use crate::support::bed::Peer;
use crate::support::driver::Driver;
use crate::support::driver::Era;
use crate::support::driver::Transport;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;

const TASKS: &str = "io.modelcontextprotocol/tasks";
const RELATED: &str = "/_meta/io.modelcontextprotocol~1related-task/taskId";

fn declared() -> Value {
    json!({ "elicitation": { "form": {} }, "extensions": { TASKS: {} } })
}

fn bed(client: (Era, Transport), capabilities: Value) -> Bed {
    Bed::start(client, capabilities, |_, _| vec!["--tasks".into()])
}

fn of_era(era: Era) -> impl Iterator<Item = (Era, Transport)> {
    CLIENTS.into_iter().filter(move |client| client.0 == era)
}

fn peers(era: Era) -> impl Iterator<Item = &'static Peer> {
    PEERS.iter().filter(move |peer| peer.era == era)
}

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer}: {value}"))
        .to_owned()
}

/// Begins a task and returns its id.
fn begin(client: &Driver, peer: &Peer, tool: &str, arguments: Value) -> String {
    let mut params = json!({ "name": peer.name_of(tool), "arguments": arguments });
    if client.era == Era::Legacy {
        params["task"] = json!({ "ttl": 60000 });
    }
    let answer = client.request("tools/call", params);
    let pointer = if client.era == Era::Legacy { "/task/taskId" } else { "/taskId" };
    text(answer.result(), pointer)
}

fn about(client: &Driver, method: &str, id: &str) -> Message {
    client.request(method, json!({ "taskId": id }))
}

#[test]
fn a_modern_client_and_a_modern_server_have_tasks() {
    for client in of_era(Era::Modern) {
        let bed = bed(client, declared());
        let offered = bed.driver.request("server/discover", json!({}));
        assert_eq!(offered.result()["capabilities"]["extensions"][TASKS], json!({}));
        let mut ids = Vec::new();
        for peer in peers(Era::Modern) {
            let id = begin(&bed.driver, peer, "job", json!({}));
            assert!(!id.ends_with("task-1"), "the own ids of servers are equal: {id}");
            let working = about(&bed.driver, "tasks/get", &id);
            assert_eq!(
                (text(working.result(), "/status"), text(working.result(), "/taskId")),
                ("working".into(), id.clone())
            );
            bed.driver.call(&peer.name_of("finish"), json!({ "task": "task-1" })).result();
            let done = about(&bed.driver, "tasks/get", &id);
            assert_eq!(text(done.result(), "/result/content/0/text"), "task-1 is done");
            assert!(done.raw.contains(r#""x-unknown":1e2"#), "{}", done.raw);
            assert_eq!(bed.conf.ledger("tasks/get", peer.name).len(), 2);
            assert_eq!(about(&bed.driver, "tasks/cancel", &id).result()["resultType"], "complete");
            ids.push(id);
        }
        assert_ne!(ids[0], ids[1]);
    }
}

#[test]
fn input_for_a_task_passes_as_it_is() {
    for client in of_era(Era::Modern) {
        let bed = bed(client, declared());
        for peer in peers(Era::Modern) {
            let id = begin(&bed.driver, peer, "must", json!({ "ask": true }));
            let asks = about(&bed.driver, "tasks/get", &id);
            assert_eq!(text(asks.result(), "/inputRequests/q/method"), "elicitation/create");
            let meta = bed.driver.meta();
            let params =
                format!(r#"{{"taskId":"{id}","inputResponses":{{"q":{{"n":1e2}}}},"_meta":{{{meta}}}}}"#);
            assert_eq!(bed.driver.request_raw("tasks/update", &params).result()["resultType"], "complete");
            let resumed = about(&bed.driver, "tasks/get", &id);
            assert!(resumed.raw.contains(r#""x-said":{"q":{"n":1e2}}"#), "{}", resumed.raw);
        }
    }
}

#[test]
fn who_does_not_declare_tasks_gets_none_and_may_not_ask() {
    for client in of_era(Era::Modern) {
        let bed = bed(client, json!({}));
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let refused = about(&bed.driver, method, "x");
            assert_eq!(refused.error_code(), -32021);
            assert_eq!(
                refused.json["error"]["data"]["requiredCapabilities"]["extensions"][TASKS],
                json!({}),
                "{}",
                refused.raw
            );
        }
        for peer in peers(Era::Modern) {
            let at_once = bed.driver.call(&peer.name_of("job"), json!({}));
            assert_eq!(at_once.result()["resultType"], "complete");
            let needs = bed.driver.call(&peer.name_of("must"), json!({}));
            assert_eq!(needs.error_code(), -32021, "{}", needs.raw);
        }
        for method in ["tasks/list", "tasks/result"] {
            assert_eq!(
                about(&bed.driver, method, "x").error_code(),
                -32601,
                "the modern era has no {method}"
            );
        }
    }
}

#[test]
fn an_id_that_was_not_given_out_is_unknown() {
    for client in CLIENTS {
        let bed = bed(client, declared());
        let peer = peers(client.0).next().expect("there is one");
        begin(&bed.driver, peer, "job", json!({}));
        for id in ["task-1", "task-00000000000000000000000000000000", "lp/task-1"] {
            assert_eq!(about(&bed.driver, "tasks/get", id).error_code(), -32602, "{id}");
        }
        let none = bed.driver.request("tasks/get", json!({}));
        assert_eq!(none.error_code(), -32602);
        assert!(bed.conf.ledger("tasks/get", peer.name).is_empty(), "no server was asked");
    }
}

#[test]
fn somebody_elses_task_is_unknown() {
    let keys = ["first-key-that-is-long-enough", "second-key-that-is-long-enough"];
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a").modern().args(&["--tasks"]))]);
        config["gateway"] = json!({ "http": { "bearerTokens": keys } });
        config
    });
    let gateway = Gateway::on(&conf).http();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": declared(),
    });
    let ask = |key: &str, method: &str, name: &str, mut params: Value| {
        params["_meta"] = meta.clone();
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let key = format!("Bearer {key}");
        let headers = [
            ("authorization", key.as_str()),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", method),
            ("mcp-name", name),
        ];
        gateway.client().post(&body, &headers).answer()
    };
    let begun = ask(keys[0], "tools/call", "a__job", json!({ "name": "a__job", "arguments": {} }));
    let id = text(begun.result(), "/taskId");
    let get = |key: &str| ask(key, "tasks/get", &id, json!({ "taskId": id }));
    let cancel = ask(keys[1], "tasks/cancel", &id, json!({ "taskId": id }));
    assert_eq!((get(keys[1]).error_code(), cancel.error_code()), (-32602, -32602));
    assert_eq!(text(get(keys[0]).result(), "/status"), "working");
    let other_name = ask(keys[0], "tasks/get", "task-1", json!({ "taskId": id }));
    assert_eq!(other_name.error_code(), -32020, "the header must say what the body says");
}

#[test]
fn a_task_of_a_server_that_left_the_file_is_gone() {
    let conf = TempConf::with(|conf| {
        servers([("a", conf.fake("a").modern().args(&["--tasks"])), ("b", conf.fake("b").modern())])
    });
    let client = Driver::start(Gateway::on(&conf), Era::Modern, Transport::Stdio, declared());
    let peer = Peer { name: "a", era: Era::Modern, behind: Transport::Stdio };
    client.request("tools/list", json!({})).result();
    let id = begin(&client, &peer, "job", json!({}));
    conf.write(&servers([("b", conf.fake("b").modern())]));
    eventually("the server is gone", || {
        !client.request("tools/list", json!({})).tools().iter().any(|name| name.starts_with("a__"))
    });
    let gone = about(&client, "tasks/get", &id);
    assert_eq!(gone.error_code(), -32602);
    assert!(gone.error_text().contains("server `a`"), "{}", gone.raw);
}

#[test]
fn a_legacy_client_and_a_legacy_server_have_tasks() {
    for client in of_era(Era::Legacy) {
        let bed = bed(client, declared());
        let mut ids = Vec::new();
        for peer in peers(Era::Legacy) {
            let id = begin(&bed.driver, peer, "job", json!({}));
            assert!(!id.ends_with("task-1"), "the own ids of servers are equal: {id}");
            let working = about(&bed.driver, "tasks/get", &id);
            assert_eq!(text(working.result(), "/status"), "working");
            assert_eq!(text(working.result(), "/taskId"), id);
            assert!(working.raw.contains(r#""x-unknown":1e2"#), "{}", working.raw);
            let waits = bed.driver.begin("tasks/result", json!({ "taskId": id }));
            eventually("the server waits for its task", || {
                !bed.conf.ledger("tasks/result", peer.name).is_empty()
            });
            bed.driver.call(&peer.name_of("finish"), json!({ "task": "task-1" })).result();
            let done = bed.driver.answer(&waits);
            assert_eq!(done.text(), "task-1 is done");
            assert_eq!(text(done.result(), RELATED), id);
            ids.push(id);
        }
        assert_ne!(ids[0], ids[1]);
        let id = begin(&bed.driver, peers(Era::Legacy).next().expect("one"), "must", json!({}));
        assert_eq!(text(about(&bed.driver, "tasks/cancel", &id).result(), "/status"), "cancelled");
    }
}

#[test]
fn the_list_has_the_tasks_of_this_session_as_they_are_now() {
    for client in of_era(Era::Legacy) {
        let bed = bed(client, declared());
        let ids: Vec<String> =
            peers(Era::Legacy).map(|peer| begin(&bed.driver, peer, "job", json!({}))).collect();
        let quiet = json!({ "task": "task-1" });
        bed.driver.call(&PEERS[0].name_of("finish"), quiet).result();
        let list = bed.driver.request("tasks/list", json!({}));
        assert_eq!(list.keys("tasks", "taskId"), ids);
        let status = list.keys("tasks", "status");
        assert_eq!(status[0], "completed");
        assert!(status[1..].iter().all(|status| status == "working"), "{status:?}");
        let rest = bed.driver.request("tasks/list", json!({ "cursor": ids[0] }));
        assert_eq!(rest.keys("tasks", "taskId"), ids[1..]);
        assert_eq!(bed.driver.request("tasks/list", json!({ "cursor": "x" })).error_code(), -32602);
    }
}

#[test]
fn the_status_of_a_task_is_told_to_the_session_that_began_it() {
    let conf = TempConf::with(|conf| servers([("lp", conf.fake("lp").args(&["--tasks"]))]));
    let gateway = Gateway::on(&conf).http();
    let (owner, other) = (gateway.legacy(), gateway.legacy());
    let listen = [("accept", "text/event-stream")];
    let (mut told, not_told) = (owner.send("GET", &listen), other.send("GET", &listen));
    let params = json!({ "name": "lp__job", "arguments": {}, "task": {} });
    let begun = owner.request("tools/call", params);
    let id = text(begun.result(), "/task/taskId");
    other.call("lp__finish", json!({ "task": "task-1" })).result();
    let status = told.wait("the status", |message| message.method() == "notifications/tasks/status");
    assert_eq!(
        (text(&status.json, "/params/taskId"), text(&status.json, "/params/status")),
        (id.clone(), "completed".into())
    );
    assert_eq!(other.request("tasks/list", json!({})).keys("tasks", "taskId"), Vec::<String>::new());
    assert_eq!(owner.request("tasks/list", json!({})).keys("tasks", "taskId"), [id]);
    drop(not_told);
}

#[test]
fn a_question_of_a_task_and_its_answer_name_it_in_the_words_of_their_reader() {
    let conf = TempConf::with(|conf| servers([("lp", conf.fake("lp").args(&["--tasks"]))]));
    let client = Driver::start(Gateway::on(&conf), Era::Legacy, Transport::Stdio, declared());
    let peer = Peer { name: "lp", era: Era::Legacy, behind: Transport::Stdio };
    client.request("tools/list", json!({})).result();
    let id = begin(&client, &peer, "job", json!({}));
    let related =
        |id: &str| format!(r#""_meta":{{"io.modelcontextprotocol/related-task":{{"taskId":"{id}"}}}}"#);
    let own = related("task-1");
    let ask = format!(
        r#""method":"elicitation/create","params":{{"message":"?","requestedSchema":{{"type":"object","properties":{{}}}},{own}}}"#
    );
    let call =
        client.begin("tools/call", json!({ "name": "lp__play", "arguments": { "steps": [{ "ask": ask }] } }));
    let asked = client.wait("the question", |message| message.method() == "elicitation/create");
    assert_eq!(text(&asked.json["params"], RELATED), id);
    client.respond(asked.id(), &format!(r#""result":{{"action":"decline",{}}}"#, related(&id)));
    let said = client.answer(&call);
    assert!(said.text().contains("task-1") && !said.text().contains(&id), "{}", said.raw);
}

#[test]
fn a_call_cannot_become_a_task_of_the_other_era() {
    for client in of_era(Era::Legacy) {
        let bed = bed(client, declared());
        for peer in peers(Era::Modern) {
            let params = json!({ "name": peer.name_of("job"), "arguments": {}, "task": { "ttl": 1000 } });
            let refused = bed.driver.request("tools/call", params);
            assert_eq!(refused.error_code(), -32601, "{}", refused.raw);
            assert!(refused.error_text().contains(peer.name) && refused.error_text().contains("`task`"));
            assert!(bed.conf.ledger("task", peer.name).is_empty());
            let at_once = bed.driver.call(&peer.name_of("job"), json!({}));
            assert!(at_once.result().get("content").is_some(), "{}", at_once.raw);
        }
    }
    for client in of_era(Era::Modern) {
        let bed = bed(client, declared());
        for peer in peers(Era::Legacy) {
            let at_once = bed.driver.call(&peer.name_of("job"), json!({}));
            assert_eq!(at_once.result()["resultType"], "complete", "{}", at_once.raw);
            let refused = bed.driver.call(&peer.name_of("must"), json!({}));
            assert_eq!(refused.error_code(), -32602, "{}", refused.raw);
            assert!(refused.error_text().contains("2025-11-25"), "{}", refused.raw);
            assert!(bed.conf.ledger("task", peer.name).is_empty());
        }
    }
}

#[test]
fn each_era_is_shown_what_it_can_call() {
    for client in CLIENTS {
        let bed = bed(client, declared());
        let list = bed.driver.request("tools/list", json!({}));
        let tools = list.result()["tools"].as_array().expect("a list");
        for peer in &PEERS {
            let shown = |own: &str| tools.iter().find(|tool| tool["name"] == peer.name_of(own).as_str());
            let both = [client.0, peer.era];
            assert_eq!(shown("must").is_some(), both != [Era::Modern, Era::Legacy], "{both:?}");
            let execution = shown("job").expect("it is shown").get("execution");
            assert_eq!(execution.is_some(), both == [Era::Legacy, Era::Legacy], "{both:?}");
        }
    }
}

#[test]
fn a_server_without_tasks_shows_none() {
    let tool = r#"{"name":"odd","inputSchema":{"type":"object"},"execution":{"taskSupport":"required"}}"#;
    let conf = TempConf::with(|conf| {
        let script = conf.dir().join("script");
        let lists = json!({ "tools/list": format!(r#""result":{{"tools":[{tool}]}}"#) });
        std::fs::write(&script, lists.to_string()).expect("the folder is writable");
        servers([("a", conf.fake("a").args(&["--script", &script.display().to_string()]))])
    });
    for client in [conf.legacy(), conf.modern()] {
        let list = client.request("tools/list", json!({}));
        assert_eq!(list.tools(), ["a__odd"]);
        assert!(!list.raw.contains("execution"), "{}", list.raw);
    }
}

#[test]
fn a_server_that_runs_a_task_is_not_idle() {
    let conf = TempConf::with(|conf| {
        let brief = |name: &str| conf.fake(name).args(&["--tasks"]).set("idleTimeout", "300ms");
        servers([("lp", brief("lp")), ("other", brief("other"))])
    });
    let client = Driver::start(Gateway::on(&conf), Era::Legacy, Transport::Stdio, declared());
    let peer = Peer { name: "lp", era: Era::Legacy, behind: Transport::Stdio };
    client.request("tools/list", json!({})).result();
    let id = begin(&client, &peer, "job", json!({}));
    // What has nothing to do since then is stopped, and this one is not.
    let pid: u32 = client.call("other__pid", json!({})).text().parse().expect("a number");
    eventually("another server is idle", || !conf.processes().contains(&pid));
    let spawned = conf.spawns("lp");
    let pid: u32 = client.call("lp__pid", json!({})).text().parse().expect("a number");
    assert_eq!(text(about(&client, "tasks/get", &id).result(), "/status"), "working");
    assert_eq!(conf.spawns("lp"), spawned, "the same process still has it");
    client.call("lp__finish", json!({ "task": "task-1" })).result();
    eventually("it is stopped once the task is over", || !conf.processes().contains(&pid));
}

#[test]
fn a_modern_client_that_listens_hears_of_its_tasks() {
    const TAG: &str = "/params/_meta/io.modelcontextprotocol~1subscriptionId";
    for client in of_era(Era::Modern) {
        let bed = bed(client, declared());
        for peer in peers(Era::Modern) {
            let (id, other) =
                (begin(&bed.driver, peer, "job", json!({})), begin(&bed.driver, peer, "job", json!({})));
            let wanted = json!({ "notifications": { "taskIds": [id, "task-1", "task-2"] } });
            let listen = bed.driver.begin("subscriptions/listen", wanted);
            let tagged = |message: &Message| message.json.pointer(TAG) == Some(&listen);
            let ack = bed.driver.wait("the acknowledgement", |message| {
                message.method() == "notifications/subscriptions/acknowledged" && tagged(message)
            });
            assert_eq!(ack.json["params"]["notifications"], json!({ "taskIds": [id] }), "{}", ack.raw);
            for own in ["task-2", "task-1"] {
                bed.driver.call(&peer.name_of("finish"), json!({ "task": own })).result();
            }
            let told = bed.driver.wait("the end of the task", |message| {
                message.method() == "notifications/tasks" && tagged(message)
            });
            assert_eq!(text(&told.json, "/params/taskId"), id, "the other one was not asked for");
            assert_eq!(text(&told.json, "/params/result/content/0/text"), "task-1 is done");
            assert!(told.raw.contains(r#""x-unknown":1e2"#), "{}", told.raw);
            assert_eq!(text(about(&bed.driver, "tasks/get", &other).result(), "/status"), "completed");
            bed.driver.cancel(&listen);
        }
    }
}

#[test]
fn who_does_not_declare_tasks_cannot_listen_to_any() {
    for client in of_era(Era::Modern) {
        let bed = bed(client, json!({}));
        let wanted = json!({ "notifications": { "toolsListChanged": true, "taskIds": ["x"] } });
        let refused = bed.driver.request("subscriptions/listen", wanted);
        assert_eq!(refused.error_code(), -32021, "{}", refused.raw);
    }
}
