//! Counts, sizes and times beyond which something is refused, and that nobody else suffers.
//!
//! Sizes of single messages are in `input.rs` and `crash.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::Sent;
use crate::support::message::Message;
use crate::support::processes;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::collections::HashMap;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;

#[test]
fn calls_beyond_the_limit_of_a_server_are_refused_at_once() {
    let conf =
        TempConf::with(|conf| servers([("a", conf.fake("a").set("maxInFlight", 3)), ("b", conf.fake("b"))]));
    let client = conf.legacy();
    let running: Vec<Value> = (0..3).map(|_| client.begin_call("a__sleep", json!({ "ms": 1000 }))).collect();
    eventually("they run", || conf.ledger("call", "a").len() == 3);
    let refused = client.call("a__pid", json!({}));
    assert!(refused.error_text().contains("`a`"), "{}", refused.raw);
    client.call("b__pid", json!({})).result();
    assert!(running.iter().all(|id| client.answers(id) == 0), "the refusal was not at once");
    for id in &running {
        assert_eq!(client.answer(id).text(), "slept");
    }
    client.call("a__pid", json!({})).result();
}

#[test]
fn a_flood_of_calls_gets_one_answer_each() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.legacy();
    let lines: String = (0..5000)
        .map(|n| {
            let params = json!({ "name": "a__echo", "arguments": { "n": n } });
            json!({ "jsonrpc": "2.0", "id": format!("flood {n}"), "method": "tools/call", "params": params })
                .to_string()
                + "\n"
        })
        .collect();
    client.send_bytes(lines.as_bytes());
    let flood = || -> Vec<Message> {
        client
            .messages()
            .into_iter()
            .filter(|m| m.id().as_str().is_some_and(|id| id.starts_with("flood")))
            .collect()
    };
    eventually("every call is answered", || flood().len() >= 5000);
    let answers: HashMap<String, Message> = flood().into_iter().map(|m| (m.id().to_string(), m)).collect();
    assert_eq!((answers.len(), flood().len()), (5000, 5000));
    let done = (0..5000).filter(|n| {
        let answer = &answers[&format!("\"flood {n}\"")];
        answer.json.get("error").is_some() || answer.result()["structuredContent"]["n"] == *n
    });
    assert_eq!(done.count(), 5000, "answers went to other calls");
    let refused = answers.values().filter(|answer| answer.json.get("error").is_some()).count();
    assert!(refused <= 5000 - 256, "{refused} refused: `maxInFlight` is 256 by default");
    client.call("a__pid", json!({})).result();
}

#[test]
fn requests_beyond_the_limit_of_a_client_are_refused_at_once() {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a"))]);
        config["gateway"] = json!({ "limits": { "inFlightPerClient": 2 } });
        config
    });
    let client = conf.legacy();
    let running: Vec<Value> = (0..2).map(|_| client.begin_call("a__sleep", json!({ "ms": 700 }))).collect();
    let refused = client.call("a__pid", json!({}));
    assert!(refused.error_text().contains("2 requests in flight (`gateway.limits.inFlightPerClient`)"));
    assert_eq!(refused.json["error"]["data"]["retryable"], true, "{}", refused.raw);
    for id in &running {
        client.answer(id).result();
    }
    client.call("a__pid", json!({})).result();
}

#[test]
fn one_hung_server_does_not_slow_the_others() {
    let conf = TempConf::with(|conf| servers([("hung", conf.fake("hung")), ("good", conf.fake("good"))]));
    let client = conf.legacy();
    let waiting: Vec<Value> =
        (0..100).map(|_| client.begin_call("hung__sleep", json!({ "ms": 60_000 }))).collect();
    for _ in 0..100 {
        client.call("good__pid", json!({})).result();
    }
    assert!(waiting.iter().all(|id| client.answers(id) == 0));
}

