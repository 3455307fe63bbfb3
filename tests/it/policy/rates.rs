//! How often callers may call.

use crate::policy::TOKENS;
use crate::policy::link::Link;
use crate::policy::roles;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

fn conf(rates: &Value) -> Arc<TempConf> {
    TempConf::with(|conf| {
        let mut all =
            servers([("s", conf.fake("s").tools(&["echo"])), ("t", conf.fake("t").tools(&["echo"]))]);
        all["gateway"] = roles("execute");
        all["gateway"]["rates"] = rates.clone();
        all
    })
}

#[test]
fn a_caller_who_calls_too_often_is_told_when_to_come_back() {
    let conf =
        conf(&json!({ "perCaller": { "rate": "2/1h", "burst": 3 }, "callers": { "token-4": "100/1m" } }));
    let gateway = Gateway::on(&conf).http();
    let (link, _) = Link::http(&gateway, "2025-11-25", Some(TOKENS[2]));
    for _ in 0..3 {
        assert!(!link.call("s__echo").is_error());
    }
    let refused = link.call("t__echo");
    let text = refused.error_text();
    assert!(
        text.starts_with("caller `token-3` has had 2 calls in 3600 s (`gateway.rates`); try again in "),
        "{text}"
    );
    let after = refused.json["error"]["data"]["retryAfter"].as_u64().expect("seconds");
    assert!((1..=1800).contains(&after) && text.ends_with(&format!("{after} s")), "{text}");
    // Lists and prompts that do not exist are no calls.
    for _ in 0..5 {
        assert_eq!(link.request("tools/list", json!({})).tools().len(), 2);
        assert!(!link.request("ping", json!({})).is_error());
    }
    let Link::Http(client) = &link else { panic!("it is over HTTP") };
    let reply = client.begin("tools/call", json!({ "name": "s__echo", "arguments": {} })).head();
    let header = reply.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
    assert!(header.is_some_and(|seconds| seconds >= 1), "{header:?}");
    // Another session of the same caller, in the other era, is the same caller; others are not.
    let (again, _) = Link::http(&gateway, "2026-07-28", Some(TOKENS[2]));
    assert!(again.call("s__echo").error_text().contains("try again in"));
    let (other, _) = Link::http(&gateway, "2025-11-25", Some(TOKENS[3]));
    for _ in 0..10 {
        assert!(!other.call("s__echo").is_error(), "it has a rate of its own");
    }
    assert_eq!(conf.ledger("call", "t").len(), 0);
}

#[test]
fn a_quota_of_a_server_is_for_everybody_together() {
    let conf = conf(&json!({ "servers": { "s": { "perDay": 3 } } }));
    let gateway = Gateway::on(&conf).http();
    let links = [TOKENS[2], TOKENS[3]].map(|token| Link::http(&gateway, "2025-11-25", Some(token)).0);
    for link in [&links[0], &links[1], &links[0]] {
        assert!(!link.call("s__echo").is_error());
    }
    let refused = links[1].call("s__echo");
    assert!(refused.error_text().starts_with("server `s` has had 3 calls a day"), "{}", refused.short());
    assert!(!links[1].call("t__echo").is_error());
}

#[test]
fn who_may_not_call_at_all_is_not_told_of_rates() {
    let conf = conf(&json!({ "perCaller": { "rate": "1/1h", "burst": 1 } }));
    let gateway = Gateway::on(&conf).http();
    let (link, _) = Link::http(&gateway, "2025-11-25", Some(TOKENS[0]));
    for _ in 0..3 {
        assert_eq!(link.call("s__echo").error_text(), "unknown tool `s__echo`");
    }
}
