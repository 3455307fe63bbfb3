//! Calls that go on as tasks: each era has tasks of its own kind, and no way to the other one.
//!
//! Whose a task is, and what becomes of it, is in the tests named after them beside the matrix.

use crate::matrix::cell::Cell;
use crate::support::driver::Era;
use crate::support::message::Message;
use serde_json::json;

/// The id that every server gives first.
const OWN: &str = "task-1";

/// A call that may become a task.
fn begin(cell: &Cell<'_>, tool: &str) -> Message {
    let mut params = cell.params(tool, json!({}));
    if !cell.modern_client() {
        params["task"] = json!({ "ttl": 60000 });
    }
    cell.client().request("tools/call", params)
}

pub fn works(cell: &Cell<'_>) {
    let client = cell.client();
    assert!(client.request("tools/list", json!({})).tools().contains(&cell.peer.name_of("must")));
    let begun = begin(cell, "must");
    let pointer = if cell.modern_client() { "/result/taskId" } else { "/result/task/taskId" };
    let id = begun.json.pointer(pointer).unwrap_or_else(|| panic!("no task: {}", begun.raw)).clone();
    assert_ne!(id, OWN, "the id is the gateway's");
    assert!(begun.raw.contains(r#""x-unknown":1e2"#), "{}", begun.raw);
    let get = || client.request("tasks/get", json!({ "taskId": id }));
    assert_eq!((&get().result()["taskId"], &get().result()["status"]), (&id, &json!("working")));
    cell.call("finish", json!({ "task": OWN })).result();
    assert_eq!(get().result()["status"], "completed");
    let ended = if cell.modern_client() {
        get().raw_at(&["result", "result"]).expect("the result of the call")
    } else {
        client.request("tasks/result", json!({ "taskId": id })).raw_result()
    };
    assert!(ended.contains("task-1 is done"), "{ended}");
    client.request("tasks/cancel", json!({ "taskId": id })).result();
    assert_eq!(cell.ledger("tasks/cancel", OWN), 1);
    assert_eq!(client.request("tasks/get", json!({ "taskId": OWN })).error_code(), -32602);
}

pub fn refused(cell: &Cell<'_>) {
    let client = cell.client();
    let tools = client.request("tools/list", json!({}));
    assert!(!cell.modern_client() || !tools.raw.contains("\"execution\""), "{}", tools.raw);
    if cell.peer.era == Era::Legacy {
        assert!(!tools.tools().contains(&cell.peer.name_of("must")), "a tool that runs as a task only");
        assert_eq!(begin(cell, "job").result()["resultType"], "complete");
    } else {
        assert_eq!(begin(cell, "job").error_code(), -32601);
    }
    assert_eq!(cell.ledger("task", OWN), 0, "no task was begun");
    assert_eq!(client.request("tasks/get", json!({ "taskId": OWN })).error_code(), -32602);
    cell.call("job", json!({})).result();
}
