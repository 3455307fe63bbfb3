//! Tables of faults: whatever a server or a client does, each call gets exactly one answer, which names server and
//! reason, and the next call works.
//!
//! Single faults with more to look at are in `crash.rs`, `input.rs` and `limits.rs`.

use crate::support::eventually::eventually;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::processes;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::Fake;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A row: the tool called, its arguments, what the error says; nothing for a call that succeeds.
struct Fault(&'static str, Value, &'static [&'static str]);

const MIB: usize = 1 << 20;

/// Faults of a child. Rows whose error says `no answer` are those that cannot be told from a slow server.
fn faults_of_children() -> Vec<Fault> {
    let none = || json!({});
    vec![
        Fault("die", none(), &["exited with code 7", "the disk is full"]),
        Fault("half_die", none(), &["cannot be read"]),
        Fault("close_stdout", none(), &["closed its stdout"]),
        Fault("hang", none(), &["no answer"]),
        Fault("half_line", none(), &["cannot be read"]),
        Fault("garbage", none(), &["no answer"]),
        Fault("bad_utf8", none(), &["UTF-8"]),
        Fault("deep", json!({ "n": 200 }), &["nested"]),
        Fault("deep", json!({ "n": 100_000 }), &["nested"]),
        Fault("line", json!({ "mib": 17 }), &["longer than"]),
        Fault("endless_line", none(), &["longer than"]),
        Fault("both", none(), &["both"]),
        Fault("neither", none(), &["neither"]),
        Fault("wrong_id", none(), &["unknown id"]),
        Fault("twice", none(), &[]),
        Fault("rude", none(), &[]),
        Fault("flood_stdout", json!({ "mib": 8 }), &[]),
        Fault("flood_stderr", json!({ "mib": 8 }), &[]),
        Fault("slow_progress", json!({ "n": 5, "ms": 20 }), &[]),
    ]
}

/// Calls every tool once and checks its one answer and the call after it. How long each took.
fn table(client: &StdioClient, server: &str, rows: Vec<Fault>) -> BTreeMap<&'static str, Duration> {
    let (mut took, mut wrong) = (BTreeMap::new(), Vec::new());
    for Fault(tool, arguments, words) in rows {
        let begun = now();
        let id = client.begin_call(&format!("{server}__{tool}"), arguments);
        let answer = client.answer(&id);
        took.insert(tool, begun.elapsed());
        let text = answer.json.pointer("/error/message").and_then(Value::as_str);
        let right = match text {
            None => words.is_empty(),
            Some(text) => !words.is_empty() && words.iter().chain(&[server]).all(|word| text.contains(word)),
        };
        if !right {
            wrong.push(format!("{tool}: {words:?} is not in {}", answer.short()));
        }
        eventually(&format!("the next call after {tool} works; {}", client.stderr()), || {
            client.call(&format!("{server}__pid"), json!({})).json.get("result").is_some()
        });
        client.call("good__pid", json!({})).result();
        assert_eq!(client.answers(&id), 1, "{tool}");
    }
    assert!(wrong.is_empty(), "{server}: {wrong:#?}");
    took
}

fn with_good(build: impl FnOnce(Fake) -> Fake) -> (Arc<TempConf>, StdioClient) {
    let conf = TempConf::with(|conf| {
        let odd = build(conf.fake("odd").set("callTimeoutMs", 2500).set("startTimeoutMs", 2500));
        servers([("odd", odd), ("good", conf.fake("good"))])
    });
    let client = conf.legacy();
    (conf, client)
}

#[test]
fn no_fault_of_a_child_hangs_a_caller() {
    for era in ["legacy", "modern"] {
        let (conf, client) = with_good(|fake| fake.args(&["--era", era]));
        let took = table(&client, "odd", faults_of_children());
        // What can be told from slowness does not wait for the deadline.
        let waits = ["hang", "garbage"];
        let slow: Vec<_> = took
            .iter()
            .filter(|(tool, time)| !waits.contains(tool) && **time >= Duration::from_millis(2500))
            .collect();
        assert!(slow.len() <= 2, "{era}: {slow:?}");
        drop(client);
        eventually("nothing is left", || conf.processes().is_empty());
    }
}

/// Faults at the start of a child: its options, and what the error of a call says.
#[test]
fn no_fault_at_the_start_hangs_a_caller() {
    let rows: [(&[&str], &[&str]); 9] = [
        (&["--exit-at-start", "3"], &["code 3", "the licence is missing"]),
        (&["--silent"], &["initialize", "0.4 s"]),
        (&["--no-read-stdin"], &["initialize", "0.4 s"]),
        (&["--slow-start", "60000"], &["initialize", "0.4 s"]),
        (&["--slow-start", "100"], &[]),
        (&["--exit-on-discover"], &[]),
        (&["--banner", "--stderr-flood", "3000000"], &[]),
        (&["--grandchild", "--ignore-eof", "--ignore-term"], &[]),
        (&["--noise"], &[]),
    ];
    for (options, words) in rows {
        let conf = TempConf::with(|conf| {
            let start = if words.is_empty() { 8000 } else { 400 };
            let grace = json!({ "eof": "100ms", "term": "100ms" });
            let odd = conf.fake("odd").args(options).set("startTimeoutMs", start).set("stopGrace", grace);
            servers([("odd", odd), ("good", conf.fake("good"))])
        });
        let client = conf.legacy();
        let id = client.begin_call("odd__pid", json!({}));
        let answer = client.answer(&id);
        match words {
            [] => drop(answer.result()),
            _ => {
                for word in words.iter().chain(&["odd"]) {
                    assert!(answer.error_text().contains(word), "{options:?}: no `{word}`: {}", answer.raw);
                }
            }
        }
        client.call("good__pid", json!({})).result();
        assert_eq!(client.answers(&id), 1, "{options:?}");
        drop(client);
        eventually(&format!("nothing is left of {options:?}"), || conf.processes().is_empty());
    }
}

#[test]
fn a_server_that_dies_on_one_call_in_the_middle_loses_only_what_was_in_flight() {
    let (conf, client) = with_good(|fake| fake.args(&["--die-on-call", "3"]));
    let (mut done, mut lost) = (0, 0);
    for _ in 0..20 {
        let answer = client.call("odd__pid", json!({}));
        match answer.json.get("result") {
            Some(_) => done += 1,
            None => {
                lost += 1;
                assert!(
                    answer.error_text().contains("odd") && answer.raw.contains("one call too many"),
                    "{}",
                    answer.raw
                );
            }
        }
    }
    assert_eq!(done + lost, 20);
    assert!(done >= 2 * lost, "{done} of 20 calls worked");
    assert!(conf.ledger("call", "odd").len() <= 20, "a call was run twice");
}

#[test]
fn no_fault_of_an_http_server_hangs_a_caller() {
    let conf = TempConf::new();
    for (name, options) in [("old", &[][..]), ("new", &["--era", "modern"]), ("sse", &["--sse"])] {
        let web = conf.http_fake(name, options);
        let mut config =
            servers([(name, web.entry().set("callTimeoutMs", 1500)), ("good", conf.fake("good"))]);
        config["gateway"] = json!({ "limits": { "messageBytes": MIB } });
        conf.write(&config);
        let client = conf.legacy();
        let none = || json!({});
        let rows = vec![
            Fault("raw_endless_body", none(), &["more than"]),
            Fault("raw_endless_event", none(), &["more than"]),
            Fault("raw_endless_comment", none(), &["more than"]),
            Fault("raw_endless_error", none(), &["500"]),
            Fault("raw_endless_header", none(), &["message head is too large"]),
            Fault("raw_half_body", none(), &["broke its answer off", "may have run"]),
            Fault("raw_half_event", none(), &["without a result", "may have run"]),
            Fault("raw_hang_up", none(), &["broke the connection", "may have run"]),
            Fault("raw_not_http", none(), &["broke the connection", "may have run"]),
            Fault("line", json!({ "mib": 2 }), &["more than"]),
            Fault("deep", json!({ "n": 200 }), &["nested"]),
            Fault("both", none(), &["both"]),
            Fault("neither", none(), &["neither"]),
            Fault("garbage", none(), &["cannot be read"]),
            Fault("wrong_id", none(), &["answered to the id 999999"]),
            Fault("hang", none(), &["no answer"]),
        ];
        table(&client, name, rows);
        assert!(peak(client.pid()) < 150 * MIB, "{name}: {} MiB", peak(client.pid()) / MIB);
    }
}

#[test]
fn no_fault_over_the_old_transport_or_a_websocket_hangs_a_caller() {
    let conf = TempConf::new();
    for (kind, how, scheme, path) in [("sse", "--old-sse", "http", "/sse"), ("ws", "--ws", "ws", "/")] {
        let web = conf.web_fake(kind, how, &[]);
        let entry = web.entry_for(kind, scheme, path).set("callTimeoutMs", 1500);
        let mut config = servers([(kind, entry), ("good", conf.fake("good"))]);
        config["gateway"] = json!({ "limits": { "messageBytes": MIB } });
        conf.write(&config);
        let client = conf.legacy();
        let none = || json!({});
        let rows = vec![
            Fault("line", json!({ "mib": 2 }), &["more than"]),
            Fault("deep", json!({ "n": 200 }), &["nested"]),
            Fault("both", none(), &["both"]),
            Fault("neither", none(), &["neither"]),
            Fault("garbage", none(), &["no answer"]),
            Fault("half_line", none(), &["cannot be read"]),
            Fault("wrong_id", none(), &["unknown id"]),
            Fault("twice", none(), &[]),
            Fault("hang", none(), &["no answer"]),
        ];
        table(&client, kind, rows);
    }
}

/// The most memory a process has had, in bytes.
fn peak(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

/// The lines of the corpus that is fuzzed, each with its file.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/frames");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let lines = files.iter().flat_map(|file| {
        let bytes = std::fs::read(file).expect("a file");
        let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.trim_ascii().to_vec());
        let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
        lines.into_iter().map(|line| (file.display().to_string(), line))
    });
    let lines: Vec<_> = lines.collect();
    assert!(lines.len() >= 200, "{} lines", lines.len());
    lines
}

