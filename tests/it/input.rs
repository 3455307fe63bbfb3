//! Whatever a client writes gets one answer, and the connection lives.
//!
//! Faulty servers are in `crash.rs`.

use crate::support::dice::Dice;
use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

fn one() -> (Arc<TempConf>, StdioClient) {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.legacy();
    (conf, client)
}

/// Sends a line and returns the one error it must cause; `id` is the id of that error.
fn refused(client: &StdioClient, line: &str, id: &Value) -> Message {
    let before = client.answers(id);
    client.send(line);
    client.request("ping", json!({})).result();
    let shown: String = line.chars().take(80).collect();
    assert_eq!(client.answers(id), before + 1, "answers to `{shown}`");
    let newest = client.messages().into_iter().rfind(|message| message.answers(id)).expect("it was counted");
    newest.error_code();
    newest
}

#[test]
fn an_unknown_tool_is_invalid_params_naming_it() {
    let (conf, client) = one();
    for name in ["a__nothing", "nothing", "", "A__pid", "a__pid ", "a__PID"] {
        let answer = client.call(name, json!({}));
        assert_eq!(answer.error_code(), -32602, "{}", answer.raw);
        assert!(answer.error_text().contains(name), "{}", answer.raw);
    }
    assert_eq!(client.request("prompts/get", json!({ "name": "a__nothing" })).error_code(), -32602);
    assert!(conf.ledger("call", "a").is_empty());
}

#[test]
fn calls_with_wrong_parameters_are_invalid_params() {
    let (conf, client) = one();
    for params in
        [json!({}), json!({ "name": 7 }), json!({ "Name": "a__pid" }), json!([]), json!({ "name": null })]
    {
        let answer = client.request("tools/call", params.clone());
        assert!([-32602, -32600].contains(&answer.error_code()), "{params}: {}", answer.raw);
    }
    for params in [json!({}), json!({ "uri": 7 })] {
        assert_eq!(client.request("resources/read", params).error_code(), -32602);
    }
    assert!(conf.ledger("call", "a").is_empty());
}

#[test]
fn lines_that_are_not_json_are_parse_errors() {
    let (_conf, client) = one();
    for line in ["not json", "{", r#"{"jsonrpc":"2.0","id":1"#, "\u{feff}{}", "nul", "\"text\\"] {
        assert_eq!(refused(&client, line, &Value::Null).error_code(), -32700, "{line}");
    }
}