/// Whether the other side has hung up, read within the patience of the socket.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn slow_headers_and_slow_bodies_are_cut_off() {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a"))]);
        config["gateway"] = json!({ "http": { "headerTimeout": "300ms", "bodyTimeout": "300ms" } });
        config
    });
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    let connect = |text: &str| {
        let mut stream = TcpStream::connect(gateway.addr()).expect("connected");
        stream.set_read_timeout(Some(crate::support::eventually::patience())).expect("a limit");
        stream.write_all(text.as_bytes()).expect("written");
        stream
    };
    let head =
        format!("POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n", gateway.addr());
    let body = format!("{head}accept: application/json, text/event-stream\r\ncontent-length: 100\r\n\r\n{{");
    for (what, text) in
        [("nothing at all", ""), ("half a header", head.as_str()), ("half a body", body.as_str())]
    {
        assert!(is_closed(&mut connect(text)), "{what}");
    }
    client.request("ping", json!({})).result();
}

#[test]
fn a_client_that_does_not_read_is_cut_off_and_the_others_live() {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a"))]);
        config["gateway"] = json!({ "limits": { "clientQueueBytes": 4_000_000 } });
        config
    });
    let gateway = Gateway::on(&conf).http();
    let (deaf, good) = (gateway.legacy(), gateway.legacy());
    let mut held = Vec::new();
    for _ in 0..6 {
        let params = json!({ "name": "a__line", "arguments": { "mib": 8 } });
        held.push(deaf.begin("tools/call", params));
    }
    good.call("a__pid", json!({})).result();
    eventually("all ran", || conf.ledger("call", "a").len() == 7);
    good.call("a__pid", json!({})).result();
}

#[test]
fn exactly_one_answer_while_servers_are_killed_and_the_file_is_rewritten() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a")), ("b", conf.fake("b").modern())]));
    let client = conf.legacy();
    let mut ids = Vec::new();
    for round in 0..12 {
        for tool in ["a__echo", "b__echo", "a__sleep", "b__sleep"] {
            for _ in 0..4 {
                ids.push(client.begin_call(tool, json!({ "ms": 50, "round": round })));
            }
        }
        if round % 3 == 1 {
            let pid = client.call("a__pid", json!({}));
            if let Some(pid) = pid.json.pointer("/result/content/0/text").and_then(Value::as_str) {
                processes::signal(pid.parse().expect("a pid"), Signal::KILL);
            }
        }
        if round % 3 == 2 {
            let mut config = servers([("a", conf.fake("a")), ("b", conf.fake("b").modern())]);
            config["mcpServers"][format!("extra{round}")] = conf.fake("extra").tools(&["pid"]).json();
            conf.write(&config);
        }
    }
    for id in &ids {
        client.answer(id);
    }
    eventually("`a` works again", || client.call("a__pid", json!({})).json.get("result").is_some());
    assert!(ids.iter().all(|id| client.answers(id) == 1));
    let lost: Vec<_> =
        ids.iter().map(|id| client.answer(id)).filter(|m| m.json.get("error").is_some()).collect();
    assert!(lost.iter().all(|message| message.error_text().contains("`a`")), "{lost:?}");
}

#[test]
fn a_crashing_server_leaves_no_zombies() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.legacy();
    for _ in 0..6 {
        client.call("a__die", json!({})).error_code();
    }
    eventually("it works again", || client.call("a__pid", json!({})).json.get("result").is_some());
    let children = || {
        let path = format!("/proc/{0}/task/{0}/children", client.pid());
        std::fs::read_to_string(path)
            .unwrap_or_default()
            .split(' ')
            .filter_map(|pid| pid.parse().ok())
            .collect::<Vec<u32>>()
    };
    eventually("dead children are reaped", || children().into_iter().all(processes::is_alive));
}

#[test]
fn a_stdio_client_that_does_not_read_is_cut_off_and_nothing_more_is_done_for_it() {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a"))]);
        config["gateway"] = json!({ "limits": { "clientQueueBytes": 65_536 } });
        config
    });
    let mut command = Gateway::on(&conf).serve(&[]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut deaf = command.spawn().expect("the gateway starts");
    let mut stdin = deaf.stdin.take().expect("stdin is piped");
    let mut ended = false;
    for id in 1..=400 {
        let params = json!({ "name": "a__echo", "arguments": { "x": "x".repeat(20_000) } });
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        // It may be gone.
        let _ = stdin.write_all(format!("{call}\n").as_bytes());
        eventually("the call is made, or the gateway ends", || {
            ended = deaf.try_wait().expect("it can be asked").is_some();
            ended || conf.ledger("call", "a").len() == id
        });
        if ended {
            break;
        }
    }
    assert!(ended, "calls were made whose answers nobody could get");
    let output = deaf.wait_with_output().expect("it has ended");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && log.contains("was cut off"), "{log}");
}

