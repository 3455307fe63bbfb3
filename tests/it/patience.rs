//! How long a call may take, for single tools too, and which calls are made a second time.
//!
//! What happens to a call that nobody may wait for any longer is in `crash.rs`.

use crate::support::eventually::eventually;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::Fake;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

fn one(build: impl FnOnce(Fake) -> Fake) -> (Arc<TempConf>, StdioClient) {
    let conf = TempConf::with(|conf| servers([("odd", build(conf.fake("odd")))]));
    let client = conf.legacy();
    (conf, client)
}

/// A call whose progress is wanted.
fn begin_watched(client: &StdioClient, tool: &str, arguments: Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": "watched" } });
    client.begin("tools/call", params)
}

#[test]
fn a_tool_has_the_time_of_the_first_pattern_that_fits() {
    let (_conf, client) = one(|fake| {
        fake.set("callTimeout", "60s").set(
            "tools",
            json!({ "hang*": { "callTimeout": "300ms" }, "hang": { "callTimeout": "60s" }, "x": {} }),
        )
    });
    let answer = client.call("odd__hang", json!({}));
    assert!(
        answer.error_text().contains("server `odd` gave no answer to `tools/call` within 0.3 s"),
        "{}",
        answer.raw
    );
    assert_eq!(client.call("odd__sleep", json!({ "ms": 900 })).text(), "slept", "the others have more");
}

#[test]
fn progress_starts_the_time_anew_and_ends_with_the_longest() {
    let (_conf, client) = one(|fake| fake.set("callTimeout", "500ms").set("maxCallTime", "2s"));
    let fine = begin_watched(&client, "odd__slow_progress", json!({ "n": 9, "ms": 100 }));
    assert_eq!(client.answer(&fine).text(), "done", "more than 500 ms, never quiet for so long");
    let endless = begin_watched(&client, "odd__slow_progress", json!({ "n": 1000, "ms": 100 }));
    let answer = client.answer(&endless);
    assert!(
        answer.error_text().contains("did not finish `tools/call` within 2 s (`maxCallTime`)"),
        "{}",
        answer.raw
    );
    eventually("the server is told to stop", || client.call("odd__cancelled", json!({})).texts().len() == 1);
    assert_eq!(client.answers(&endless), 1);
}

#[test]
fn the_longest_time_of_a_tool_may_be_longer_than_that_of_its_server() {
    let tools = json!({ "slow_progress": { "maxCallTime": "60s" } });
    let (_conf, client) =
        one(|fake| fake.set("callTimeout", "500ms").set("maxCallTime", "600ms").set("tools", tools));
    let id = begin_watched(&client, "odd__slow_progress", json!({ "n": 10, "ms": 100 }));
    assert_eq!(client.answer(&id).text(), "done");
}

/// Calls `die_once` on a server with `retry`; what came, and how often the server ran the tool.
fn dies_once(retry: &str, hints: &str, tools: Value) -> (Result<String, String>, usize) {
    let (conf, client) = one(|fake| fake.args(&["--hints", hints]).set("retry", retry).set("tools", tools));
    let mark = conf.dir().join("died").display().to_string();
    let id = client.begin_call("odd__die_once", json!({ "mark": mark }));
    let answer = client.answer(&id);
    client.call("odd__pid", json!({})).result();
    assert_eq!(client.answers(&id), 1);
    let ran = conf.ledger("call", "odd").iter().filter(|line| line.ends_with("die_once")).count();
    match answer.json.get("error") {
        Some(_) => (Err(answer.error_text().to_owned()), ran),
        None => (Ok(answer.text().to_owned()), ran),
    }
}

const READS: &str = r#"{"readOnlyHint":true}"#;
const REPEATS: &str = r#"{"readOnlyHint":false,"idempotentHint":true}"#;

#[test]
fn a_call_is_made_twice_only_where_the_file_and_the_tool_allow_it() {
    let never = |retry: &str, hints: &str, tools: Value| {
        let (came, ran) = dies_once(retry, hints, tools);
        let error = came.expect_err("it must not be repeated");
        assert!(error.contains("may have run, it is not repeated"), "{error}");
        assert_eq!(ran, 1, "{retry} {hints}");
    };
    let twice = |retry: &str, hints: &str, tools: Value| {
        assert_eq!(dies_once(retry, hints, tools), (Ok("alive".to_owned()), 2), "{retry} {hints}");
    };
    never("never", READS, json!({}));
    never("readOnly", REPEATS, json!({}));
    never("idempotent", "{}", json!({}));
    never("idempotent", REPEATS, json!({ "die_*": { "retry": "never" } }));
    twice("readOnly", READS, json!({}));
    twice("idempotent", REPEATS, json!({}));
    twice("never", READS, json!({ "die_once": { "retry": "readOnly" } }));
}

#[test]
fn a_call_that_is_made_twice_fails_the_second_time_for_good() {
    let (conf, client) = one(|fake| fake.set("retry", "idempotent"));
    let answer = client.call("odd__count_and_die", json!({}));
    assert!(answer.error_text().contains("the disk is full"), "{}", answer.raw);
    let ran = conf.ledger("call", "odd").iter().filter(|line| line.ends_with("count_and_die")).count();
    assert_eq!(ran, 2);
}

#[test]
fn a_call_that_timed_out_is_not_made_again() {
    let (conf, client) = one(|fake| fake.set("retry", "idempotent").set("callTimeout", "300ms"));
    assert!(client.call("odd__hang", json!({})).error_text().contains("no answer"));
    client.call("odd__pid", json!({})).result();
    let ran = conf.ledger("call", "odd").iter().filter(|line| line.ends_with("hang")).count();
    assert_eq!(ran, 1);
}
