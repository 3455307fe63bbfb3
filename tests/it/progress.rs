//! Progress reaches the caller, with its own token, in order, and never after the answer.
//!
//! Cancelling is in `cancel.rs`.

use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

fn folder() -> Arc<TempConf> {
    TempConf::with(|conf| servers([("old", conf.fake("old")), ("new", conf.fake("new").modern())]))
}

fn slow(tool: &str, token: &Value, n: u64) -> Value {
    json!({ "name": tool, "arguments": { "n": n, "ms": 5 }, "_meta": { "progressToken": token } })
}

/// Checks that steps 1…n with this token came in order and all before the answer.
fn assert_in_order(messages: &[Message], token: &Value, n: u64, id: Option<&Value>) {
    let ours = |message: &&Message| message.json["params"]["progressToken"] == *token;
    let steps: Vec<u64> = messages
        .iter()
        .filter(ours)
        .filter_map(|message| message.json["params"]["progress"].as_u64())
        .collect();
    assert_eq!(steps, (1..=n).collect::<Vec<u64>>(), "{messages:?}");
    let last = messages.iter().rposition(|message| ours(&message)).expect("progress came");
    let answer = messages.iter().position(|message| match id {
        Some(id) => message.answers(id),
        None => message.json.get("result").is_some(),
    });
    assert!(last < answer.expect("the answer came"), "{messages:?}");
    let first = messages.iter().find(|message| ours(message)).expect("progress came");
    assert!(first.raw.contains(r#""message":"step 1","x-unknown":1e2"#), "{}", first.raw);
}

#[test]
fn progress_comes_in_order_with_the_callers_token_over_stdio() {
    let conf = folder();
    for client in [conf.legacy(), conf.modern()] {
        for (tool, token) in [("old__slow_progress", json!("a token")), ("new__slow_progress", json!(7))] {
            let id = client.begin("tools/call", slow(tool, &token, 5));
            client.answer(&id).result();
            assert_in_order(&client.messages(), &token, 5, Some(&id));
        }
    }
}

#[test]
fn progress_comes_on_the_stream_of_its_call_over_http() {
    let conf = folder();
    let gateway = Gateway::on(&conf).http();
    for client in [gateway.legacy(), gateway.modern()] {
        for tool in ["old__slow_progress", "new__slow_progress"] {
            let messages =
                client.begin("tools/call", slow(tool, &json!("t"), 4)).head().expect(200).messages();
            assert_in_order(&messages, &json!("t"), 4, None);
            assert_eq!(messages.len(), 5, "{messages:?}");
        }
    }
}

#[test]
fn progress_of_an_http_server_comes_through() {
    let conf = TempConf::new();
    let (old, new) = (conf.http_fake("old", &[]), conf.http_fake("new", &["--era", "modern"]));
    conf.write(&servers([("old", old.entry()), ("new", new.entry())]));
    let client = conf.legacy();
    for (tool, token) in [("old__slow_progress", json!("o")), ("new__slow_progress", json!("n"))] {
        let id = client.begin("tools/call", slow(tool, &token, 3));
        client.answer(&id).result();
        assert_in_order(&client.messages(), &token, 3, Some(&id));
    }
}

#[test]
fn calls_side_by_side_get_only_their_own_progress() {
    let conf = folder();
    let client = conf.legacy();
    let calls: Vec<(Value, Value)> = (0..6)
        .map(|n| {
            let token = json!(format!("token {n}"));
            (client.begin("tools/call", slow("old__slow_progress", &token, 4)), token)
        })
        .collect();
    for (id, token) in &calls {
        client.answer(id).result();
        assert_in_order(&client.messages(), token, 4, Some(id));
    }
    assert_eq!(client.notifications("notifications/progress").len(), 24);
}

#[test]
fn two_clients_with_the_same_token_get_only_their_own_progress() {
    let conf = folder();
    let gateway = Gateway::on(&conf).http();
    let (one, two) = (gateway.legacy(), gateway.legacy());
    let first = one.begin("tools/call", slow("old__slow_progress", &json!(1), 6));
    let second = two.begin("tools/call", slow("old__slow_progress", &json!(1), 3));
    assert_in_order(&first.head().messages(), &json!(1), 6, None);
    assert_in_order(&second.head().messages(), &json!(1), 3, None);
}

#[test]
fn progress_after_the_answer_is_dropped() {
    let conf = folder();
    let client = conf.legacy();
    let id = client.begin("tools/call", slow("old__late_progress", &json!("late"), 1));
    client.answer(&id).result();
    client.call("old__pid", json!({})).result();
    assert_eq!(client.notifications("notifications/progress").len(), 1);
}

#[test]
fn without_a_token_there_is_no_progress() {
    let conf = folder();
    let client = conf.legacy();
    client.call("old__slow_progress", json!({ "n": 3, "ms": 1 })).result();
    client.call("new__slow_progress", json!({ "n": 3, "ms": 1 })).result();
    assert!(client.notifications("notifications/progress").is_empty());
}

#[test]
fn progress_puts_off_the_deadline() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").set("callTimeoutMs", 1000))]));
    let client = conf.legacy();
    let params = json!({
        "name": "a__slow_progress", "arguments": { "n": 8, "ms": 250 }, "_meta": { "progressToken": "p" }
    });
    assert_eq!(client.request("tools/call", params).text(), "done");
}
