//! Calls that go on as tasks: each era has tasks of its own kind, and no way to the other one.
//!
//! Whose task it is, restarts and notifications are in `tasks.rs` of the tests beside the matrix.

use crate::matrix::cell::Cell;
use crate::support::bed::Bed;
use crate::support::bed::Peer;
use crate::support::driver::Era;
use crate::support::message::Message;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;

/// The id that every server gives, so that only the gateway's own can tell them apart.
const OWN: &str = "own \u{e9} 1";

/// A server with tasks of its era; `needs_task` is a tool that runs in no other way.
pub fn server(conf: &TempConf, peer: &Peer) -> Vec<String> {
    let id = json!(OWN);
    let tool = |name: &str, support: &str| {
        let execution = if peer.era == Era::Legacy { format!(r#","execution":{{"taskSupport":"{support}"}}"#) } else { String::new() };
        format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}{execution}}}"#)
    };
    let tools = [tool("play", "optional"), tool("seen", "forbidden"), tool("needs_task", "required")].join(",");
    let (capabilities, script) = match peer.era {
        Era::Legacy => (
            r#"{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}"#,
            json!({
                "tools/list": format!(r#""result":{{"tools":[{tools}]}}"#),
                "tasks/get": format!(r#""result":{{"taskId":{id},"status":"completed","ttl":60000,"x-unknown":1e2}}"#),
                "tasks/result": format!(
                    r#""result":{{"content":[],"structuredContent":{{"taskId":{id}}},"_meta":{{"io.modelcontextprotocol/related-task":{{"taskId":{id}}}}}}}"#
                ),
                "tasks/cancel": format!(r#""result":{{"taskId":{id},"status":"cancelled","ttl":60000}}"#),
            }),
        ),
        Era::Modern => (
            r#"{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
            json!({
                "tools/list": format!(r#""result":{{"resultType":"complete","ttlMs":0,"cacheScope":"public","tools":[{tools}]}}"#),
                "tasks/get": format!(
                    r#""result":{{"resultType":"complete","taskId":{id},"status":"completed","ttlMs":60000,"result":{{"content":[],"structuredContent":{{"taskId":{id}}}}},"x-unknown":1e2}}"#
                ),
                "tasks/update": r#""result":{"resultType":"complete"}"#,
                "tasks/cancel": r#""result":{"resultType":"complete"}"#,
            }),
        ),
    };
    Bed::play(conf, peer, &script);
    let file = Bed::script(conf, peer).display().to_string();
    vec!["--script".into(), file, "--capabilities".into(), capabilities.into()]
}

/// A call that the server answers with a task.
fn begin(cell: &Cell<'_>) -> Message {
    let id = json!(OWN);
    let times = r#""createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z""#;
    let answer = match cell.peer.era {
        Era::Legacy => format!(r#""result":{{"task":{{"taskId":{id},"status":"working",{times},"ttl":60000,"x-unknown":1e2}}}}"#),
        Era::Modern => format!(r#""result":{{"resultType":"task","taskId":{id},"status":"working",{times},"ttlMs":60000,"x-unknown":1e2}}"#),
    };
    let mut params = cell.params("play", json!({ "steps": [{ "answer": answer }] }));
    if !cell.modern_client() {
        params["task"] = json!({ "ttl": 60000 });
    }
    cell.client().request("tools/call", params)
}

fn last_task_id(cell: &Cell<'_>, method: &str) -> Value {
    let seen = cell.seen();
    let last = seen.iter().rfind(|one| one.method() == method);
    last.unwrap_or_else(|| panic!("the server got no {method}")).json["params"]["taskId"].clone()
}

pub fn works(cell: &Cell<'_>) {
    assert!(cell.client().request("tools/list", json!({})).tools().contains(&cell.peer.name_of("needs_task")));
    let begun = begin(cell);
    let pointer = if cell.modern_client() { "/result/taskId" } else { "/result/task/taskId" };
    let id = begun.json.pointer(pointer).unwrap_or_else(|| panic!("no task: {}", begun.raw)).clone();
    assert_ne!(id, OWN, "the id is the gateway's");
    assert!(begun.raw.contains(r#""x-unknown":1e2"#), "{}", begun.raw);
    let client = cell.client();
    let got = client.request("tasks/get", json!({ "taskId": id }));
    assert_eq!((&got.result()["taskId"], &got.result()["status"]), (&id, &json!("completed")));
    assert!(got.raw.contains(r#""x-unknown":1e2"#), "{}", got.raw);
    assert_eq!(last_task_id(cell, "tasks/get"), OWN);
    if cell.modern_client() {
        assert_eq!(got.json.pointer("/result/result/structuredContent/taskId"), Some(&json!(OWN)), "what is inside is data");
        client.request("tasks/update", json!({ "taskId": id, "inputResponses": {} })).result();
        assert_eq!(last_task_id(cell, "tasks/update"), OWN);
    } else {
        let ended = client.request("tasks/result", json!({ "taskId": id }));
        assert_eq!(ended.json.pointer("/result/_meta/io.modelcontextprotocol~1related-task/taskId"), Some(&id));
        assert_eq!(ended.json.pointer("/result/structuredContent/taskId"), Some(&json!(OWN)), "what is inside is data");
        assert!(client.request("tasks/list", json!({})).raw.contains(&id.to_string()));
    }
    client.request("tasks/cancel", json!({ "taskId": id })).result();
    assert_eq!(last_task_id(cell, "tasks/cancel"), OWN);
    assert_eq!(client.request("tasks/get", json!({ "taskId": OWN })).error_code(), -32602, "its own id means nothing");
}

pub fn refused(cell: &Cell<'_>) {
    let client = cell.client();
    let tools = client.request("tools/list", json!({}));
    assert!(!cell.modern_client() || !tools.raw.contains("\"execution\""), "{}", tools.raw);
    if cell.peer.era == Era::Legacy {
        assert!(!tools.tools().contains(&cell.peer.name_of("needs_task")), "a tool that only runs as a task");
    }
    assert!(begin(cell).json.get("error").is_some(), "a task of the other era is no result");
    assert_eq!(client.request("tasks/get", json!({ "taskId": OWN })).error_code(), -32602);
    cell.call("play", json!({})).result();
}
