//! The audit log: a line for each call and each decision, whatever names hold, without values, and never in the way.
//!
//! How the file grows and is put aside is tested beside `telemetry/audit.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::processes::signal;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

fn folder(audit: &Value, tools: &[&str]) -> Arc<TempConf> {
    TempConf::with(|conf| {
        let mut file = servers([("a", conf.fake("a").tools(tools).set("callTimeout", "300ms"))]);
        file["gateway"] = json!({ "audit": audit });
        file
    })
}

fn log(conf: &TempConf) -> PathBuf {
    conf.dir().join("logs/audit.log")
}

/// The lines, each of which is one JSON object, but for those that say that the log was opened.
fn lines(conf: &TempConf) -> Vec<Value> {
    let text = std::fs::read_to_string(log(conf)).unwrap_or_default();
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"));
    all.filter(|line| line["event"] != "opened").collect()
}

fn line(conf: &TempConf, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || lines(conf).iter().any(&fits));
    lines(conf).into_iter().find(|line| fits(line)).expect("it was there")
}

fn call(client: &StdioClient, name: &str, arguments: Value) -> String {
    client.request("tools/call", json!({"name": name, "arguments": arguments})).raw.clone()
}

#[test]
fn every_call_is_a_line_that_says_who_what_and_how_it_ended_without_values() {
    let conf = folder(&json!({"file": "logs/audit.log"}), &["echo", "fail", "error", "hang"]);
    let client = conf.legacy();
    call(&client, "a__echo", json!({"message": "canary-value", "list": [1, "canary-item"]}));
    call(&client, "a__fail", json!({}));
    call(&client, "a__error", json!({}));
    call(&client, "a__hang", json!({}));
    call(&client, "a__no\n\"such\u{202e}", json!({}));
    client.request("prompts/get", json!({"name": "a__greet", "arguments": {"who": "canary-who"}})).result();
    client.request("resources/read", json!({"uri": "fake-a://item/0"})).result();
    let of = |name: &'static str| line(&conf, name, |line| line["name"] == name);
    let echo = of("a__echo");
    assert_eq!(echo["arguments"], json!({"…": 2}), "names that its definition does not have");
    let expected = [("caller", "local"), ("method", "tools/call"), ("server", "a"), ("tool", "echo")];
    for (key, value) in expected.into_iter().chain([("decision", "allowed"), ("outcome", "result")]) {
        assert_eq!(echo[key], value, "{echo}");
    }
    assert!(echo["ms"].is_u64() && echo["request"].as_str().is_some_and(|id| id.contains('-')), "{echo}");
    assert!(
        echo["time"].as_str().is_some_and(|time| time.starts_with("20") && time.ends_with('Z')),
        "{echo}"
    );
    assert_eq!(of("a__fail")["outcome"], "tool-error");
    assert_eq!(of("a__error")["outcome"], "error");
    assert_eq!(
        (&of("a__hang")["outcome"], &of("a__hang")["decision"]),
        (&json!("timeout"), &json!("allowed"))
    );
    let denied = of("a__no\n\"such\u{202e}");
    assert_eq!((&denied["decision"], &denied["code"]), (&json!("denied"), &json!(-32602)));
    assert_eq!(of("a__greet")["arguments"], json!({"who": "string"}));
    assert_eq!(of("fake-a://item/0")["method"], "resources/read");
    let text = std::fs::read_to_string(log(&conf)).expect("it is there");
    assert!(!text.contains("canary") && !text.contains('\u{202e}'), "{text}");
    assert_eq!(lines(&conf).len(), 7, "lists are not written down");
}

