//! What a running gateway says of itself: `/status`, `/healthz`, `/readyz`, and the command that shows it.
//!
//! What it says while it ends is in `drain.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::processes;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::Output;

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {pointer} in {value:#}"))
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value:#}"))
}

/// The status of a server once it is in this state.
fn in_state(gateway: &HttpGateway, name: &str, state: &str) -> Value {
    let mut seen = Value::Null;
    eventually(&format!("`{name}` is {state}"), || {
        seen = gateway.status()["servers"][name].clone();
        seen["state"] == state
    });
    seen
}

fn pid_of(gateway: &HttpGateway) -> u64 {
    gateway.legacy().call("a__pid", json!({})).text().parse().expect("a process id")
}

#[test]
fn a_server_that_is_killed_shows_why_and_its_last_words_and_then_that_it_was_started_again() {
    let conf = TempConf::with(|conf| {
        let words = ["-c", "echo 'the licence ends soon' >&2; exec \"$0\" \"$@\""];
        let mut entry = conf.fake("a").json();
        let command = std::mem::replace(&mut entry["command"], json!("/bin/sh"));
        let args = entry["args"].as_array_mut().expect("args are a list");
        args.splice(0..0, words.map(Value::from).into_iter().chain([command]));
        json!({ "mcpServers": { "a": entry } })
    });
    let gateway = Gateway::on(&conf).http();
    let pid = pid_of(&gateway);
    let ready = in_state(&gateway, "a", "ready");
    assert_eq!((number(&ready, "/pid"), number(&ready, "/restarts"), number(&ready, "/starts")), (pid, 0, 1));
    assert_eq!(
        (&ready["era"], &ready["reason"], &ready["lastEnd"]),
        (&json!("legacy"), &json!(null), &json!(null))
    );
    assert!(
        number(&ready, "/sinceSecs") < 60
            && number(&ready, "/catalogSecs") < 60
            && number(&ready, "/tools") > 1
    );
    assert_eq!(ready["stderr"], json!(["the licence ends soon"]));

    processes::signal(u32::try_from(pid).expect("a process id"), Signal::KILL);
    let idle = in_state(&gateway, "a", "idle");
    assert!(text(&idle, "/reason").contains("SIGKILL"), "{idle:#}");
    assert!(text(&idle, "/lastEnd/how").contains("SIGKILL"), "{idle:#}");
    assert_eq!((&idle["pid"], &idle["stderr"]), (&json!(null), &json!(["the licence ends soon"])));

    let again = pid_of(&gateway);
    let ready = in_state(&gateway, "a", "ready");
    assert_eq!(
        (number(&ready, "/pid"), number(&ready, "/restarts"), number(&ready, "/starts")),
        (again, 1, 2)
    );
    assert!(text(&ready, "/lastEnd/how").contains("SIGKILL"), "what happened is not forgotten: {ready:#}");
}

#[test]
fn a_server_that_does_not_start_shows_its_reason_its_last_words_and_when_it_is_tried_again() {
    let conf = TempConf::new();
    let script = "echo 'no such database' >&2; exit 3";
    conf.write(&json!({ "mcpServers": { "a": { "command": "sh", "args": ["-c", script] } } }));
    let gateway = Gateway::on(&conf).http();
    gateway.legacy().call("a__x", json!({})).error_code();
    let failed = in_state(&gateway, "a", "failed");
    assert!(text(&failed, "/reason").contains("exited with code 3"), "{failed:#}");
    assert_eq!(failed["stderr"], json!(["no such database"]));
    assert!(number(&failed, "/retrySecs") <= 80 && number(&failed, "/starts") >= 1, "{failed:#}");
}

#[test]
fn an_open_breaker_is_shown_until_an_answer_closes_it() {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a").set("callTimeout", "300ms"))]);
        config["gateway"] = json!({ "breaker": { "failures": 2, "pause": "500ms" } });
        config
    });
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    client.call("a__pid", json!({})).result();
    assert_eq!(in_state(&gateway, "a", "ready")["breaker"], json!(null));
    for _ in 0..2 {
        client.call("a__hang", json!({})).error_code();
    }
    let open = in_state(&gateway, "a", "ready")["breaker"].clone();
    assert_eq!((&open["open"], number(&open, "/failures")), (&json!(true), 2), "{open:#}");
    assert!(text(&open, "/reason").contains("no answer") && number(&open, "/retrySecs") <= 1, "{open:#}");
    eventually("a call is let through and answered", || {
        client.call("a__pid", json!({})).json.get("result").is_some()
    });
    assert_eq!(in_state(&gateway, "a", "ready")["breaker"], json!(null));
}

