//! Calls arrive, and their answers come back, as they were sent.
//!
//! Faulty servers are in `crash.rs`.

use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::message::Message;
use crate::support::stdio_client::StdioClient;
use crate::support::stdio_client::with_modern_meta;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::fake_mcp;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::process::Command;
use std::sync::Arc;

const ODD: &str = concat!(
    r#"{ "a":1e2, "b" : [1.0,1E+2,-0.0,123456789012345678901234567890] ,"c":"\u00e9\/é\ud83d\ude00","#,
    r#""dup":{"x":1,"x":2},"name":"other","text":"two\nlines","":{},"d":[ ] }"#
);

/// The parameters of a request, as text: nothing may change a byte of `arguments`.
fn call_params(tool: &str, arguments: &str, modern: bool) -> String {
    let meta =
        if modern { format!(r#","_meta":{}"#, with_modern_meta(json!({}))["_meta"]) } else { String::new() };
    format!(r#"{{"name":"{tool}","arguments":{arguments}{meta}}}"#)
}

fn line(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":"fidelity","method":"{method}","params":{params}}}"#)
}

/// Asks a fake server without a gateway between.
fn direct(modern: bool, method: &str, params: &str) -> Message {
    let mut command = Command::new(fake_mcp());
    command.args(["--name", "a", "--era", if modern { "modern" } else { "legacy" }]);
    let fake = StdioClient::spawn(command, None);
    let fake = if modern { fake } else { fake.legacy() };
    fake.exchange(&line(method, params), &json!("fidelity"))
}

/// Asks over HTTP with a body as it stands.
fn over_http(gateway: &HttpGateway, modern: bool, method: &str, params: &str) -> Message {
    let name = serde_json::from_str::<Value>(params).expect("JSON")["name"].as_str().map(str::to_owned);
    let client = if modern { gateway.modern() } else { gateway.legacy() };
    let mut headers = Vec::new();
    if modern {
        headers.push(("mcp-method", method));
        headers.extend(name.as_deref().map(|name| ("mcp-name", name)));
    }
    client.post(&line(method, params), &headers).expect(200).answer()
}

fn assert_same_bytes(through: &Message, direct: &Message, what: &str) {
    assert_eq!(through.raw_result(), direct.raw_result(), "{what}");
}

/// Every front in front of every transport behind, one era on both sides.
fn fidelity(modern: bool) {
    let expected = direct(modern, "tools/call", &call_params("echo", ODD, modern));
    assert!(expected.raw_result().contains(ODD));
    let conf = TempConf::new();
    let era = if modern { "modern" } else { "legacy" };
    let web = conf.http_fake("a", &["--era", era]);
    let stream = conf.http_fake("a-sse", &["--era", era, "--sse"]);
    let pipe = conf.fake("a").args(&["--era", era]);
    conf.write(&servers([("pipe", pipe), ("web", web.entry()), ("stream", stream.entry())]));
    let stdio = if modern { conf.modern() } else { conf.legacy() };
    let http = Gateway::on(&conf).http();
    for server in ["pipe", "web", "stream"] {
        let params = call_params(&format!("{server}__echo"), ODD, modern);
        let answer = stdio.exchange(&line("tools/call", &params).replace("fidelity", server), &json!(server));
        assert_same_bytes(&answer, &expected, &format!("{server} over stdio"));
        assert_same_bytes(
            &over_http(&http, modern, "tools/call", &params),
            &expected,
            &format!("{server} over HTTP"),
        );
    }
}

#[test]
fn legacy_results_are_byte_identical_on_every_transport() {
    fidelity(false);
}

#[test]
fn modern_results_are_byte_identical_on_every_transport() {
    fidelity(true);
}

#[test]
fn resources_prompts_and_completions_are_byte_identical() {
    for modern in [false, true] {
        let era = if modern { "modern" } else { "legacy" };
        let conf = TempConf::with(|conf| servers([("a", conf.fake("a").args(&["--era", era]))]));
        let client = if modern { conf.modern() } else { conf.legacy() };
        let meta = if modern {
            format!(r#","_meta":{}"#, with_modern_meta(json!({}))["_meta"])
        } else {
            String::new()
        };
        let cases = [
            ("resources/read", format!(r#"{{"uri":"fake-a://item/1"{meta}}}"#)),
            ("resources/read", format!(r#"{{"uri":"fake-a://by-name/x%20y"{meta}}}"#)),
            ("prompts/get", format!(r#"{{"name":"greet","arguments":{{"who":"é"}}{meta}}}"#)),
            (
                "completion/complete",
                format!(
                    r#"{{"ref":{{"type":"ref/resource","uri":"fake-a://by-name/{{name}}"}},"argument":{{"name":"name","value":"v"}}{meta}}}"#
                ),
            ),
        ];
        for (n, (method, params)) in cases.iter().enumerate() {
            let renamed = params.replace("\"greet\"", "\"a__greet\"");
            let sent = line(method, &renamed).replace("fidelity", &n.to_string());
            let answer = client.exchange(&sent, &json!(n.to_string()));
            assert_same_bytes(&answer, &direct(modern, method, params), method);
        }
    }
}

#[test]
fn a_completion_for_a_prompt_reaches_the_server_under_its_own_name() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.legacy();
    let params = json!({
        "ref": { "type": "ref/prompt", "name": "a__greet", "title": "kept" },
        "argument": { "name": "who", "value": "v" }, "context": { "arguments": { "x": "y" } }
    });
    let answer = client.request("completion/complete", params);
    assert_eq!(answer.result()["x-ref"], json!({ "type": "ref/prompt", "name": "greet", "title": "kept" }));
    assert_eq!(answer.result()["x-context"], json!({ "arguments": { "x": "y" } }));
    assert_eq!(answer.result()["completion"]["values"], json!(["v-one", "v-two"]));
}

#[test]
fn errors_of_servers_pass_with_their_code_text_and_data() {
    for modern in [false, true] {
        let conf = TempConf::with(|conf| {
            servers([("a", conf.fake("a").args(&["--era", if modern { "modern" } else { "legacy" }]))])
        });
        let client = if modern { conf.modern() } else { conf.legacy() };
        let answer = client.call("a__error", json!({}));
        let expected = direct(modern, "tools/call", &call_params("error", "{}", modern));
        assert_eq!(answer.raw_error(), expected.raw_error());
        let failed = client.call("a__fail", json!({}));
        assert_eq!(
            failed.raw_result(),
            direct(modern, "tools/call", &call_params("fail", "{}", modern)).raw_result()
        );
    }
}

#[test]
fn a_missing_resource_has_the_error_code_of_the_clients_era() {
    for server_is_modern in [false, true] {
        let era = if server_is_modern { "modern" } else { "legacy" };
        let conf = TempConf::with(|conf| servers([("a", conf.fake("a").args(&["--era", era]))]));
        let params = json!({ "uri": "fake-a://by-none" });
        assert_eq!(conf.legacy().request("resources/read", params.clone()).error_code(), -32002);
        assert_eq!(conf.modern().request("resources/read", params).error_code(), -32602);
    }
}

#[test]
fn a_modern_client_gets_modern_results_from_a_legacy_server() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.modern();
    let answer = client.exchange(&line("tools/call", &call_params("a__echo", ODD, true)), &json!("fidelity"));
    assert_eq!(answer.result()["resultType"], "complete");
    assert!(answer.raw.contains(&format!(r#""structuredContent":{ODD}"#)), "{}", answer.raw);
    assert!(
        answer.raw.contains(r#""x-unknown" :{"big":123456789012345678901234567890,"exp":1e2,"neg":-0.0}"#)
    );
    let read = client.request("resources/read", json!({ "uri": "fake-a://item/0" }));
    assert!(read.result()["ttlMs"].is_u64() && read.result()["cacheScope"].is_string(), "{}", read.raw);
}

#[test]
fn a_legacy_client_gets_legacy_results_from_a_modern_server() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").modern())]));
    let client = conf.legacy();
    let answer =
        client.exchange(&line("tools/call", &call_params("a__echo", ODD, false)), &json!("fidelity"));
    assert!(answer.result().get("resultType").is_none(), "{}", answer.raw);
    assert!(answer.raw.contains(&format!(r#""structuredContent":{ODD}"#)), "{}", answer.raw);
    let read = client.request("resources/read", json!({ "uri": "fake-a://item/0" }));
    assert!(
        read.result().get("ttlMs").is_none() && read.result().get("cacheScope").is_none(),
        "{}",
        read.raw
    );
}

#[test]
fn a_server_sees_its_own_tool_name_and_only_end_to_end_meta() {
    let conf =
        TempConf::with(|conf| servers([("old", conf.fake("old")), ("new", conf.fake("new").modern())]));
    let meta =
        json!({ "vendor/x": { "y": 1 }, "traceparent": "00-1-2-01", "tracestate": "t", "baggage": "b" });
    for client in [conf.legacy(), conf.modern()] {
        for server in ["old", "new"] {
            let params = json!({ "name": format!("{server}__params"), "arguments": { "name": "kept" }, "_meta": meta });
            let answer = client.request("tools/call", params);
            let seen: Value = serde_json::from_str(answer.text()).expect("the parameters");
            assert_eq!(seen["name"], "params");
            assert_eq!(seen["arguments"], json!({ "name": "kept" }));
            for key in ["vendor/x", "traceparent", "tracestate", "baggage"] {
                assert_eq!(seen["_meta"][key], meta[key], "{server}: {seen}");
            }
            let version = seen["_meta"].get("io.modelcontextprotocol/protocolVersion");
            assert_eq!(version.is_some(), server == "new", "{server}: {seen}");
            assert!(!seen.to_string().contains("\"rig\""), "the client's own info went on: {seen}");
        }
    }
}

#[test]
fn pretty_printed_answers_lose_only_their_line_breaks() {
    let conf = TempConf::new();
    let web = conf.http_fake("web", &["--pretty"]);
    conf.write(&servers([("web", web.entry())]));
    let client = conf.legacy();
    let answer =
        client.exchange(&line("tools/call", &call_params("web__echo", ODD, false)), &json!("fidelity"));
    assert!(answer.raw.contains(&format!(r#""structuredContent":{ODD}"#)), "{}", answer.raw);
    assert!(answer.result()["structuredContent"]["text"].as_str().is_some_and(|text| text == "two\nlines"));
}

#[test]
fn a_large_result_arrives_whole() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let answer = conf.legacy().call("a__line", json!({ "mib": 5 }));
    assert_eq!(answer.text().len(), 5 << 20);
}

#[test]
fn many_clients_with_the_same_ids_get_their_own_answers() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a")), ("b", conf.fake("b").modern())]));
    let gateway = Arc::new(Gateway::on(&conf).http());
    gateway.legacy().request("tools/list", json!({})).result();
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let gateway = Arc::clone(&gateway);
            scope.spawn(move || {
                let client = if worker % 2 == 0 { gateway.legacy() } else { gateway.modern() };
                for n in 0..20 {
                    let tool = if n % 2 == 0 { "a__echo" } else { "b__echo" };
                    let answer = client.call(tool, json!({ "worker": worker, "n": n }));
                    assert_eq!(answer.result()["structuredContent"], json!({ "worker": worker, "n": n }));
                }
            });
        }
    });
    assert_eq!((conf.spawns("a"), conf.spawns("b")), (1, 1));
}

#[test]
fn ids_of_clients_come_back_as_they_were_sent() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.legacy();
    for id in [r#""a \u00e9 / b""#, "0", "-7", "9007199254740993", r#""""#] {
        client.send(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"a__pid"}}}}"#
        ));
        let value: Value = serde_json::from_str(id).expect("JSON");
        let answer = client.answer(&value);
        assert!(answer.raw.contains(&format!(r#""id":{id}"#)), "{}", answer.raw);
    }
}

#[test]
fn ping_and_set_level_are_answered_to_legacy_clients_and_unknown_to_modern_ones() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let legacy = conf.legacy();
    assert_eq!(legacy.request("ping", json!({})).result(), &json!({}));
    legacy.request("logging/setLevel", json!({ "level": "debug" })).result();
    let modern = conf.modern();
    for method in ["ping", "logging/setLevel", "resources/subscribe", "no/such"] {
        assert_eq!(modern.request(method, json!({})).error_code(), -32601, "{method}");
    }
    assert_eq!(legacy.request("no/such", json!({})).error_code(), -32601);
}

#[test]
fn log_lines_of_a_server_reach_the_client_that_asked_for_them() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.legacy();
    client.request("logging/setLevel", json!({ "level": "info" })).result();
    client.call("a__log", json!({})).result();
    let log = client.wait("the log line", |message| message.method() == "notifications/message");
    assert!(log.raw.contains(r#""data":{"x-unknown":1e2,"text":"a log line"}"#), "{}", log.raw);
}

#[test]
fn an_http_server_that_forgot_its_session_is_initialized_once_more() {
    let conf = TempConf::new();
    let web = conf.http_fake("web", &[]);
    conf.write(&servers([("web", web.entry())]));
    let client = conf.legacy();
    client.call("web__forget_sessions", json!({})).result();
    assert_eq!(client.call("web__pid", json!({})).text(), web.pid().to_string());
}

#[test]
fn an_http_server_gets_its_own_headers_and_none_of_the_clients() {
    let conf = TempConf::new();
    let web = conf.http_fake("web", &["--era", "both", "--bearer", "its-own-key"]);
    let entry =
        web.entry().set("headers", json!({ "Authorization": "Bearer its-own-key", "X-Team": "blue" }));
    conf.write(&servers([("web", entry)]));
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    client.request("tools/list", json!({})).result();
    let body =
        json!({ "jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": { "name": "web__headers" } });
    let canary = [("authorization", "Bearer canary"), ("cookie", "canary"), ("x-forwarded-for", "canary")];
    let headers = client.post(&body.to_string(), &canary).expect(200).answer().texts();
    let has = |wanted: &str| headers.iter().any(|line| line.eq_ignore_ascii_case(wanted));
    assert!(has("authorization: Bearer its-own-key") && has("x-team: blue"), "{headers:?}");
    assert!(!headers.iter().any(|line| line.contains("canary")), "{headers:?}");
}

#[test]
fn a_server_gets_its_own_environment_and_nothing_secret_of_ours() {
    let conf = TempConf::with(|conf| {
        let mark = conf.mark();
        let entry = |own: &str| json!({ "MCP_MANIFOLD_TEST_MARK": mark, "OWN": own, "FROM_US": "${OURS}" });
        let (a, b) = (conf.fake("a").set("env", entry("of a")), conf.fake("b").set("env", entry("of b")));
        servers([("a", a), ("b", b)])
    });
    let client = Gateway::on(&conf).env("OURS", "passed").env("AWS_SECRET_KEY", "canary").stdio().legacy();
    let env = client.call("a__env", json!({})).text().to_owned();
    assert!(env.contains("OWN=of a") && env.contains("FROM_US=passed") && env.contains("PATH="), "{env}");
    assert!(!env.contains("canary") && !env.contains("of b"), "{env}");
}

#[test]
fn a_gateway_without_servers_answers_everything_with_nothing() {
    let client = Gateway::start(&json!({ "mcpServers": {} })).stdio().legacy();
    assert!(client.request("tools/list", json!({})).tools().is_empty());
    assert!(client.request("prompts/list", json!({})).keys("prompts", "name").is_empty());
    assert_eq!(client.call("a__pid", json!({})).error_code(), -32602);
}