#[test]
fn values_are_written_when_the_file_asks_for_them() {
    let conf = folder(&json!({"file": "logs/audit.log", "arguments": "values"}), &["echo"]);
    let client = conf.legacy();
    call(&client, "a__echo", json!({"message": "seen"}));
    assert_eq!(line(&conf, "values", |line| line["tool"] == "echo")["arguments"], json!({"message": "seen"}));
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_and_put_aside_when_it_has_grown() {
    use std::os::unix::fs::PermissionsExt;
    let conf = folder(&json!({"file": "logs/audit.log", "rotateBytes": 1024, "keep": 2}), &["echo"]);
    let client = conf.legacy();
    (0..20).for_each(|_| drop(call(&client, "a__echo", json!({}))));
    let aside = |n: usize| conf.dir().join(format!("logs/audit.log.{n}"));
    call(&client, "a__last", json!({}));
    // Nothing is put aside any more.
    line(&conf, "all is written", |line| line["name"] == "a__last");
    assert!(aside(2).exists());
    assert!(!aside(3).exists());
    for file in [log(&conf), aside(1), aside(2)] {
        let known = file.metadata().expect("it is there");
        assert!(known.permissions().mode() & 0o777 == 0o600 && known.len() <= 1024, "{known:?}");
    }
}

#[test]
fn while_nothing_can_be_written_calls_are_refused_or_go_on_as_the_file_says() {
    for (mode, refused) in [("refuse", true), ("ignore", false)] {
        let conf = folder(&json!({"file": "logs/audit.log", "onFailure": mode}), &["echo"]);
        let in_the_way = conf.dir().join("logs");
        std::fs::write(&in_the_way, "").expect("it is writable");
        let client = conf.legacy();
        let answer = call(&client, "a__echo", json!({}));
        assert_eq!(answer.contains("the audit log cannot be written"), refused, "{answer}");
        assert_eq!(conf.ledger("call", "a").is_empty(), refused);
        client.request("tools/list", json!({})).result();
        std::fs::remove_file(&in_the_way).expect("it is there");
        eventually("it goes on", || !call(&client, "a__echo", json!({})).contains("audit log"));
        line(&conf, "it is written", |line| line["outcome"] == "result");
    }
}

#[test]
fn what_is_denied_and_what_is_too_much_is_written_down() {
    let conf = TempConf::with(|conf| {
        let mut file = servers([("a", conf.fake("a").tools(&["echo", "pid"]))]);
        file["gateway"] = json!({
            "audit": {"file": "logs/audit.log"},
            "rates": {"perServer": {"rate": "1/1h"}},
            "access": {
                "policies": {"p": {"default": "execute", "rules": [{"server": "a", "tool": "pid", "level": "deny"}]}},
                "attach": {"callers": {"local": "p"}}
            }
        });
        file
    });
    let client = conf.legacy();
    call(&client, "a__pid", json!({}));
    call(&client, "a__echo", json!({"message": "one"}));
    call(&client, "a__echo", json!({}));
    let denied = line(&conf, "denied", |line| line["decision"] == "denied");
    assert_eq!((&denied["server"], &denied["tool"]), (&json!("a"), &json!("pid")), "{denied}");
    let limited = line(&conf, "limited", |line| line["decision"] == "limited");
    assert_eq!((&limited["tool"], &limited["outcome"]), (&json!("echo"), &json!("error")), "{limited}");
    assert_eq!(lines(&conf).iter().filter(|line| line["decision"] == "allowed").count(), 1);
}

#[test]
fn the_log_is_turned_on_while_the_gateway_runs() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").tools(&["echo"]))]));
    let client = conf.legacy();
    call(&client, "a__echo", json!({}));
    let mut file = servers([("a", conf.fake("a").tools(&["echo"]))]);
    file["gateway"] = json!({ "audit": {"file": "logs/audit.log"} });
    conf.write(&file);
    eventually("it is on", || {
        call(&client, "a__echo", json!({}));
        !lines(&conf).is_empty()
    });
}

const TOKEN: &str = "canary-token-canary-token";
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;

/// A gateway that takes one token, and lets nobody see its state.
fn guarded() -> (Arc<TempConf>, HttpGateway) {
    let conf = TempConf::with(|conf| {
        let mut file = servers([("a", conf.fake("a").tools(&["echo"]))]);
        file["gateway"] = json!({ "audit": {"file": "logs/audit.log"}, "http": {"bearerTokens": [TOKEN]} });
        file
    });
    let gateway = Gateway::on(&conf).http();
    (conf, gateway)
}

#[test]
fn who_does_not_show_who_they_are_is_written_down() {
    let (conf, gateway) = guarded();
    gateway.client().post(INITIALIZE, &[]).expect(401);
    let bearer = format!("Bearer {TOKEN}");
    let known = [("authorization", bearer.as_str()), ("mcp-protocol-version", "2025-11-25")];
    let session = gateway.client().post(INITIALIZE, &known[..1]).expect(200);
    let session = session.header("mcp-session-id").expect("a session").to_owned();
    let read = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "a__none"}});
    let headers = [known[0], known[1], ("mcp-session-id", session.as_str())];
    gateway.client().post(&read.to_string(), &headers).expect(200);
    let called = line(&conf, "the call", |line| line["name"] == "a__none");
    assert_eq!((&called["caller"], &called["principal"]), (&json!("token-1"), &json!("token:1")), "{called}");
    let refused = line(&conf, "the refusal", |line| line["event"] == "refused");
    let expected = [("decision", "denied"), ("outcome", "error"), ("front", "http"), ("peer", "127.0.0.1")];
    for (key, value) in expected.into_iter().chain([("method", "POST"), ("route", "/mcp")]) {
        assert_eq!(refused[key], value, "{refused}");
    }
    assert_eq!((&refused["code"], refused.get("caller")), (&json!(401), None), "{refused}");
}

