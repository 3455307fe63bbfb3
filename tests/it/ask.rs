//! Questions of servers to the client whose call caused them.

use crate::support::gateway::Gateway;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

/// The demo server whose tool `plan_lunch` asks the user with a form.
fn workshop() -> Arc<TempConf> {
    let conf = TempConf::new();
    conf.write(&json!({ "mcpServers": {
        "w": { "command": env!("CARGO_BIN_EXE_mcp-manifold"), "args": ["demo-server", "workshop"] }
    } }));
    conf
}

/// A legacy client with these capabilities.
fn client(conf: &Arc<TempConf>, capabilities: Value) -> StdioClient {
    let client = Gateway::on(conf).stdio();
    let params = json!({
        "protocolVersion": "2025-11-25", "capabilities": capabilities,
        "clientInfo": { "name": "asked", "version": "1" }
    });
    client.request("initialize", params).result();
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    client
}

#[test]
fn a_form_reaches_the_client_that_called_and_its_answer_the_server() {
    let conf = workshop();
    let client = client(&conf, json!({ "elicitation": {} }));
    let call = client.begin_call("w__plan_lunch", json!({}));
    let question = client.wait("the form", |message| message.method() == "elicitation/create");
    let question: Value = serde_json::from_str(&question.raw).expect("a message is JSON");
    assert!(question["params"]["requestedSchema"].is_object(), "{question}");
    let answer = json!({
        "jsonrpc": "2.0", "id": question["id"],
        "result": { "action": "accept", "content": { "dish": "soup" } }
    });
    client.send(&answer.to_string());
    assert!(client.answer(&call).text().contains("soup"));
}

#[test]
fn a_client_that_cannot_be_asked_is_not_asked() {
    let conf = workshop();
    let client = client(&conf, json!({}));
    let answer = client.call("w__plan_lunch", json!({}));
    assert!(answer.raw.contains("isError"), "{}", answer.raw);
    assert!(client.notifications("elicitation/create").is_empty());
}

#[test]
fn a_question_of_a_modern_server_passes_inside_the_result() {
    let conf = workshop();
    conf.write(&json!({ "mcpServers": {
        "w": { "command": env!("CARGO_BIN_EXE_mcp-manifold"), "args": ["demo-server", "workshop"], "era": "modern" }
    } }));
    let client = Gateway::on(&conf).stdio();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } }
    });
    let first = json!({ "name": "w__plan_lunch", "arguments": {}, "_meta": meta });
    let asked = client.request("tools/call", first.clone());
    let asked = asked.result();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let key =
        asked["inputRequests"].as_object().and_then(|all| all.keys().next().cloned()).expect("a question");
    let mut again = first;
    again["inputResponses"] = json!({ key: { "action": "accept", "content": { "dish": "soup" } } });
    if let Some(state) = asked.get("requestState") {
        again["requestState"] = state.clone();
    }
    let planned = client.request("tools/call", again);
    assert!(planned.raw.contains("soup"), "{}", planned.raw);
}

/// A legacy server that says what a test writes down.
fn scripted() -> Arc<TempConf> {
    let conf = TempConf::new();
    let fake = conf.fake("s").args(&["--era", "legacy"]).json();
    conf.write(&json!({ "mcpServers": { "s": fake } }));
    conf
}

#[test]
fn a_question_that_the_server_takes_back_is_taken_back_at_the_client() {
    let client = client(&scripted(), json!({ "elicitation": {} }));
    let ask = r#"{"jsonrpc":"2.0","id":"mine","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}}}}"#;
    let back = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"mine"}}"#;
    let done = r#""result":{"content":[]}"#;
    let steps = json!([{ "say": ask }, { "say": back }, { "answer": done }]);
    client.call("s__play", json!({ "steps": steps })).result();
    let question = client.wait("the question", |message| message.method() == "elicitation/create");
    let taken = client.notifications("notifications/cancelled");
    let [taken] = taken.as_slice() else { panic!("taken back {} times", taken.len()) };
    assert_eq!(taken.json["params"]["requestId"], *question.id());
    assert!(
        question.json["params"]["message"].as_str().is_some_and(|text| text.contains("[s]")),
        "{}",
        question.raw
    );
}