#[test]
fn no_value_of_an_entry_is_shown() {
    let conf = TempConf::new();
    let script = "echo \"env $REGION arg $1 and $API_KEY\" >&2; sleep 0.1; exit 1";
    conf.write(&json!({ "mcpServers": { "a": {
        "command": "sh",
        "args": ["-c", script, "sh", "--pin=${PIN}"],
        "env": { "REGION": "middle-earth", "API_KEY": "${KEY}" }
    } } }));
    let gateway = Gateway::on(&conf).env("PIN", "canary-pin").env("KEY", "canary-key").http();
    gateway.legacy().call("a__x", json!({})).error_code();
    let failed = in_state(&gateway, "a", "failed");
    assert_eq!(failed["stderr"], json!(["env *** arg --pin=*** and ***"]));
    let shown = Gateway::on(&conf).run(&["status", &gateway.addr().to_string()]);
    let all = format!("{}{}{}", gateway.status(), out(&shown), gateway.stderr());
    for canary in ["canary", "middle-earth"] {
        assert!(!all.contains(canary), "{all}");
    }
}

#[test]
fn sessions_are_listed_and_cannot_be_taken_over() {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a"))]);
        config["gateway"] = json!({ "http": { "websocket": true } });
        config
    });
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    let id = client.session.clone().expect("a session");
    let busy = client.begin("tools/call", json!({ "name": "a__hang", "arguments": {} }));
    eventually("the call runs", || conf.ledger("call", "a").len() == 1);
    let status = gateway.status();
    let seen = ["/sessions", "/requests", "/inFlight"].map(|pointer| number(&status, pointer));
    assert_eq!(seen, [1, 1, 1]);
    assert_eq!(number(&status, "/servers/a/inFlight"), 1);
    let session = &status["sessionList"][0];
    assert_eq!(session["id"], format!("{}…", &id[..8]));
    assert!(!status.to_string().contains(&id[..9]), "{status:#}");
    assert_eq!(
        (&session["transport"], &session["era"], &session["client"], &session["inFlight"]),
        (&json!("http"), &json!("legacy"), &json!("rig 1"), &json!(1))
    );
    assert!(number(session, "/ageSecs") < 60 && number(session, "/idleSecs") < 60);
    drop(busy);
    client.send("DELETE", &[]).expect(204);
    eventually("the session and its call are gone", || {
        let status = gateway.status();
        (number(&status, "/sessions"), number(&status, "/inFlight")) == (0, 0)
    });
}

#[test]
fn a_file_that_is_refused_shows_until_it_is_good_again() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let gateway = Gateway::on(&conf).http();
    let config = |outcome: &str| {
        let mut seen = Value::Null;
        eventually(&format!("the file is {outcome}"), || {
            seen = gateway.status()["config"].clone();
            seen["outcome"] == outcome
        });
        seen
    };
    let used = config("used");
    assert_eq!(
        (number(&used, "/generation"), text(&used, "/file")),
        (1, &*conf.file().display().to_string())
    );
    conf.write_text("{ \"mcpServers\": { \"a\": ");
    let refused = config("refused");
    assert_eq!(number(&refused, "/generation"), 1);
    assert!(text(&refused, "/problems/0").contains("mcp.json"), "{refused:#}");
    std::fs::remove_file(conf.file()).expect("it is there");
    assert_eq!(config("absent")["problems"], json!(["the file is gone"]));
    conf.write(&servers([("a", conf.fake("a")), ("b", conf.fake("b"))]));
    let used = config("used");
    assert_eq!((number(&used, "/generation"), &used["problems"]), (2, &json!(null)));
    assert!(gateway.status()["servers"]["b"].is_object());
    assert_eq!(gateway.page("/readyz"), (200, json!({ "status": "ready" })));
    assert_eq!(gateway.page("/healthz"), (200, json!({ "status": "ok" })));
}