#[test]
fn s17_every_kind_of_refusal_says_who_as_far_as_that_is_known() {
    let (conf, gateway) = guarded();
    let bearer = format!("Bearer {TOKEN}");
    let client = gateway.client();
    client.post(INITIALIZE, &[("origin", "https://evil.example")]).expect(403);
    let agent = [("authorization", bearer.as_str()), ("x-agent-id", "canary-agent")];
    client.post(INITIALIZE, &agent).expect(403);
    client.send("GET", &[("authorization", &bearer)]);
    let host = gateway.addr();
    client.post(INITIALIZE, &agent).expect(403);
    let wrong = "authorization: Bearer canary-wrong\r\n";
    let text =
        format!("GET /canary-path?token=canary HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{wrong}\r\n");
    client.raw(text.as_bytes()).head().expect(401);
    let of = |reason: &'static str| {
        line(&conf, reason, |line| line["reason"].as_str().is_some_and(|text| text.contains(reason)))
    };
    assert_eq!((&of("`Origin`")["code"], of("`Origin`").get("caller")), (&json!(403), None));
    let agent = of("may not name an agent");
    assert_eq!((&agent["caller"], &agent["principal"]), (&json!("token-1"), &json!("token:1")), "{agent}");
    // The same caller with the same outcome: the second is a count, written with the end of the gateway at the latest.
    let wrong = of("is not accepted");
    assert_eq!((&wrong["route"], &wrong["code"]), (&json!("other"), &json!(401)), "{wrong}");
    signal(gateway.pid(), Signal::TERM);
    gateway.exit();
    let more = line(&conf, "the count", |line| line["more"] == 1);
    assert_eq!((&more["caller"], &more["code"]), (&json!("token-1"), &json!(403)), "{more}");
    assert_eq!(lines(&conf).len(), 4, "what is merely wrong is no decision: {:?}", lines(&conf));
    assert!(!std::fs::read_to_string(log(&conf)).expect("it is there").contains("canary"));
}

#[test]
fn s18_a_flood_of_wrong_keys_is_a_few_lines() {
    const FLOOD: usize = 1000;
    let (conf, gateway) = guarded();
    let mut client = gateway.client();
    let mut statuses = [0; 2];
    for number in 0..FLOOD {
        client.bearer = Some(format!("wrong-{number}"));
        match client.post(INITIALIZE, &[]).status {
            401 => statuses[0] += 1,
            429 => statuses[1] += 1,
            other => panic!("{other}"),
        }
    }
    client.bearer = Some(TOKEN.to_owned());
    signal(gateway.pid(), Signal::TERM);
    gateway.exit();
    let lines = lines(&conf);
    // Two kinds, each with one line and one of counts for each minute that this takes.
    assert!((4..=12).contains(&lines.len()), "{lines:?}");
    for (status, (decision, count)) in
        [401, 429].into_iter().zip(["denied", "limited"].into_iter().zip(statuses))
    {
        let of: Vec<_> = lines.iter().filter(|line| line["code"] == status).collect();
        assert!(of.iter().all(|line| line["decision"] == decision && line["peer"] == "127.0.0.1"), "{of:?}");
        let told: u64 = of.iter().map(|line| line["more"].as_u64().unwrap_or(1)).sum();
        assert_eq!(told, count, "every one is counted: {of:?}");
    }
}

/// A folder with a tool `echo` whose arguments are declared.
fn declared(audit: &Value, more: &Value) -> Arc<TempConf> {
    TempConf::with(|conf| {
        let tools = json!([{"name": "echo", "inputSchema": {
            "type": "object", "required": ["message"],
            "properties": {"message": {"type": "string"}, "list": {"type": "array"}}
        }}]);
        let definitions = conf.dir().join("definitions.json");
        let all = json!({"tools": tools, "prompts": [], "resources": [], "resourceTemplates": []});
        std::fs::write(&definitions, all.to_string()).expect("it is writable");
        let a = conf.fake("a").args(&["--definitions", &definitions.display().to_string()]);
        let mut file = servers([("a", a.set("validateArguments", more["validate"].as_bool() == Some(true)))]);
        file["gateway"] = json!({ "audit": audit });
        file
    })
}

