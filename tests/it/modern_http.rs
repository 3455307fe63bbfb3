//! What revision 2026-07-28 asks of an HTTP endpoint: statuses with their errors, hints for caches, headers of streams.
//!
//! Whether headers say what the body says is in `http.rs` and `param_headers.rs`.

use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::stdio_client::with_modern_meta;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

fn gateway() -> HttpGateway {
    let fakes = |conf: &TempConf| {
        servers([("old", conf.fake("old")), ("new", conf.fake("new").modern().args(&["--tasks"]))])
    };
    let gateway = Gateway::on(&TempConf::with(fakes)).http();
    gateway.modern().request("tools/list", json!({})).result();
    gateway
}

fn post(client: &HttpClient, method: &str, params: Value, headers: &[(&str, &str)]) -> (u16, Value) {
    let body = json!({ "jsonrpc": "2.0", "id": "i", "method": method, "params": params });
    let mut all = vec![("mcp-method", method)];
    all.extend(headers);
    let reply = client.post(&body.to_string(), &all);
    let (status, answer) = (reply.status, reply.answer());
    assert_eq!(answer.json["id"], "i");
    (status, answer.json["error"].clone())
}

#[test]
fn an_unknown_revision_is_told_which_are_known() {
    let (gateway, meta) = (gateway(), json!({ VERSION: "2099-01-01", CAPABILITIES: {} }));
    let params = json!({ "_meta": meta });
    let (status, error) =
        post(&gateway.modern(), "tools/list", params, &[("mcp-protocol-version", "2099-01-01")]);
    assert_eq!((status, &error["code"]), (400, &json!(-32022)));
    assert_eq!(error["data"]["requested"], "2099-01-01");
    let supported = error["data"]["supported"].as_array().expect("a list");
    assert!(supported.contains(&json!("2026-07-28")) && supported.contains(&json!("2025-11-25")));
}

#[test]
fn a_missing_capability_is_named() {
    let gateway = gateway();
    let client = gateway.modern();
    let task = json!({ "taskId": "any" });
    let (status, error) = post(&client, "tasks/get", with_modern_meta(task), &[("mcp-name", "any")]);
    assert_eq!((status, &error["code"]), (400, &json!(-32021)), "{error}");
    assert!(error["data"]["requiredCapabilities"]["extensions"]["io.modelcontextprotocol/tasks"].is_object());
    let data = r#""data":{"requiredCapabilities":{"sampling":{}},"x":1e2}"#;
    let answer = format!(r#""error":{{"code":-32021,"message":"needs more",{data}}}"#);
    let play = json!({ "name": "new__play", "arguments": { "steps": [{ "answer": answer }] } });
    let reply = client.begin("tools/call", play).head().expect(400).answer();
    assert_eq!(reply.error_code(), -32021);
    assert!(reply.raw.contains(data), "{}", reply.raw);
}

#[test]
fn every_list_says_how_long_and_for_whom_it_may_be_kept() {
    let gateway = gateway();
    let client = gateway.modern();
    let lists =
        ["server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list"];
    for method in lists {
        let result = client.request(method, json!({})).result().clone();
        assert!(result["ttlMs"].is_u64(), "{method}: {result}");
        // What somebody else may see can be less.
        assert_eq!(result["cacheScope"], "private", "{method}");
        assert_eq!(result["resultType"], "complete", "{method}");
    }
}

#[test]
fn required_headers_and_members_are_required() {
    let gateway = gateway();
    let client = gateway.modern();
    let list = with_modern_meta(json!({}));
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": list }).to_string();
    let method = ("mcp-method", "tools/list");
    for headers in
        [&[][..], &[method, ("mcp-protocol-version", "")], &[method, ("mcp-protocol-version", "2025-11-25")]]
    {
        let reply = client.post(&body, headers).expect(400).answer();
        assert_eq!(reply.error_code(), -32020, "{headers:?}");
    }
    for meta in [json!({ VERSION: "2026-07-28" }), json!({ CAPABILITIES: {} }), json!({})] {
        let (status, error) = post(&client, "tools/list", json!({ "_meta": meta }), &[]);
        assert_eq!((status, &error["code"]), (400, &json!(-32602)), "{meta}");
    }
    client.send("GET", &[("accept", "text/event-stream")]).expect(405);
    client.send("DELETE", &[]).expect(405);
}

#[test]
fn a_stream_is_not_buffered_and_cannot_be_resumed() {
    let gateway = gateway();
    for client in [gateway.modern(), gateway.legacy()] {
        let arguments = json!({ "n": 2, "ms": 1 });
        let params =
            json!({ "name": "old__slow_progress", "arguments": arguments, "_meta": { "progressToken": 1 } });
        let reply = client.begin("tools/call", params).head().expect(200);
        assert_eq!(reply.header("x-accel-buffering"), Some("no"));
        assert!(reply.header("cache-control").is_some_and(|said| said.contains("no-cache")));
        let modern = client.session.is_none();
        assert!(reply.events().iter().all(|(id, _)| id.is_empty() == modern));
    }
}