#[test]
fn a_server_that_left_the_file_is_shown_while_it_finishes_its_calls() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a")), ("b", conf.fake("b"))]));
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    client.call("b__pid", json!({})).result();
    let pid = client.call("a__pid", json!({})).text().to_owned();
    let slow = client.begin("tools/call", json!({ "name": "a__sleep", "arguments": { "ms": 1500 } }));
    eventually("the call runs", || conf.ledger("call", "a").len() == 2);
    conf.write(&servers([("b", conf.fake("b"))]));
    let mut leaving = Value::Null;
    eventually("it leaves", || {
        leaving = gateway.status()["leaving"][0].clone();
        leaving["state"] == "draining"
    });
    assert_eq!((&leaving["name"], number(&leaving, "/inFlight")), (&json!("a"), 1));
    assert_eq!(leaving["pid"].to_string(), pid, "its process lives");
    assert!(text(&leaving, "/reason").contains("left the file"), "{leaving:#}");
    assert_eq!(slow.head().answer().text(), "slept");
    eventually("nothing is held", || {
        let status = gateway.status();
        status["leaving"].is_null() && number(&status, "/liveSnapshots") == 1
    });
}

#[test]
fn a_snapshot_that_a_request_still_holds_is_counted() {
    let slow = |conf: &TempConf| conf.fake("slow").args(&["--slow-start", "1500"]);
    let conf = TempConf::with(|conf| servers([("slow", slow(conf))]));
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    let list = client.begin("tools/list", json!({}));
    let held = || number(&gateway.status(), "/liveSnapshots");
    in_state(&gateway, "slow", "starting");
    conf.write(&servers([("slow", slow(&conf)), ("b", conf.fake("b"))]));
    eventually("a snapshot of before is held", || held() >= 2);
    assert!(!list.head().answer().tools().is_empty());
    eventually("it is let go", || held() == 1);
}

