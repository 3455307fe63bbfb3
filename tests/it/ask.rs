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
