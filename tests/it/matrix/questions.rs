//! Questions of servers to the client that caused them.
//!
//! Refusals, limits and whose question it is are in `ask.rs`.

use crate::matrix::cell::Cell;
use crate::support::driver::Conversation;
use crate::support::driver::Era;
use crate::support::message::Message;
use serde_json::json;

/// Has the server ask one question; what the client was asked, and what the server got.
fn ask(cell: &Cell<'_>, method: &str, params: &str, answer: &str) -> (Message, String) {
    let runs = cell.ledger("call", "play");
    let question = format!(r#""method":"{method}","params":{params}"#);
    let call = cell.params("play", json!({ "steps": [{ "ask": question }] }));
    let Conversation { questions, answer } = cell.client().converse("tools/call", call, &[(method, answer)]);
    let [(asked, seen)] = questions.as_slice() else {
        panic!("asked {questions:?}, answered {}", answer.raw)
    };
    assert_eq!(asked, method);
    let heard = Message::new(answer.texts().pop().expect("the server was answered"));
    let path: &[&str] = if cell.peer.era == Era::Modern { &["q0"] } else { &["result"] };
    let heard = heard.raw_at(path).unwrap_or_else(|| panic!("the server got {}", heard.raw));
    let expected = if cell.peer.era == Era::Modern { 2 } else { 1 };
    assert_eq!(cell.ledger("call", "play") - runs, expected, "a tool of a legacy server runs once");
    (Message::new(&**seen), heard)
}

pub fn form(cell: &Cell<'_>) {
    let schema =
        r#"{"type":"object","properties":{"z":{"type":"string","pattern":"^a"}},"required":["z"],"x":1e2}"#;
    let params = format!(r#"{{"mode":"form","message":"Who are you?","requestedSchema":{schema}}}"#);
    let given = r#"{"action":"accept","content":{"z":"a\u00e9","n":1e2}}"#;
    let (asked, heard) = ask(cell, "elicitation/create", &params, given);
    assert_eq!(asked.raw_at(&["requestedSchema"]).as_deref(), Some(schema));
    assert!(
        asked.json["message"].as_str().is_some_and(|text| text.contains("Who are you?")),
        "{}",
        asked.raw
    );
    assert_eq!(heard, given);
    let (_, heard) = ask(cell, "elicitation/create", &params, r#"{"action":"decline"}"#);
    assert_eq!(heard, r#"{"action":"decline"}"#);
}

pub fn url(cell: &Cell<'_>) {
    let url = "https://a.example/consent?q=%20x&state=1";
    let mut params = json!({ "mode": "url", "message": "Please open", "url": url });
    if cell.peer.era == Era::Legacy {
        params["elicitationId"] = json!("e-1");
    }
    let (asked, heard) = ask(cell, "elicitation/create", &params.to_string(), r#"{"action":"accept"}"#);
    assert_eq!(asked.json["url"], url);
    assert_eq!(asked.json["mode"], "url");
    assert_eq!(heard, r#"{"action":"accept"}"#);
}

pub fn sampling(cell: &Cell<'_>) {
    let tools = r#"[{"name":"t","inputSchema":{"type":"object","x":1e2}}]"#;
    let messages = r#"[{"role":"user","content":{"type":"text","text":"a","x":null}}]"#;
    let params = format!(
        r#"{{"messages":{messages},"maxTokens":7,"tools":{tools},"toolChoice":{{"mode":"auto"}},"includeContext":"allServers"}}"#
    );
    let given =
        r#"{"role":"assistant","content":{"type":"text","text":"b","x":1e2},"model":"m","stopReason":"x"}"#;
    let (asked, heard) = ask(cell, "sampling/createMessage", &params, given);
    assert_eq!(asked.raw_at(&["tools"]).as_deref(), Some(tools), "tools of a question keep their names");
    assert_eq!(asked.raw_at(&["messages"]).as_deref(), Some(messages));
    assert_ne!(asked.json["includeContext"], "allServers", "one server does not see what others said");
    assert_eq!(heard, given);
}

pub fn roots(cell: &Cell<'_>) {
    let given = r#"{"roots":[{"uri":"file:///a%20b","name":"a","x":1e2}]}"#;
    // A legacy server that was not seen asking yet is shared, and is shown no folders.
    let question = json!({ "steps": [{ "ask": r#""method":"roots/list","params":{}"# }] });
    let first = cell.params("play", question);
    cell.client().converse("tools/call", first, &[("roots/list", given)]);
    let (_, heard) = ask(cell, "roots/list", "{}", given);
    assert_eq!(heard, given);
}