#[test]
fn calls_that_wait_for_their_client_and_open_subscriptions_are_counted() {
    const FORM: &str = r#""method":"elicitation/create","params":{"message":"sure?","requestedSchema":{"type":"object","properties":{}}}"#;
    let conf = TempConf::with(|conf| {
        servers([("a", conf.fake("a").args(&["--era", "legacy"]).set("sharing", "shared"))])
    });
    let gateway = Gateway::on(&conf).http();
    let client = gateway.modern();
    let mut listening =
        client.begin("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } })).head();
    listening.next().expect("the acknowledgement");
    let mut params = json!({ "name": "a__play", "arguments": { "steps": [{ "ask": FORM }] } });
    params["_meta"] =
        json!({ "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } } });
    let asked = client.request("tools/call", params);
    assert_eq!(asked.result()["resultType"], "input_required", "{}", asked.raw);
    let status = gateway.status();
    assert_eq!((number(&status, "/parked"), number(&status, "/listening")), (1, 1), "{status:#}");
    drop(listening);
    eventually("the subscription ends with its connection", || number(&gateway.status(), "/listening") == 0);
}

/// Answers one request with `body` and says which path was asked for.
fn canned(body: &str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody asks");
        let mut request = vec![0; 4096];
        let count = stream.read(&mut request).expect("a request");
        stream.write_all(response.as_bytes()).expect("the client reads");
        String::from_utf8_lossy(&request[..count]).into_owned()
    });
    (url, serving)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn document() -> Value {
    let server = |state: &str, more: Value| {
        let mut all = json!({
            "state": state, "sinceSecs": 0, "starts": 1, "restarts": 0, "inFlight": 0
        });
        let all_members = all.as_object_mut().expect("an object");
        all_members.extend(more.as_object().expect("an object").clone());
        all
    };
    json!({
        "schemaVersion": 1, "version": "0.1.0", "pid": 4711, "uptimeSecs": 7500, "state": "ready",
        "config": {
            "file": "/home/me/mcp.json", "generation": 3, "outcome": "refused", "agoSecs": 12,
            "problems": ["error: mcp.json:3:5: `command` is missing\nhint: \u{1b}[31madd it"]
        },
        "tools": 14, "prompts": 1, "resources": 0, "requests": 6, "inFlight": 3, "parked": 1, "listening": 2,
        "liveSnapshots": 2, "sessions": 22,
        "sessionList": [
            { "id": "3fa91c02…", "transport": "http", "era": "legacy", "client": "Claude Code 2.1",
              "ageSecs": 180, "idleSecs": 2, "inFlight": 1, "requests": 12 },
            { "id": "#7", "transport": "stdio", "ageSecs": 90_061, "idleSecs": 4000, "inFlight": 0 }
        ],
        "servers": {
            "memory": server("ready", json!({
                "sinceSecs": 300, "pid": 123, "restarts": 1, "starts": 2, "inFlight": 3, "tools": 12,
                "catalogSecs": 7200, "era": "legacy", "stderr": ["fine"],
                "lastEnd": { "how": "was killed by signal 9 (SIGKILL)", "agoSecs": 301 },
                "privateConnections": 1,
                "private": [{ "of": "session", "state": "ready", "pid": 456, "inFlight": 2 }]
            })),
            "web": server("ready", json!({ "breaker": {
                "open": true, "failures": 5, "reason": "gave no answer within 30 s", "sinceSecs": 9, "retrySecs": 3
            } })),
            "db": server("failed", json!({
                "reason": "server `db` ended before it was ready: it exited with code 3", "retrySecs": 4,
                "stderr": ["one", "two", "three", "no such database"]
            })),
        },
        "leaving": [server("draining", json!({ "name": "old", "inFlight": 1, "reason": "it left the file" }))],
        "leftOut": { "typo": "`comand` is unknown" },
        "collisions": ["`x` of `b`: `a` has it"]
    })
}

const SHOWN: &str = "\
mcp-manifold 0.1.0: ready, pid 4711, up 2 h 5 min
14 tools, 1 prompt, 0 resources, 22 sessions
6 open requests, 3 calls in flight, 1 parked, 2 listening; 2 live snapshots
configuration 3 from /home/me/mcp.json: refused 12 s ago, the last good one is in use
  error: mcp.json:3:5: `command` is missing
  hint: add it

SERVER  STATE     SINCE  PID  RESTARTS  CALLS  TOOLS  READ  ERA
memory  ready     5 min  123         1      3     12   2 h  legacy
  5 min ago it was killed by signal 9 (SIGKILL)
  of one session: ready, pid 456, calls 2
web     ready       0 s    -         0      0      -     -  -
  calls are refused since 9 s, after 5 that failed: it gave no answer within 30 s
  one is tried in 3 s
db      failed      0 s    -         0      0      -     -  -
  server `db` ended before it was ready: it exited with code 3
  a call starts it again in 4 s
  stderr: two
  stderr: three
  stderr: no such database
(old)   draining    0 s    -         0      1      -     -  -
  it left the file
typo    left out      -    -         -      -      -     -  -
  `comand` is unknown
name taken twice: `x` of `b`: `a` has it

SESSION    OVER   ERA         AGE       IDLE  REQUESTS  OPEN  CLIENT
3fa91c02…  http   legacy    3 min        2 s        12     1  Claude Code 2.1
#7         stdio  -       1 d 1 h  1 h 6 min         0     0  -
and 20 more
";

#[test]
fn the_command_shows_a_table_or_the_document_as_it_is() {
    let conf = TempConf::new();
    let (url, asked) = canned(&document().to_string());
    let table = Gateway::on(&conf).run(&["status", &url]);
    assert_eq!((out(&table), err(&table)), (SHOWN.to_owned(), String::new()));
    assert!(asked.join().expect("it was asked").starts_with("GET /status HTTP/1.1\r\n"));

    let (url, _asked) = canned(&document().to_string());
    let whole = Gateway::on(&conf).run(&["status", "--json", &url]);
    let whole: Value = serde_json::from_slice(&whole.stdout).expect("it is JSON");
    assert_eq!(whole, document());
}

#[test]
fn a_gateway_that_cannot_be_asked_is_exit_code_4_with_a_hint() {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a"))]);
        config["gateway"] = json!({ "http": { "bearerTokens": ["a-token-of-the-test"] } });
        config
    });
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
    let gateway = Gateway::on(&conf).http();
    let (other, _asked) = canned("{}");
    let (nobody, with_token) = (nobody.to_string(), gateway.addr().to_string());
    for (url, words) in [
        (&nobody, ["refused", "serve --http"]),
        (&with_token, ["401", "`--token`"]),
        (&other, ["it is no mcp-manifold", "hint:"]),
    ] {
        let output = Gateway::on(&conf).run(&["status", url]);
        assert_eq!((output.status.code(), out(&output)), (Some(4), String::new()), "{}", err(&output));
        words.iter().for_each(|word| assert!(err(&output).contains(word), "no `{word}`: {}", err(&output)));
    }
    let shown = Gateway::on(&conf).run(&["status", &with_token, "--token", "a-token-of-the-test"]);
    assert_eq!(shown.status.code(), Some(0), "{}", err(&shown));
    assert_eq!(gateway.page("/healthz").0, 200, "it needs no token");
    assert_eq!(gateway.page("/readyz").0, 200, "it needs no token");
    assert_eq!(gateway.page("/status").0, 401);
}
