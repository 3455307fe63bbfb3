//! Rules that change while clients are there.

use crate::policy::TOKENS;
use crate::policy::link::Link;
use crate::policy::roles;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const CHANGED: &str = "notifications/tools/list_changed";

/// A server, and rules for the client on pipes.
fn config(conf: &TempConf, rules: &Value) -> Value {
    let mut all =
        servers([("s", conf.fake("s").tools(&["echo", "pid"])), ("t", conf.fake("t").tools(&["echo"]))]);
    let policies = json!({ "few": { "default": "execute", "rules": rules } });
    all["gateway"] =
        json!({ "access": { "policies": policies, "attach": { "callers": { "local": "few" } } } });
    all
}

#[test]
fn a_reload_narrows_what_the_next_request_may_do() {
    let conf = TempConf::new();
    conf.write(&config(&conf, &json!([])));
    let client = Gateway::on(&conf).stdio().legacy();
    assert!(!client.call("s__pid", json!({})).is_error());
    assert!(!client.request("resources/subscribe", json!({ "uri": "fake-s://item/0" })).is_error());
    conf.write(&config(&conf, &json!([{ "server": "s", "level": "deny" }])));
    eventually("the rules are in force", || client.request("tools/list", json!({})).tools() == ["t__echo"]);
    client.wait("word of the change", |message| message.method() == CHANGED);
    assert_eq!(client.call("s__pid", json!({})).error_text(), "unknown tool `s__pid`");
    assert_eq!(client.request("tools/list", json!({})).tools(), ["t__echo"]);
    conf.write(&config(&conf, &json!([{ "server": "s", "tool": "pid", "level": "read" }])));
    eventually("the rules are softer", || client.request("tools/list", json!({})).tools().len() == 3);
    assert!(client.call("s__pid", json!({})).error_text().contains("may be listed but not used"));
    assert!(!client.call("s__echo", json!({})).is_error());
}

#[test]
fn a_broken_policy_leaves_the_last_one_in_force() {
    let conf = TempConf::new();
    conf.write(&config(&conf, &json!([{ "server": "s", "level": "deny" }])));
    let client = Gateway::on(&conf).stdio().legacy();
    assert_eq!(client.request("tools/list", json!({})).tools(), ["t__echo"]);
    conf.write(&config(&conf, &json!([{ "server": "s", "level": "dney" }])));
    eventually("it is refused", || client.stderr().contains("did you mean `deny`"));
    assert_eq!(client.call("s__pid", json!({})).error_text(), "unknown tool `s__pid`");
}

/// The listening stream of a legacy session of one token.
fn stream(gateway: &crate::support::gateway::HttpGateway, token: &str) -> crate::support::http_client::Reply {
    let (Link::Http(client), _) = Link::http(gateway, "2025-11-25", Some(token)) else {
        panic!("it is over HTTP")
    };
    client.send("GET", &[("accept", "text/event-stream")]).expect(200)
}

#[test]
fn a_change_is_told_to_those_who_see_it() {
    let conf = TempConf::new();
    let write = |tools: &[&str], also: &[&str]| {
        let mut all = servers([("s", conf.fake("s").tools(tools)), ("t", conf.fake("t").tools(also))]);
        all["gateway"] = roles("admin");
        // The second role sees one of the servers only.
        all["gateway"]["access"]["policies"]["read"]["rules"] = json!([{ "server": "s", "level": "deny" }]);
        conf.write(&all);
    };
    write(&["echo"], &["echo"]);
    let gateway = Gateway::on(&conf).http();
    let (all, _) = Link::http(&gateway, "2025-11-25", Some(TOKENS[2]));
    assert_eq!(all.request("tools/list", json!({})).tools(), ["s__echo", "t__echo"]);
    let (mut sees_both, mut sees_one) = (stream(&gateway, TOKENS[2]), stream(&gateway, TOKENS[1]));
    write(&["echo", "pid"], &["echo"]);
    let changed = |message: &Message| message.method() == CHANGED;
    sees_both.wait("word of the change", changed);
    // The next change is one that both see: the one who was not told of the first hears of it once.
    write(&["echo", "pid"], &["echo", "pid"]);
    sees_both.wait("word of the second", changed);
    sees_one.wait("word of the second", changed);
    let (link, _) = Link::http(&gateway, "2025-11-25", Some(TOKENS[1]));
    assert_eq!(link.request("tools/list", json!({})).tools(), ["t__echo", "t__pid"]);
    drop(gateway);
    let rest = std::iter::from_fn(|| sees_one.try_next().ok().flatten());
    assert_eq!(rest.filter(changed).count(), 0, "it was told of what it does not see");
}

#[test]
fn pages_are_cut_from_what_is_seen() {
    let conf = TempConf::with(|conf| {
        let mut all = servers([("s", conf.fake("s").args(&["--tools", "40"]))]);
        all["gateway"] = roles("execute");
        all["gateway"]["limits"] = json!({ "pageSize": 4 });
        all["gateway"]["access"]["policies"]["execute"]["rules"] = json!([{ "tool": "*[02468]", "level": "deny" }, { "tool": "tool_00?0", "level": "deny" }, { "tool": "tool_00?2", "level": "deny" }]);
        all
    });
    let (link, _) = Link::stdio(&conf, "2026-07-28");
    let (mut names, mut params, mut sizes) = (Vec::new(), json!({}), Vec::new());
    loop {
        let page = link.request("tools/list", params);
        assert_eq!(page.result()["cacheScope"], "private");
        sizes.push(page.tools().len());
        names.extend(page.tools());
        match page.result().get("nextCursor") {
            Some(cursor) => params = json!({ "cursor": cursor }),
            None => break,
        }
    }
    assert_eq!((names.len(), sizes), (32, vec![4; 8]), "{names:?}");
    assert!(names.iter().all(|name| !name.ends_with('0') && !name.ends_with('2')), "{names:?}");
}

/// Two callers with different rights list in turn: neither ever sees what was made for the other.
#[test]
fn s10_lists_of_two_callers_never_mix() {
    let conf = TempConf::with(|conf| {
        let mut all =
            servers([("s", conf.fake("s").tools(&["echo", "pid"])), ("t", conf.fake("t").tools(&["echo"]))]);
        all["gateway"] = roles("deny");
        all["gateway"]["access"]["policies"]["read"]["rules"] = json!([{ "server": "s", "level": "deny" }]);
        all["gateway"]["access"]["policies"]["execute"]["rules"] =
            json!([{ "server": "t", "level": "deny" }]);
        all
    });
    let gateway = Arc::new(Gateway::on(&conf).http());
    std::thread::scope(|scope| {
        for (token, expected) in [(TOKENS[1], vec!["t__echo"]), (TOKENS[2], vec!["s__echo", "s__pid"])] {
            for version in ["2025-11-25", "2026-07-28"] {
                let (gateway, expected) = (Arc::clone(&gateway), expected.clone());
                scope.spawn(move || {
                    let (link, _) = Link::http(&gateway, version, Some(token));
                    for _ in 0..250 {
                        assert_eq!(link.request("tools/list", json!({})).tools(), expected);
                    }
                });
            }
        }
    });
}
