//! Calls of modern clients that wait at a legacy server for an answer of the user.
//!
//! That they work in every pair of transports is `matrix.rs`; here is what may go wrong with them.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const FORM: &str = r#""method":"elicitation/create","params":{"message":"sure?","requestedSchema":{"type":"object","properties":{}}}"#;

/// A gateway in front of the legacy servers `a` and `b`, with these settings.
fn conf(settings: &Value) -> Arc<TempConf> {
    let conf = TempConf::new();
    // Else a server that asked would have another process for the next call.
    let fake = |name: &str| conf.fake(name).args(&["--era", "legacy"]).set("sharing", "shared").json();
    conf.write(&json!({ "gateway": settings, "mcpServers": { "a": fake("a"), "b": fake("b") } }));
    conf
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {}, "url": {} } }
    })
}

fn asking(steps: &[&str]) -> Value {
    let steps: Vec<Value> = steps.iter().map(|ask| json!({ "ask": ask })).collect();
    json!({ "name": "a__play", "arguments": { "steps": steps }, "_meta": meta() })
}

/// The call once more, with an answer to every question.
fn again(params: &Value, asked: &Message) -> Value {
    let asked = asked.result();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let keys = asked["inputRequests"].as_object().expect("questions").keys();
    let answers: serde_json::Map<String, Value> =
        keys.map(|key| (key.clone(), json!({ "action": "accept", "content": {} }))).collect();
    let mut params = params.clone();
    params["inputResponses"] = Value::Object(answers);
    params["requestState"] = asked["requestState"].clone();
    params
}

fn runs(conf: &TempConf) -> usize {
    conf.ledger("call", "a").iter().filter(|line| line.contains("play")).count()
}

fn cancelled(client: &StdioClient) -> Vec<String> {
    let seen =
        client.request("tools/call", json!({ "name": "a__cancelled", "arguments": {}, "_meta": meta() }));
    seen.texts()
}

#[test]
fn a_state_is_good_once_for_its_call_only_and_the_tool_runs_once() {
    let conf = conf(&json!({}));
    let client = Gateway::on(&conf).stdio();
    let call = asking(&[FORM]);
    let asked = client.request("tools/call", call.clone());
    let state = asked.result()["requestState"].as_str().expect("a state").to_owned();
    assert!(state.len() >= 32, "{state}");

    let mut other = again(&call, &asked);
    other["name"] = json!("b__play");
    assert_eq!(client.request("tools/call", other).error_code(), -32602);
    let mut forged = again(&call, &asked);
    forged["requestState"] = json!(state.replace(|c: char| c.is_ascii_digit(), "0"));
    assert_eq!(client.request("tools/call", forged).error_code(), -32602);

    let back = again(&call, &asked);
    let answer = client.request("tools/call", back.clone());
    assert!(answer.raw.contains("accept"), "{}", answer.raw);
    let used = client.request("tools/call", back);
    assert_eq!(used.error_code(), -32602, "{}", used.raw);
    assert!(used.error_text().contains("requestState"), "{}", used.raw);
    assert_eq!(runs(&conf), 1);
}

#[test]
fn another_caller_cannot_come_back_with_it() {
    let tokens =
        json!({ "http": { "bearerTokens": ["first-token-of-the-test", "second-token-of-the-test"] } });
    let gateway = Gateway::on(&conf(&tokens)).http();
    let client = gateway.modern();
    let post = |params: &Value, token: &str| {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
        let bearer = format!("Bearer {token}");
        let more = [("Authorization", &*bearer), ("Mcp-Method", "tools/call"), ("Mcp-Name", "a__play")];
        client.post(&body, &more).answer()
    };
    let call = asking(&[FORM]);
    let asked = post(&call, "first-token-of-the-test");
    let back = again(&call, &asked);
    assert_eq!(post(&back, "second-token-of-the-test").error_code(), -32602);
    assert!(post(&back, "first-token-of-the-test").raw.contains("accept"));
    assert_eq!(runs(gateway.conf()), 1);
}

#[test]
fn nobody_comes_back_so_the_server_is_told_and_the_call_cancelled() {
    let conf = conf(&json!({ "answerTimeout": "300ms" }));
    let client = Gateway::on(&conf).stdio();
    let call = asking(&[FORM, FORM]);
    let asked = client.request("tools/call", call.clone());
    eventually("the call is cancelled", || !cancelled(&client).is_empty());
    let late = client.request("tools/call", again(&call, &asked));
    assert_eq!(late.error_code(), -32602, "{}", late.raw);
    assert_eq!(runs(&conf), 1);
}