#[test]
fn json_that_is_no_message_is_an_invalid_request() {
    let (_conf, client) = one();
    for line in ["[]", "7", "null", r#""text""#, r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, "{}"] {
        assert_eq!(refused(&client, line, &Value::Null).error_code(), -32600, "{line}");
    }
    for (line, id) in [
        (r#"{"jsonrpc":"2.0","id":"v1"}"#, json!("v1")),
        (r#"{"jsonrpc":"1.0","id":"v2","method":"ping"}"#, json!("v2")),
        (r#"{"jsonrpc":"2.0","id":"v3","method":7}"#, json!("v3")),
        (r#"{"id":"v4","method":"ping"}"#, json!("v4")),
    ] {
        let answer = client.exchange(line, &id);
        assert_eq!(answer.error_code(), -32600, "{line}");
    }
    for id in ["null", "1.5", "true", "[1]", r#"{"a":1}"#, "1e30"] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert_eq!(refused(&client, &line, &Value::Null).error_code(), -32600, "{line}");
    }
}

#[test]
fn an_empty_line_and_crlf_are_no_problem() {
    let (_conf, client) = one();
    client.send_bytes(b"\r\n\n{\"jsonrpc\":\"2.0\",\"id\":\"crlf\",\"method\":\"ping\"}\r\n");
    client.answer(&json!("crlf")).result();
}

#[test]
fn a_line_that_is_not_utf8_is_a_parse_error() {
    let (conf, client) = one();
    client.send_bytes(b"{\"jsonrpc\":\"2.0\",\"id\":\"u\",\"method\":\"tools/call\",\"params\":{\"name\":\"a__pid\",\"x\":\"\xff\"}}\n");
    client.wait("an error", |message| message.json.get("error").is_some());
    client.request("ping", json!({})).result();
    assert!(conf.ledger("call", "a").is_empty());
}

#[test]
fn an_id_in_use_is_refused_and_the_first_call_goes_on() {
    let (conf, client) = one();
    let call = |tool: &str, ms: u64| {
        let params = json!({ "name": tool, "arguments": { "ms": ms } });
        json!({ "jsonrpc": "2.0", "id": "twin", "method": "tools/call", "params": params }).to_string()
    };
    client.send(&call("a__sleep", 400));
    client.send(&call("a__counter", 0));
    client.wait("the answer to the first", |message| {
        message.answers(&json!("twin")) && message.raw.contains("slept")
    });
    client.wait("a refusal", |message| message.json["error"]["code"] == -32600);
    assert!(!conf.ledger("call", "a").iter().any(|line| line.ends_with("counter")));
    assert_eq!(client.exchange(&call("a__pid", 0), &json!("twin")).id(), "twin");
}

#[test]
fn duplicate_keys_where_they_decide_are_refused() {
    let (conf, client) = one();
    let rest = r#""jsonrpc":"2.0","method":"tools/call""#;
    for (n, members) in [
        format!(r#"{{{rest},"id":"ID","params":{{"name":"a__pid","name":"a__counter"}}}}"#),
        format!(r#"{{{rest},"id":"ID","params":{{"name":"a__pid","\u006eame":"a__counter"}}}}"#),
        format!(r#"{{{rest},"id":"ID","params":{{"name":"a__pid"}},"params":{{"name":"a__counter"}}}}"#),
        format!(r#"{{{rest},"id":"ID","method":"ping","params":{{"name":"a__pid"}}}}"#),
        format!(r#"{{{rest},"id":"ID","params":{{"name":"a__pid","_meta":{{"x":1,"x":2}}}}}}"#),
        format!(r#"{{{rest},"id":"ID","params":{{"name":"a__pid","arguments":{{}},"arguments":{{}}}}}}"#),
    ]
    .iter()
    .enumerate()
    {
        let line = members.replace("ID", &format!("dup-{n}"));
        client.send(&line);
        let answer = client.wait(&line, |message| {
            message.json.get("error").is_some()
                && (message.answers(&json!(format!("dup-{n}"))) || message.id().is_null())
        });
        assert!([-32600, -32602].contains(&answer.error_code()), "{line}: {}", answer.raw);
    }
    client.send(&format!(r#"{{{rest},"id":"twice","id":"twice-2","params":{{"name":"a__pid"}}}}"#));
    client.wait("a refusal without an id", |m| m.json.get("error").is_some() && m.id().is_null());
    assert!(conf.ledger("call", "a").is_empty(), "{:?}", conf.ledger("call", "a"));
}

#[test]
fn duplicate_keys_inside_arguments_pass_as_they_are() {
    let (_conf, client) = one();
    let line = r#"{"jsonrpc":"2.0","id":"d","method":"tools/call","params":{"name":"a__echo","arguments":{"x":1,"x":2}}}"#;
    assert!(client.exchange(line, &json!("d")).raw.contains(r#""structuredContent":{"x":1,"x":2}"#));
}

#[test]
fn a_line_over_the_limit_is_one_error_and_the_connection_lives() {
    let (conf, client) = one();
    let big = "x".repeat(17 << 20);
    let params = format!(r#"{{"name":"a__echo","arguments":{{"x":"{big}"}}}}"#);
    client.send(&format!(r#"{{"jsonrpc":"2.0","id":"big","method":"tools/call","params":{params}}}"#));
    client.request("ping", json!({})).result();
    let errors: Vec<Message> =
        client.messages().into_iter().filter(|m| m.json.get("error").is_some()).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(conf.ledger("call", "a").is_empty());
}

#[test]
fn a_line_nested_too_deep_is_one_error_and_the_connection_lives() {
    let (conf, client) = one();
    for depth in [140, 200_000] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let params = format!(r#"{{"name":"a__echo","arguments":{{"x":{deep}}}}}"#);
        let before = client.messages().len();
        client.send(&format!(r#"{{"jsonrpc":"2.0","id":"deep","method":"tools/call","params":{params}}}"#));
        client.request("ping", json!({})).result();
        let errors =
            client.messages().into_iter().skip(before).filter(|m| m.json.get("error").is_some()).count();
        assert_eq!(errors, 1, "depth {depth}");
    }
    assert!(conf.ledger("call", "a").is_empty());
}

#[test]
fn answers_and_notifications_nobody_waits_for_are_ignored() {
    let (_conf, client) = one();
    let before = client.messages().len();
    client.send(r#"{"jsonrpc":"2.0","id":77,"result":{}}"#);
    client.send(r#"{"jsonrpc":"2.0","id":77,"error":{"code":1,"message":"x"}}"#);
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/nothing","params":{"x":1}}"#);
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":12345}}"#);
    client.request("ping", json!({})).result();
    assert_eq!(client.messages().len(), before + 1);
}

#[test]
fn a_call_hidden_on_a_line_of_its_own_reaches_the_server_inside_its_line() {
    let conf =
        TempConf::with(|conf| servers([("a", conf.fake("a").set("excludeTools", json!(["counter"])))]));
    let gateway = Gateway::on(&conf).http();
    for client in [gateway.legacy(), gateway.modern()] {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}
        });
        let meta = if client.session.is_some() { json!({}) } else { meta };
        let hidden =
            r#"{"jsonrpc":"2.0","id":666,"method":"tools/call","params":{"name":"counter","arguments":{}}}"#;
        for end in ["\n", "\r\n", "\r"] {
            let body = format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":1,{end}\"method\":\"tools/call\",\"params\":{{\"name\":\"a__echo\",\"_meta\":{meta},\
                 \"arguments\":{{\"x\":{end}{hidden}{end}}}}}{end}}}"
            );
            let headers = [("mcp-method", "tools/call"), ("mcp-name", "a__echo")];
            let answer = client.post(&body, &headers).expect(200).answer();
            assert_eq!(answer.result()["structuredContent"]["x"]["id"], 666, "{}", answer.raw);
        }
    }
    let seen = gateway.legacy().call("a__seen", json!({})).texts();
    let lines: Vec<&String> = seen.iter().filter(|line| line.contains("666")).collect();
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|line| line.contains(r#""name":"echo""#)), "{lines:?}");
    assert!(!conf.ledger("call", "a").iter().any(|line| line.ends_with("counter")));
}

#[test]
fn requests_before_initialize_do_not_break_anything() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = Gateway::on(&conf).stdio();
    client.request("ping", json!({})).result();
    let early = client.request("tools/list", json!({}));
    assert!(early.json.get("result").is_some() || early.json.get("error").is_some());
    client.initialize();
    client.request("tools/list", json!({})).result();
}

#[test]
fn modern_requests_without_their_meta_are_refused() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.modern();
    let send = |id: &str, meta: Value| {
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list", "params": { "_meta": meta } });
        client.exchange(&body.to_string(), &json!(id))
    };
    let version = "io.modelcontextprotocol/protocolVersion";
    let capabilities = "io.modelcontextprotocol/clientCapabilities";
    assert_eq!(send("m1", json!({ version: "2026-07-28" })).error_code(), -32602);
    let answer = send("m2", json!({ version: "2099-01-01", capabilities: {} }));
    assert_eq!(answer.error_code(), -32022);
    assert_eq!(answer.json["error"]["data"]["requested"], "2099-01-01");
    assert!(answer.json["error"]["data"]["supported"].to_string().contains("2026-07-28"));
}

#[test]
fn stdout_carries_nothing_but_messages() {
    let conf = TempConf::with(|conf| {
        let noisy = conf.fake("noisy").args(&["--banner", "--stderr-flood", "100000"]);
        servers([
            ("a", conf.fake("a")),
            ("noisy", noisy),
            ("broken", conf.fake("broken").args(&["--exit-at-start", "3"])),
        ])
    });
    let client = conf.legacy();
    client.call("a__die", json!({})).error_code();
    client.send("not json");
    conf.write_text("{ broken");
    client.call("noisy__pid", json!({})).result();
    client.close();
    assert_eq!(client.exit().code(), Some(0));
    for message in client.messages() {
        assert_eq!(message.json["jsonrpc"], "2.0", "{}", message.raw);
    }
}

#[test]
fn spoilt_lines_never_break_the_connection() {
    let (_conf, client) = one();
    let good = [
        r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"a__echo","arguments":{"a":[1,2,{"b":"c"}]}}}"#,
        r#"{"jsonrpc":"2.0","id":"x","method":"resources/read","params":{"uri":"fake-a://item/0"}}"#,
        r#"{"jsonrpc":"2.0","id":"x","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x"}}"#,
    ];
    let mut dice = Dice(7);
    for n in 0..1500 {
        let mut bytes = good[dice.roll(good.len())].as_bytes().to_vec();
        for _ in 0..=dice.roll(3) {
            let at = dice.roll(bytes.len());
            match dice.roll(4) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = b"{}[]\",:x0\\ \t"[dice.roll(12)],
                2 => bytes[at] = u8::try_from(dice.roll(256)).unwrap_or_default(),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes.retain(|byte| *byte != b'\n');
        bytes.push(b'\n');
        client.send_bytes(&bytes);
        if n % 100 == 99 {
            client.request("ping", json!({})).result();
        }
    }
    client.call("a__pid", json!({})).result();
    assert!(client.messages().iter().all(|message| message.json["jsonrpc"] == "2.0"));
    assert!(!client.stderr().contains("panicked"), "{}", client.stderr());
}

#[test]
fn numbers_and_texts_at_the_edge_are_answered() {
    let (_conf, client) = one();
    for (n, arguments) in
        [r#"{"x":1e400}"#, r#"{"x":"\ud800"}"#, r#"{"x":-0}"#, r#"{"x":"\u0000"}"#].iter().enumerate()
    {
        let id = format!("edge {n}");
        let params = format!(r#"{{"name":"a__echo","arguments":{arguments}}}"#);
        client.send(&format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"tools/call","params":{params}}}"#));
        client.wait(&id, |message| message.raw.contains(&id) || message.id().is_null());
    }
    client.call("a__pid", json!({})).result();
}
