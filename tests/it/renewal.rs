//! What was known of a server and no longer holds: its session, its era, the marks of its tools.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::tempconf::HttpFake;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::json;

#[test]
fn a_lost_session_is_replaced_once_and_what_was_asked_for_is_asked_again() {
    let conf = TempConf::new();
    let web = conf.http_fake("web", &[]);
    conf.write(&servers([("web", web.entry())]));
    let client = conf.legacy();
    client.request("logging/setLevel", json!({ "level": "error" })).result();
    let heard = |method: &str| {
        let seen = client.call("web__seen", json!({})).texts();
        seen.iter().filter(|line| line.contains(&format!("\"{method}\""))).count()
    };
    let uri = client.request("resources/list", json!({})).result()["resources"][0]["uri"].clone();
    client.request("resources/subscribe", json!({ "uri": uri })).result();
    eventually("the level is told", || heard("logging/setLevel") > 0);
    assert_eq!(heard("resources/subscribe"), 1);
    let before = (heard("initialize"), heard("tools/list"), heard("logging/setLevel"));
    client.call("web__forget_sessions", json!({})).result();
    assert_eq!(client.call("web__echo", json!({ "n": 1 })).result()["structuredContent"]["n"], json!(1));
    assert_eq!(conf.ledger("call", "web").iter().filter(|line| line.ends_with(" echo")).count(), 1);
    eventually("lists are read again", || heard("tools/list") > before.1);
    eventually("the level is told again", || heard("logging/setLevel") > before.2);
    eventually("it is subscribed to again", || heard("resources/subscribe") == 2);
    assert_eq!(heard("initialize"), before.0 + 1);
}

#[test]
fn an_era_that_no_longer_holds_is_found_out_anew() {
    for (first, second) in [("modern", "legacy"), ("legacy", "modern")] {
        let conf = TempConf::new();
        let webs: Vec<HttpFake> =
            [first, second].into_iter().map(|era| conf.http_fake(era, &["--era", era])).collect();
        conf.write(&json!({ "mcpServers": {
            "web": { "type": "http", "url": "${URL}" },
            "child": conf.fake("child").args(&["--era", "${ERA}"]).json(),
        }}));
        for (era, web) in [first, second].into_iter().zip(&webs) {
            let client = Gateway::on(&conf).env("URL", &web.url()).env("ERA", era).stdio().legacy();
            client.request("tools/list", json!({})).result();
            for server in ["web", "child"] {
                client.call(&format!("{server}__echo"), json!({})).result();
            }
        }
    }
}

#[test]
fn tools_whose_marks_break_the_rules_are_left_out_over_http_and_reported() {
    let conf = TempConf::new();
    let script = conf.dir().join("script");
    let tool = |name: &str, mark: &str| {
        json!({ "name": name, "inputSchema": { "type": "object", "properties": {
            "a": { "type": "string", "x-mcp-header": mark }
        }}})
    };
    let tools = json!([tool("echo", "Fine"), tool("odd", "not a token")]);
    let answer =
        format!(r#""result":{{"tools":{tools},"resultType":"complete","ttlMs":0,"cacheScope":"public"}}"#);
    std::fs::write(&script, json!({ "tools/list": answer }).to_string()).expect("the folder is writable");
    let script = script.display().to_string();
    let args = ["--era", "modern", "--script", &script];
    let web = conf.http_fake("web", &args);
    conf.write(&servers([("web", web.entry()), ("child", conf.fake("child").args(&args))]));
    let client = conf.legacy();
    let listed = client.request("tools/list", json!({})).raw;
    for (name, shown) in [("web__echo", true), ("web__odd", false), ("child__odd", true)] {
        assert_eq!(listed.contains(name), shown, "{name}: {listed}");
    }
    eventually("it is reported", || {
        client
            .stderr()
            .contains("tool `odd` of server `web` is left out: its `x-mcp-header` breaks the rules")
    });
    assert!(client.call("web__odd", json!({})).error_text().contains("unknown tool"));
}

#[test]
fn a_connection_of_one_session_is_told_again_too() {
    let conf = TempConf::new();
    let web = conf.http_fake("web", &[]);
    let entry = web.entry().set("sharing", "per-session").set("idleTimeout", "300ms");
    conf.write(&servers([("web", entry)]));
    let client = conf.legacy();
    client.request("logging/setLevel", json!({ "level": "error" })).result();
    let uri = client.request("resources/list", json!({})).result()["resources"][0]["uri"].clone();
    // It keeps the connection of this session; the one for lists ends.
    client.request("resources/subscribe", json!({ "uri": uri })).result();
    eventually("only one connection is left", || client.stderr().contains("server stopped"));
    let heard = |method: &str| {
        let seen = client.call("web__seen", json!({})).texts();
        seen.iter().filter(|line| line.contains(&format!("\"{method}\""))).count()
    };
    let before = heard("logging/setLevel");
    client.call("web__forget_sessions", json!({})).result();
    client.call("web__echo", json!({})).result();
    eventually("the level is told again", || heard("logging/setLevel") > before);
    eventually("it is subscribed to again", || heard("resources/subscribe") == 2);
}
