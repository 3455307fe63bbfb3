//! Servers that die, keep silent or write nonsense: one error in time, and the next call works.
//!
//! Bad input from clients is in `input.rs`.

use crate::support::eventually::eventually;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::Fake;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

/// A gateway with one server `odd` whose calls end after 1.5 s.
fn one(build: impl FnOnce(Fake) -> Fake) -> (Arc<TempConf>, StdioClient) {
    let conf = TempConf::with(|conf| {
        let odd = build(conf.fake("odd").set("callTimeoutMs", 1500).set("startTimeoutMs", 1500));
        servers([("odd", odd), ("good", conf.fake("good"))])
    });
    let client = conf.legacy();
    (conf, client)
}

/// Calls a tool that misbehaves; checks the error, and that the next call works.
fn fails(tool: &str, arguments: Value) -> Message {
    let (_conf, client) = one(|fake| fake);
    let id = client.begin_call(&format!("odd__{tool}"), arguments);
    let answer = client.answer(&id);
    assert!(
        (-32099..=-32000).contains(&answer.error_code()) || answer.error_code() == -32603,
        "{}",
        answer.raw
    );
    assert!(answer.error_text().contains("odd"), "the server is not named: {}", answer.raw);
    client.call("odd__pid", json!({})).result();
    client.call("good__pid", json!({})).result();
    assert_eq!(client.answers(&id), 1);
    answer
}

#[test]
fn a_server_that_dies_in_a_call_gives_one_error_with_its_last_words_and_starts_again() {
    let (conf, client) = one(|fake| fake);
    let first = client.call("odd__pid", json!({})).text().to_owned();
    let answer = client.call("odd__die", json!({}));
    for word in ["odd", "the disk is full", "7"] {
        assert!(answer.raw.contains(word), "no `{word}`: {}", answer.raw);
    }
    assert_ne!(client.call("odd__pid", json!({})).text(), first);
    assert_eq!(conf.spawns("odd"), 2);
}

#[test]
fn a_server_that_answers_between_its_ends_is_started_again_each_time() {
    let (conf, client) = one(|fake| fake.set("startTimeoutMs", 10_000).set("callTimeoutMs", 10_000));
    for round in 0..8 {
        client.call("odd__pid", json!({})).result();
        assert!(
            client.call("odd__die", json!({})).error_text().contains("the disk is full"),
            "round {round}"
        );
    }
    assert_eq!(conf.spawns("odd"), 8);
}

#[test]
fn all_calls_in_flight_end_when_their_server_dies_and_none_is_run_again() {
    let (conf, client) = one(|fake| fake.set("callTimeoutMs", 60_000));
    let waiting: Vec<_> = (0..5).map(|_| client.begin_call("odd__sleep", json!({ "ms": 60_000 }))).collect();
    let id = client.begin_call("odd__count_and_die", json!({}));
    for id in waiting.iter().chain([&id]) {
        assert!(client.answer(id).error_text().contains("odd"));
    }
    client.call("odd__pid", json!({})).result();
    let calls = conf.ledger("call", "odd");
    assert_eq!(calls.iter().filter(|line| line.ends_with("count_and_die")).count(), 1, "{calls:?}");
    assert_eq!(calls.iter().filter(|line| line.ends_with("sleep")).count(), 5, "{calls:?}");
}

#[test]
fn a_server_that_never_answers_is_given_up_at_the_deadline() {
    let answer = fails("hang", json!({}));
    assert!(!answer.raw.is_empty());
}

#[test]
fn a_call_over_its_deadline_is_cancelled_at_the_server() {
    let (_conf, client) = one(|fake| fake);
    let answer = client.call("odd__sleep", json!({ "ms": 60_000 }));
    assert!(answer.error_text().contains("odd"), "{}", answer.raw);
    eventually("the server hears of it", || client.call("odd__cancelled", json!({})).texts().len() == 1);
}

#[test]
fn garbage_for_an_answer_is_one_error() {
    fails("garbage", json!({}));
}

#[test]
fn bytes_that_are_not_utf8_are_one_error() {
    fails("bad_utf8", json!({}));
}

#[test]
fn a_line_over_the_limit_is_one_error() {
    fails("line", json!({ "mib": 17 }));
}

#[test]
fn a_result_nested_too_deep_is_one_error() {
    fails("deep", json!({ "n": 200 }));
    fails("deep", json!({ "n": 100_000 }));
}

#[test]
fn a_result_with_an_error_beside_it_is_one_error() {
    fails("both", json!({}));
}

#[test]
fn an_answer_with_neither_result_nor_error_is_one_error() {
    fails("neither", json!({}));
}

#[test]
fn an_answer_to_another_id_is_one_error_at_the_deadline() {
    fails("wrong_id", json!({}));
}

#[test]
fn half_an_answer_is_one_error() {
    fails("half_line", json!({}));
}

