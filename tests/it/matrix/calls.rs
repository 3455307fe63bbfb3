//! Calls and what stands in their results.
//!
//! Exact bytes are in `fidelity.rs`.

use crate::matrix::cell::Cell;
use serde_json::Value;
use serde_json::json;

pub fn call(cell: &Cell<'_>) {
    let client = cell.client();
    let listed = |method: &str, member: &str, key: &str| client.request(method, json!({})).keys(member, key);
    assert!(listed("tools/list", "tools", "name").contains(&cell.peer.name_of("echo")));
    assert!(listed("prompts/list", "prompts", "name").contains(&cell.peer.name_of("greet")));
    let uri = format!("fake-{}://item/1", cell.peer.name);
    assert!(listed("resources/list", "resources", "uri").contains(&uri));
    let template = format!("fake-{}://by-name/{{name}}", cell.peer.name);
    assert!(listed("resources/templates/list", "resourceTemplates", "uriTemplate").contains(&template));
    let echoed = cell.call("echo", json!({ "a": [1, null] }));
    assert_eq!(echoed.text(), r#"{"a":[1,null]}"#);
    assert_eq!(cell.call("fail", json!({})).result()["isError"], true);
    assert_eq!(cell.call("error", json!({ "code": -31000 })).error_code(), -31000);
    assert_eq!(cell.call("no_such_tool", json!({})).error_code(), -32602);
    let prompt = client
        .request("prompts/get", json!({ "name": cell.peer.name_of("greet"), "arguments": { "who": "me" } }));
    let said = format!("greet me from {}", cell.peer.name);
    assert_eq!(prompt.result().pointer("/messages/0/content/text"), Some(&json!(said)));
    let read = client.request("resources/read", json!({ "uri": uri }));
    assert_eq!(
        read.result().pointer("/contents/0/text"),
        Some(&json!(format!("content of {}", cell.peer.name)))
    );
    let kind = echoed.result().get("resultType").and_then(Value::as_str);
    assert_eq!(kind, cell.modern_client().then_some("complete"));
    assert_eq!(read.result().get("ttlMs").is_some(), cell.modern_client());
}

pub fn structured_content(cell: &Cell<'_>) {
    let content = r#"{"z":1e2,"a":[null,{"n":123456789012345678901234567890}]}"#;
    let answer = cell.call("echo", json!({}));
    assert_eq!(answer.raw_at(&["result", "structuredContent"]).as_deref(), Some("{}"));
    let first =
        if cell.peer.era == crate::support::driver::Era::Modern { r#""resultType":"complete","# } else { "" };
    let members = format!(r#""result":{{{first}"content":[],"structuredContent":{content}}}"#);
    let answer = cell.call("members", json!({ "members": members }));
    assert_eq!(answer.raw_at(&["result", "structuredContent"]).as_deref(), Some(content));
}

pub fn unknown_fields(cell: &Cell<'_>) {
    let answer = cell.call("echo", json!({}));
    let odd = r#"{"big":123456789012345678901234567890,"exp":1e2,"neg":-0.0}"#;
    assert_eq!(answer.raw_at(&["result", "x-unknown"]).as_deref(), Some(odd));
    assert_eq!(answer.result()["content"][1]["type"], "x-odd");
    let mut params = cell.params("params", json!({}));
    params["x-unknown"] = json!({ "deep": [null] });
    let seen = cell.client().request("tools/call", params);
    assert!(seen.text().contains(r#""x-unknown":{"deep":[null]}"#), "{}", seen.text());
}

pub fn completion(cell: &Cell<'_>) {
    let reference = json!({ "type": "ref/prompt", "name": cell.peer.name_of("greet") });
    let params = json!({ "ref": reference, "argument": { "name": "who", "value": "v" } });
    let answer = cell.client().request("completion/complete", params);
    assert_eq!(answer.result()["completion"]["values"], json!(["v-one", "v-two"]));
    assert_eq!(answer.result()["x-ref"]["name"], "greet");
    let uri = format!("fake-{}://by-name/{{name}}", cell.peer.name);
    let params = json!({ "ref": { "type": "ref/resource", "uri": uri }, "argument": { "name": "name", "value": "w" } });
    let answer = cell.client().request("completion/complete", params);
    assert_eq!(answer.result()["completion"]["values"], json!(["w-one", "w-two"]));
}