#[test]
fn s16_no_name_that_a_client_made_up_is_written_down() {
    let conf = declared(&json!({"file": "logs/audit.log"}), &json!({}));
    let client = conf.legacy();
    let arguments =
        json!({"message": "canary", "list": [1, "canary"], "sk-canary-name": 1, "deep": {"canary": 1}});
    call(&client, "a__echo", arguments);
    let echo = line(&conf, "the call", |line| line["tool"] == "echo");
    let shape = json!({"message": "string", "list": ["number", "string"], "…": 2});
    assert_eq!(echo["arguments"], shape, "{echo}");
    for uri in ["https://user:canary@h/x?token=canary", "data:text/plain,canary"] {
        client.request("resources/read", json!({"uri": uri}));
    }
    let address = line(&conf, "of an address", |line| line["name"] == "https://h/x?…");
    assert_eq!(address["tool"], "https://h/x?…", "{address}");
    line(&conf, "of a text", |line| line["name"] == "data:…");
    let text = std::fs::read_to_string(log(&conf)).expect("it is there");
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn completions_say_what_they_are_about() {
    let conf = folder(&json!({"file": "logs/audit.log"}), &["echo"]);
    let client = conf.legacy();
    let reference = json!({"type": "ref/prompt", "name": "a__greet"});
    let argument = json!({"name": "who", "value": "canary"});
    client.request("completion/complete", json!({"ref": reference, "argument": argument}));
    let completion = line(&conf, "the completion", |line| line["method"] == "completion/complete");
    assert_eq!(completion["arguments"], json!({"who": "string"}), "{completion}");
    assert_eq!(completion["name"], "a__greet", "{completion}");
}

#[test]
fn wrong_arguments_are_denied_because_the_call_is_never_made() {
    let conf = declared(&json!({"file": "logs/audit.log"}), &json!({"validate": true}));
    call(&conf.legacy(), "a__echo", json!({}));
    let denied = line(&conf, "the call", |line| line["name"] == "a__echo");
    let expected = [("decision", "denied"), ("outcome", "tool-error"), ("server", "a"), ("tool", "echo")];
    expected.into_iter().for_each(|(key, value)| assert_eq!(denied[key], value, "{denied}"));
    assert!(conf.ledger("call", "a").is_empty());
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_link_is_no_audit_log_and_keeps_nobody_waiting() {
    for (kind, reason) in [("pipe", "it is not a regular file"), ("link", "it is a symbolic link")] {
        let conf = folder(&json!({"file": "logs/audit.log", "onFailure": "refuse"}), &["echo"]);
        std::fs::create_dir(conf.dir().join("logs")).expect("it is new");
        let target = conf.dir().join("target");
        std::fs::write(&target, "").expect("it is writable");
        if kind == "pipe" {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, log(&conf), rustix::fs::FileType::Fifo, mode, 0)
                .expect("a pipe");
        } else {
            std::os::unix::fs::symlink(&target, log(&conf)).expect("a link");
        }
        let client = conf.legacy();
        let answer = call(&client, "a__echo", json!({}));
        assert!(answer.contains("the audit log cannot be written"), "{kind}: {answer}");
        eventually("the reason is told", || client.stderr().contains(reason));
        assert_eq!(std::fs::read_to_string(&target).expect("it is there"), "");
        std::fs::remove_file(log(&conf)).expect("it is there");
        eventually("it goes on", || !call(&client, "a__echo", json!({})).contains("audit log"));
    }
}

#[test]
fn a_file_that_somebody_locks_is_written_all_the_same() {
    let conf =
        folder(&json!({"file": "logs/audit.log", "rotateBytes": 1024, "onFailure": "refuse"}), &["echo"]);
    let client = conf.legacy();
    call(&client, "a__first", json!({}));
    line(&conf, "the first", |line| line["name"] == "a__first");
    let held = std::fs::File::options().append(true).open(log(&conf)).expect("it is there");
    held.lock().expect("nobody holds it");
    (0..30).for_each(|n| drop(call(&client, &format!("a__call_{n}"), json!({}))));
    line(&conf, "the last", |line| line["name"] == "a__call_29");
    assert_eq!(lines(&conf).len(), 31);
}