/// R3: every line of the corpus that is fuzzed, sent to the program.
#[test]
fn every_frame_of_the_corpus_gets_one_answer_and_the_connection_lives() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").tools(&["echo", "pid"]))]));
    let client = conf.legacy();
    for (file, line) in corpus() {
        let text = String::from_utf8_lossy(&line);
        // What changes the session, or needs another server, is checked in memory.
        let other = ["initialize", "2025-03-26", "cancelled", "listen", "setLevel", "subscribe"];
        if other.iter().any(|word| text.contains(word)) {
            continue;
        }
        let before = answers(&client);
        client.send_bytes(&[&*line, b"\n"].concat());
        client.request("ping", json!({})).result();
        let due = usize::from(!is_told(&line));
        eventually(&format!("{due} answers to {} in {file}", line.escape_ascii()), || {
            answers(&client) == before + due + 1
        });
    }
    client.call("a__pid", json!({})).result();
    assert!(!client.stderr().contains("panicked"), "{}", client.stderr());
}

/// R3 over HTTP: each is one response, an answer or a refusal of the request, whatever the client says it is.
#[test]
fn every_frame_of_the_corpus_gets_one_response_over_http() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").tools(&["echo", "pid"]))]));
    let gateway = Gateway::on(&conf).http();
    let (legacy, modern) = (gateway.legacy(), gateway.modern());
    for (file, line) in corpus() {
        // A subscription is a stream that stays open.
        if String::from_utf8_lossy(&line).contains("subscriptions/listen") {
            continue;
        }
        for client in [&legacy, &modern] {
            let lines = [
                ("mcp-session-id", client.session.as_deref()),
                ("mcp-protocol-version", client.version.as_deref()),
            ];
            let mut head = format!(
                "POST /mcp HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
                 accept: application/json, text/event-stream\r\ncontent-length: {}\r\n",
                gateway.addr(),
                line.len()
            );
            for (name, value) in lines {
                head.extend(value.map(|value| format!("{name}: {value}\r\n")));
            }
            let reply = client.raw(&[head.as_bytes(), b"\r\n", &line].concat()).head();
            let status = reply.status;
            assert!([200, 202, 400, 404].contains(&status), "{status} to {} in {file}", line.escape_ascii());
            let body = reply.body();
            let answers = body.matches(r#""jsonrpc":"2.0""#).count();
            assert!(status == 202 || answers >= 1, "{status} to {} in {file}: {body}", line.escape_ascii());
        }
    }
    for client in [&legacy, &modern] {
        client.call("a__pid", json!({})).result();
    }
    assert!(!gateway.stderr().contains("panicked"), "{}", gateway.stderr());
}