#[test]
fn beyond_the_limit_the_server_hears_cancel_and_the_call_goes_on() {
    let client = Gateway::on(&conf(&json!({ "limits": { "parkedPerCaller": 1 } }))).stdio();
    let call = asking(&[FORM]);
    let waits = client.request("tools/call", call.clone());
    let second = client.request("tools/call", call.clone());
    assert!(second.raw.contains("cancel"), "{}", second.raw);
    assert!(client.request("tools/call", again(&call, &waits)).raw.contains("accept"));
}

#[test]
fn one_question_after_the_other_is_one_run() {
    let conf = conf(&json!({}));
    let client = Gateway::on(&conf).stdio();
    let call = asking(&[FORM, FORM, FORM]);
    let mut asked = client.request("tools/call", call.clone());
    let mut states = Vec::new();
    for _ in 0..3 {
        states.push(asked.result()["requestState"].clone());
        asked = client.request("tools/call", again(&call, &asked));
    }
    assert_eq!(asked.result()["resultType"], "complete", "{}", asked.raw);
    states.dedup();
    assert_eq!(states.len(), 3);
    assert_eq!(runs(&conf), 1);
}

#[test]
fn a_client_that_answers_something_else_is_asked_again() {
    let client = Gateway::on(&conf(&json!({}))).stdio();
    let call = asking(&[FORM]);
    let asked = client.request("tools/call", call.clone());
    let mut wrong = again(&call, &asked);
    wrong["inputResponses"] = json!({ "unknown": {} });
    let asked = client.request("tools/call", wrong);
    assert!(client.request("tools/call", again(&call, &asked)).raw.contains("accept"));
}

#[test]
fn a_server_that_dies_meanwhile_is_named_to_who_comes_back() {
    let client = Gateway::on(&conf(&json!({}))).stdio();
    let call = asking(&[FORM]);
    let asked = client.request("tools/call", call.clone());
    client.request("tools/call", json!({ "name": "a__die", "arguments": {}, "_meta": meta() }));
    let answer = client.request("tools/call", again(&call, &asked));
    assert!(answer.error_text().contains("server `a`"), "{}", answer.raw);
}

#[test]
fn a_removed_server_gives_up_what_waits_for_a_user() {
    let settings = json!({ "drainTimeout": "200ms" });
    let conf = conf(&settings);
    let client = Gateway::on(&conf).stdio();
    let pid = json!({ "name": "a__pid", "arguments": {}, "_meta": meta() });
    let pid: u32 = client.request("tools/call", pid).text().parse().expect("a number");
    let call = asking(&[FORM]);
    let asked = client.request("tools/call", call.clone());
    let b = conf.fake("b").args(&["--era", "legacy"]).json();
    conf.write(&json!({ "gateway": settings, "mcpServers": { "b": b } }));
    eventually("the removed server is gone", || !conf.processes().contains(&pid));
    let late = client.request("tools/call", again(&call, &asked));
    assert!(late.error_text().contains("unknown tool"), "{}", late.raw);
}