#[test]
fn bodies_that_are_announced_and_do_not_come_cost_no_memory() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    let size = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a size") >> 10
    };
    let before = size();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: 16000000\r\n\r\n{{",
        gateway.addr()
    );
    let held: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(gateway.addr()).expect("it accepts connections");
            stream.write_all(head.as_bytes()).expect("it reads");
            stream
        })
        .collect();
    // Answered after all those: they were read.
    client.call("a__pid", json!({})).result();
    assert!(size() < before + 800, "{} MiB, {before} MiB before", size());
    drop(held);
}

/// A gateway that knows two callers, with some limits.
fn known_callers(limits: Value, http: Value) -> (Arc<TempConf>, HttpGateway) {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a"))]);
        config["gateway"] = json!({ "limits": limits, "http": http });
        config["gateway"]["http"]["bearerTokens"] = json!([TOKENS[0], TOKENS[1]]);
        config
    });
    let gateway = Gateway::on(&conf).http();
    (conf, gateway)
}

const TOKENS: [&str; 2] = ["the-first-token-of-two", "the-second-token-of-two"];

/// A modern call of a caller.
fn asked(gateway: &HttpGateway, token: &str, tool: &str) -> Sent {
    let mut client = gateway.modern();
    client.bearer = Some(token.to_owned());
    client.begin("tools/call", json!({ "name": tool, "arguments": { "ms": 1500 } }))
}

#[test]
fn requests_beyond_the_limit_of_a_caller_or_of_everybody_are_refused_at_once() {
    let limits = json!({ "inFlightPerCaller": 2, "inFlightTotal": 3 });
    let (conf, gateway) = known_callers(limits, json!({}));
    let mut running: Vec<_> = (0..2).map(|_| asked(&gateway, TOKENS[0], "a__sleep")).collect();
    eventually("they run", || conf.ledger("call", "a").len() == 2);
    let refused = asked(&gateway, TOKENS[0], "a__pid").head().answer();
    assert!(refused.error_text().contains("inFlightPerCaller"), "{}", refused.raw);
    running.push(asked(&gateway, TOKENS[1], "a__sleep"));
    eventually("it runs", || conf.ledger("call", "a").len() == 3);
    let refused = asked(&gateway, TOKENS[1], "a__pid").head().answer();
    assert!(refused.error_text().contains("inFlightTotal"), "{}", refused.raw);
    assert_eq!(refused.json["error"]["data"]["retryable"], true, "{}", refused.raw);
    assert_eq!(conf.ledger("call", "a").len(), 3, "what was refused did not run");
    for answer in running {
        answer.head().answer().result();
    }
    asked(&gateway, TOKENS[0], "a__pid").head().answer().result();
}

#[test]
fn sessions_beyond_the_limit_of_a_caller_or_of_everybody_are_refused_until_one_ends() {
    let (_conf, gateway) = known_callers(json!({}), json!({ "maxSessions": 3, "maxSessionsPerCaller": 2 }));
    let info = json!({ "name": "rig", "version": "1" });
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
    let open = |token: &str| {
        let mut client = gateway.client();
        client.bearer = Some(token.to_owned());
        client.begin("initialize", hello.clone()).head()
    };
    let first = open(TOKENS[0]).expect(200);
    open(TOKENS[0]).expect(200);
    let refused = open(TOKENS[0]).expect(503).body();
    assert!(refused.contains("maxSessionsPerCaller"), "{refused}");
    open(TOKENS[1]).expect(200);
    let refused = open(TOKENS[1]).expect(503).body();
    assert!(refused.contains("`gateway.http.maxSessions`"), "{refused}");
    let id = first.header("mcp-session-id").expect("a session").to_owned();
    let bearer = format!("Bearer {}", TOKENS[0]);
    let ended = gateway.client().send("DELETE", &[("authorization", &bearer), ("mcp-session-id", &id)]);
    assert!(ended.status < 300, "{}", ended.status);
    open(TOKENS[1]).expect(200);
}