#[test]
fn a_user_who_never_answers_does_not_keep_a_call_for_ever() {
    let conf = TempConf::new();
    let fake = conf.fake("s").args(&["--era", "legacy"]).set("callTimeoutMs", 300).json();
    conf.write(&json!({ "gateway": { "answerTimeout": "500ms" }, "mcpServers": { "s": fake } }));
    let client = client(&conf, json!({ "elicitation": {} }));
    let ask = r#""method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}}}"#;
    let given_up = client.call("s__play", json!({ "steps": [{ "ask": ask }] }));
    assert!(given_up.error_text().contains("server `s`"), "{}", given_up.raw);
    let question = client.wait("the question", |message| message.method() == "elicitation/create");
    let taken = client.wait("its end", |message| message.method() == "notifications/cancelled");
    assert_eq!(taken.json["params"]["requestId"], *question.id());
}

#[test]
fn the_client_that_opened_a_page_hears_that_it_is_done() {
    let client = client(&scripted(), json!({ "elicitation": { "url": {} } }));
    let ask = r#""method":"elicitation/create","params":{"mode":"url","message":"go","url":"https://a.example/","elicitationId":"e-1"}"#;
    let call = client.begin_call("s__play", json!({ "steps": [{ "ask": ask }] }));
    let question = client.wait("the page", |message| message.method() == "elicitation/create");
    client.send(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"accept"}}}}"#, question.id()));
    client.answer(&call).result();
    let say = |id: &str| {
        let text = r#"{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"$id","x":1e2}}"#;
        json!({ "say": text.replace("$id", id) })
    };
    let steps = json!([say("e-2"), say("e-1"), say("e-1"), { "answer": r#""result":{"content":[]}"# }]);
    client.call("s__play", json!({ "steps": steps })).result();
    let told = client.notifications("notifications/elicitation/complete");
    let [told] = told.as_slice() else { panic!("told {} times", told.len()) };
    assert_eq!(told.raw_at(&["params"]).as_deref(), Some(r#"{"elicitationId":"e-1","x":1e2}"#));
}

#[test]
fn a_page_that_an_error_names_is_heard_of_when_it_is_done() {
    let client = client(&scripted(), json!({ "elicitation": { "url": {} } }));
    let error = r#""error":{"code":-32042,"message":"first","data":{"elicitations":[{"mode":"url","message":"m","url":"https://a.example/","elicitationId":"e-9"}]}}"#;
    let refused = client.call("s__play", json!({ "steps": [{ "answer": error }] }));
    assert_eq!(refused.error_code(), -32042, "{}", refused.raw);
    let done =
        r#"{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"e-9"}}"#;
    let steps = json!([{ "say": done }, { "answer": r#""result":{"content":[]}"# }]);
    client.call("s__play", json!({ "steps": steps })).result();
    assert_eq!(client.notifications("notifications/elicitation/complete").len(), 1);
}

#[test]
fn the_same_page_id_of_another_server_is_another_page() {
    let conf = TempConf::new();
    let fake = |name: &str| conf.fake(name).args(&["--era", "legacy"]).set("sharing", "shared").json();
    conf.write(&json!({ "mcpServers": { "s": fake("s"), "t": fake("t") } }));
    let client = client(&conf, json!({ "elicitation": { "url": {} } }));
    let ask = r#""method":"elicitation/create","params":{"mode":"url","message":"go","url":"https://a.example/","elicitationId":"1"}"#;
    let call = client.begin_call("s__play", json!({ "steps": [{ "ask": ask }] }));
    let question = client.wait("the page", |message| message.method() == "elicitation/create");
    client.send(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"accept"}}}}"#, question.id()));
    client.answer(&call).result();
    let done =
        r#"{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"1"}}"#;
    let steps = json!({ "steps": [{ "say": done }, { "answer": r#""result":{"content":[]}"# }] });
    for (tool, times) in [("t__play", 0), ("s__play", 1)] {
        client.call(tool, steps.clone()).result();
        let told = client.notifications("notifications/elicitation/complete").len();
        assert_eq!(told, times, "{tool}");
    }
}