#[test]
fn a_client_that_declares_nothing_is_not_asked() {
    let client = Gateway::on(&conf(&json!({}))).stdio();
    let mut call = asking(&[FORM]);
    call["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    let answer = client.request("tools/call", call);
    assert!(answer.raw.contains("cannot answer"), "{}", answer.raw);
}

#[test]
fn a_page_to_open_first_is_a_question_and_the_call_is_made_anew() {
    let conf = conf(&json!({}));
    let client = Gateway::on(&conf).stdio();
    let page = json!({ "mode": "url", "message": "log in", "url": "https://a.example/?x=%20", "elicitationId": "1" });
    let error = json!({ "code": -32042, "message": "first", "data": { "elicitations": [page] } });
    let steps = json!([{ "answer": format!("\"error\":{error}") }]);
    let call = json!({ "name": "a__play", "arguments": { "steps": steps }, "_meta": meta() });
    let asked = client.request("tools/call", call.clone());
    let questions = asked.result()["inputRequests"].as_object().expect("questions").clone();
    let question = questions.values().next().expect("one");
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(question["params"]["url"], "https://a.example/?x=%20");
    assert!(question["params"].get("elicitationId").is_none(), "{question}");
    let second = client.request("tools/call", again(&call, &asked));
    assert_eq!(second.result()["resultType"], "input_required");
    assert_eq!(runs(&conf), 2);
}

#[test]
fn a_page_is_answered_for_itself_and_for_no_question_of_the_call_after_it() {
    let conf = conf(&json!({}));
    let client = Gateway::on(&conf).stdio();
    let error = r#""error":{"code":-32042,"message":"first","data":{"elicitations":[{"mode":"url","message":"m","url":"https://a.example/"}]}}"#;
    let steps = json!([{ "answer": error }]);
    let call = json!({ "name": "a__play", "arguments": { "steps": steps }, "_meta": meta() });
    let asked = client.request("tools/call", call.clone());

    let mut opened = again(&call, &asked);
    opened["arguments"]["steps"] = json!([{ "ask": FORM }]);
    let asked = client.request("tools/call", opened).result()["inputRequests"].clone();
    let form = asked.as_object().and_then(|all| all.values().next()).expect("the form is asked");
    assert_eq!(form["params"]["message"], "[a] sure?");

    let asked = client.request("tools/call", call.clone());
    let mut declined = again(&call, &asked);
    for answer in declined["inputResponses"].as_object_mut().expect("answers").values_mut() {
        *answer = json!({ "action": "decline" });
    }
    let refused = client.request("tools/call", declined);
    assert!(refused.error_text().contains("first"), "{}", refused.raw);
    assert_eq!(runs(&conf), 3);
}

#[test]
fn a_server_that_does_not_wait_for_its_answer_is_told_that_none_comes() {
    let client = Gateway::on(&conf(&json!({}))).stdio();
    let question = format!(r#"{{"jsonrpc":"2.0","id":"mine",{FORM}}}"#);
    let steps = json!([{ "say": question }, { "answer": r#""result":{"content":[]}"# }]);
    let call = json!({ "name": "a__play", "arguments": { "steps": steps }, "_meta": meta() });
    assert_eq!(client.request("tools/call", call).result()["resultType"], "complete");
    let seen = json!({ "name": "a__seen", "arguments": {}, "_meta": meta() });
    eventually("the server is answered", || {
        let lines = client.request("tools/call", seen.clone()).texts();
        lines.iter().any(|line| line.contains(r#""id":"mine""#) && line.contains("cancel"))
    });
}

#[test]
fn questions_of_one_name_are_told_apart() {
    let client = Gateway::on(&conf(&json!({}))).stdio();
    let named = |id: u8| {
        let meta = r#""_meta":{"io.github.mcp-manifold/inputKey":"who"}"#;
        let params =
            format!(r#"{{"message":"{id}","requestedSchema":{{"type":"object","properties":{{}}}},{meta}}}"#);
        json!({ "say": format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"elicitation/create","params":{params}}}"#) })
    };
    let steps = json!([named(1), named(2), { "ask": FORM }]);
    let call = json!({ "name": "a__play", "arguments": { "steps": steps }, "_meta": meta() });
    let asked = client.request("tools/call", call.clone());
    let asked_for = asked.result()["inputRequests"].as_object().expect("questions").len();
    assert_eq!(asked_for, 3, "{}", asked.raw);
    assert!(client.request("tools/call", again(&call, &asked)).raw.contains("accept"));
}

#[test]
fn a_server_that_fails_without_a_capability_is_refused_as_the_revision_says() {
    let client = Gateway::on(&conf(&json!({}))).stdio();
    let sample = r#""method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}"#;
    let error = r#""error":{"code":-32603,"message":"no model"}"#;
    let steps = json!([{ "ask": sample }, { "answer": error }]);
    for capabilities in [json!({}), json!({ "elicitation": {} })] {
        let mut meta = meta();
        meta["io.modelcontextprotocol/clientCapabilities"] = capabilities;
        let call = json!({ "name": "a__play", "arguments": { "steps": steps }, "_meta": meta });
        let refused = client.request("tools/call", call);
        assert_eq!(refused.error_code(), -32021, "{}", refused.raw);
        assert_eq!(refused.json["error"]["data"]["requiredCapabilities"], json!({ "sampling": {} }));
    }
}