fn answers(client: &StdioClient) -> usize {
    client.messages().iter().filter(|message| message.json.get("method").is_none()).count()
}

/// A notification or an answer: nobody is answered.
fn is_told(line: &[u8]) -> bool {
    let Ok(message) = serde_json::from_slice::<Value>(line) else { return false };
    let Some(object) = message.as_object() else { return false };
    let (id, method) = (object.get("id"), object.get("method").is_some_and(Value::is_string));
    let outcome = [object.get("result"), object.get("error")].iter().flatten().count();
    let known = object.get("jsonrpc") == Some(&json!("2.0"));
    known && ((method && id.is_none() && outcome == 0) || (!method && id.is_some() && outcome == 1))
}

/// R11.
#[test]
fn noise_is_harmless_and_our_stdout_is_pure() {
    let conf = TempConf::with(|conf| {
        servers([("noisy", conf.fake("noisy").args(&["--noise"])), ("good", conf.fake("good"))])
    });
    let client = conf.legacy();
    let ids: Vec<(Value, usize)> = (0..1000)
        .map(|n| {
            let id = client.begin_call("noisy__echo", json!({ "n": n }));
            if n % 50 == 49 {
                client.answer(&id);
            }
            (id, n)
        })
        .collect();
    for (id, n) in &ids {
        assert_eq!(client.answer(id).result()["structuredContent"]["n"], *n);
    }
    let seen = client.call("noisy__seen", json!({})).texts();
    assert!(seen.iter().all(|line| line.contains(r#""method":""#)), "it was answered to noise");
    client.call("good__pid", json!({})).result();
    client.close();
    assert_eq!(client.exit().code(), Some(0));
    let odd: Vec<_> =
        client.messages().into_iter().filter(|message| message.json["jsonrpc"] != "2.0").collect();
    assert!(odd.is_empty(), "{odd:?}");
    let told = client.stderr().lines().count();
    assert!(told <= 200, "{told} lines on stderr");
    eventually("nothing is left", || conf.processes().is_empty());
}

/// R12: lists that are too long in every way.
#[test]
fn lists_without_an_end_are_cut_and_named() {
    let slow = ["--tools", "500", "--pages", "1", "--slow-pages", "100"];
    let conf = TempConf::with(|conf| {
        let mut config = servers([
            ("many", conf.fake("many").args(&["--tools", "10000"])),
            ("endless", conf.fake("endless").args(&["--endless-pages", "--pages", "5"])),
            ("long", conf.fake("long").args(&["--tools", "900", "--pages", "100"])),
            ("slow", conf.fake("slow").args(&slow).set("listTimeout", "1s")),
            ("good", conf.fake("good").tools(&["pid"])),
        ]);
        let limits =
            json!({ "listItems": 1000, "listPages": 20, "listBytes": 100_000, "messageBytes": 4 * MIB });
        config["gateway"] = json!({ "limits": limits });
        config
    });
    let client = conf.legacy();
    client.call("good__pid", json!({})).result();
    let list = client.request("tools/list", json!({}));
    assert!(list.tools().contains(&"good__pid".to_owned()));
    let told = |name: &str, why: &str| {
        let log = client.stderr();
        log.lines().any(|line| line.contains(&format!("server={name} ")) && line.contains(why))
    };
    eventually("all are named", || {
        told("many", "listItems")
            && told("endless", "same cursor")
            && told("long", "listBytes")
            && told("slow", "did not come whole within 1 s")
    });
    assert!(peak(client.pid()) < 150 * MIB, "{} MiB", peak(client.pid()) / MIB);
    let _: Message = list;
    drop(client);
    eventually("nothing is left", || processes::marked(&conf.mark()).is_empty());
}