#[test]
fn a_second_answer_to_one_call_is_dropped() {
    let (_conf, client) = one(|fake| fake);
    let id = client.begin_call("odd__twice", json!({}));
    assert_eq!(client.answer(&id).text(), "first");
    client.call("odd__pid", json!({})).result();
    assert_eq!(client.answers(&id), 1);
}

#[test]
fn an_unreadable_answer_that_comes_too_late_hurts_no_other_call() {
    let (_conf, client) = one(|fake| fake);
    let late = client.call("odd__late_both", json!({ "ms": 2200 }));
    assert!(late.error_text().contains("no answer"), "{}", late.raw);
    assert_eq!(client.call("odd__sleep", json!({ "ms": 1000 })).text(), "slept");
}

#[test]
fn noise_before_the_handshake_is_ignored_and_not_answered() {
    let (_conf, client) = one(|fake| fake.args(&["--banner"]));
    let seen = client.call("odd__seen", json!({})).texts();
    assert!(seen.iter().all(|line| line.contains(r#""method""#)), "{seen:?}");
}

#[test]
fn a_flood_on_stderr_does_not_block_the_server() {
    let (_conf, client) = one(|fake| fake.args(&["--stderr-flood", "4000000"]).set("startTimeoutMs", 10_000));
    client.call("odd__pid", json!({})).result();
}

#[test]
fn a_server_that_exits_at_start_is_named_with_its_exit_code_and_last_words() {
    let (conf, _client) = one(|fake| fake);
    conf.write(&servers([("odd", conf.fake("odd")), ("good", conf.fake("good"))]));
    drop(conf.legacy());
    // The lists are known; now the program behind the entry breaks.
    let link = conf.dir().join("server");
    std::os::unix::fs::symlink(crate::support::tempconf::fake_mcp(), &link).expect("a link");
    let entry = conf.fake("odd").set("command", link.display().to_string());
    conf.write(&servers([("odd", entry)]));
    drop(conf.legacy());
    std::fs::remove_file(&link).expect("the link was there");
    let script = "#!/bin/sh\necho 'the licence is missing' >&2\nexit 3\n";
    std::fs::write(&link, script).expect("a script");
    std::fs::set_permissions(&link, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    let client = Gateway::on(&conf).stdio().legacy();
    let answer = client.call("odd__pid", json!({}));
    for word in ["odd", "the licence is missing", "3"] {
        assert!(answer.error_text().contains(word), "no `{word}`: {}", answer.raw);
    }
}

#[test]
fn a_server_that_dies_on_an_unknown_method_is_greeted_with_initialize_first() {
    let (conf, client) = one(|fake| fake.args(&["--exit-on-discover"]));
    client.call("odd__pid", json!({})).result();
    assert_eq!(conf.spawns("odd"), 1);
}

#[test]
fn a_server_that_stops_reading_costs_only_its_own_callers() {
    let (_conf, client) = one(|fake| fake.set("callTimeoutMs", 1000));
    client.call("odd__stop_reading", json!({})).result();
    let big = "x".repeat(1 << 20);
    let ids: Vec<_> = (0..8).map(|_| client.begin_call("odd__echo", json!({ "big": big }))).collect();
    client.call("good__pid", json!({})).result();
    for id in &ids {
        assert!(client.answer(id).error_text().contains("odd"));
    }
    client.call("good__pid", json!({})).result();
}

#[test]
fn an_http_server_that_is_gone_is_named() {
    let conf = TempConf::new();
    let web = conf.http_fake("web", &[]);
    conf.write(&servers([("web", web.entry())]));
    let client = conf.legacy();
    drop(web);
    let answer = client.call("web__pid", json!({}));
    assert!(answer.error_text().contains("web"), "{}", answer.raw);
}

#[test]
fn faulty_answers_over_http_are_one_error() {
    let conf = TempConf::new();
    let web = conf.http_fake("web", &[]);
    conf.write(&servers([("web", web.entry().set("callTimeoutMs", 1500))]));
    let client = conf.legacy();
    for tool in ["garbage", "deep", "line", "both", "neither", "wrong_id", "bad_utf8", "hang"] {
        let id = client.begin_call(&format!("web__{tool}"), json!({}));
        let answer = client.answer(&id);
        assert!(answer.error_text().contains("web"), "{tool}: {}", answer.short());
        client.call("web__pid", json!({})).result();
        assert_eq!(client.answers(&id), 1);
    }
}

#[test]
fn restarts_of_a_crashing_server_are_not_a_storm() {
    let (conf, client) = one(|fake| fake);
    client.call("odd__pid", json!({})).result();
    conf.write(&servers([
        ("odd", conf.fake("odd").args(&["--exit-at-start", "3"])),
        ("good", conf.fake("good")),
    ]));
    eventually("the new entry fails", || client.call("odd__pid", json!({})).json.get("error").is_some());
    for _ in 0..100 {
        client.call("odd__pid", json!({})).error_code();
    }
    assert!(conf.spawns("odd") <= 8, "{} starts", conf.spawns("odd"));
}

#[test]
fn a_server_that_answers_the_handshake_with_nonsense_is_named() {
    let conf = TempConf::with(|conf| {
        let script = |text: &str| conf.fake("x").set("command", "/bin/sh").set("args", json!(["-c", text]));
        let answer = |result: &str| {
            script(&format!(
                r#"read line; echo '{{"jsonrpc":"2.0","id":1,"result":{result}}}'; cat >/dev/null"#
            ))
        };
        servers([
            (
                "version",
                answer(
                    r#"{"protocolVersion":"1066-10-14","capabilities":{},"serverInfo":{"name":"x","version":"1"}}"#,
                ),
            ),
            ("empty", answer("{}").set("startTimeoutMs", 2000)),
            ("list", answer("[1]").set("startTimeoutMs", 2000)),
            ("closes", script("exec >&-; sleep 60").set("startTimeoutMs", 2000)),
            ("good", conf.fake("good").tools(&["pid"])),
        ])
    });
    let client = conf.legacy();
    assert_eq!(client.request("tools/list", json!({})).tools(), ["good__pid"]);
    for name in ["version", "empty", "list", "closes"] {
        eventually(&format!("`{name}` is named: {}", client.stderr()), || client.stderr().contains(name));
    }
    client.call("good__pid", json!({})).result();
}

#[test]
fn a_server_that_closes_its_stdout_is_ended_and_started_again() {
    let (conf, client) = one(|fake| fake);
    let first = client.call("odd__pid", json!({})).text().to_owned();
    assert!(client.call("odd__close_stdout", json!({})).error_text().contains("odd"));
    eventually("it works again", || client.call("odd__pid", json!({})).json.get("result").is_some());
    assert_ne!(client.call("odd__pid", json!({})).text(), first);
    eventually("the first process is gone", || conf.processes().len() == 2);
}

#[test]
fn a_dead_server_is_noticed_although_something_it_started_holds_its_pipes() {
    let (conf, client) = one(|fake| {
        let entry = fake.clone().json();
        let words: Vec<&str> =
            entry["args"].as_array().expect("args").iter().filter_map(Value::as_str).collect();
        let command = entry["command"].as_str().expect("a command");
        fake.set("args", json!(["-c", format!("sleep 600 & exec {command} {}", words.join(" "))]))
            .set("command", "/bin/sh")
    });
    let died = client.call("odd__die", json!({}));
    assert!(died.error_text().contains("the disk is full"), "{}", died.raw);
    client.call("odd__pid", json!({})).result();
    eventually("what it started is gone too", || conf.processes().len() == 3);
}

#[test]
fn a_server_that_exits_after_every_answer_is_started_again_every_time() {
    let (conf, client) = one(|fake| fake.args(&["--exit-after-call"]));
    for n in 0..5 {
        eventually(&format!("call {n} is answered"), || {
            client.call("odd__counter", json!({})).json.get("result").is_some()
        });
    }
    assert!(conf.spawns("odd") >= 5);
}

#[test]
fn a_server_that_ends_while_its_lists_are_read_is_named_at_once_with_its_last_words() {
    let folder = TempConf::new();
    let fault = folder.dir().join("fault");
    std::fs::write(&fault, "exit").expect("the file is written");
    let (_conf, client) = one(|fake| fake.args(&["--list-fault", fault.to_str().expect("it is text")]));
    let begun = now();
    let list = client.request("tools/list", json!({}));
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(4),
        "the list waited for a server that was gone"
    );
    assert_eq!(list.result()["_meta"]["io.github.mcp-manifold/missing"], json!(["odd"]), "{}", list.raw);
    let answer = client.call("odd__pid", json!({}));
    for word in ["odd", "the index is broken", "9"] {
        assert!(answer.error_text().contains(word), "no `{word}`: {}", answer.raw);
    }
}

#[test]
fn a_server_that_never_answers_the_handshake_is_named_with_its_last_words() {
    let (_conf, client) =
        one(|fake| fake.args(&["--silent", "--stderr-flood", "2000"]).set("startTimeoutMs", 300));
    let answer = client.call("odd__pid", json!({}));
    for word in ["odd", "initialize", "0.3 s", "eeee"] {
        assert!(answer.error_text().contains(word), "no `{word}`: {}", answer.raw);
    }
}

#[test]
fn an_answer_that_no_client_could_read_becomes_one_that_it_can() {
    let odd = [
        r#""error":"boom""#,
        r#""error":{"code":"x","message":"boom"}"#,
        r#""error":{"code":1}"#,
        r#""result":"boom""#,
        r#""result":null"#,
    ];
    for members in odd {
        let answer = fails("members", json!({ "members": members }));
        assert!(answer.error_text().contains("cannot be read"), "{}", answer.raw);
    }
}

#[test]
fn an_odd_error_with_all_its_parts_passes_as_it_is() {
    let (_conf, client) = one(|fake| fake);
    let error = r#"{"code":-1,"message":"boom","x-unknown":1e2,"data":[1]}"#;
    let answer = client.call("odd__members", json!({ "members": format!(r#""error":{error}"#) }));
    assert_eq!(answer.raw_error(), error);
}
