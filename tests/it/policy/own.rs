//! Tools of the gateway itself: for admins, in every revision, and for the agent that a call names.
//!
//! What the state says in detail is tested with the status.

use crate::policy::ROLES;
use crate::policy::TOKENS;
use crate::policy::link::Link;
use crate::policy::link::VERSIONS;
use crate::policy::roles;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

const KEY: &str = "a-long-key-of-nobody-else-1";

fn hash(key: &str) -> String {
    let digits: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

fn use_own(link: &Link, tool: &str, arguments: &Value) -> Value {
    let answer = link.request("tools/call", json!({ "name": tool, "arguments": arguments }));
    assert!(!answer.is_error(), "{}", answer.short());
    answer.json["result"].clone()
}

/// The servers that the state names.
fn seen(link: &Link, arguments: &Value) -> Vec<String> {
    let result = use_own(link, "manifold__status", arguments);
    let text = result["content"][0]["text"].as_str().expect("a text");
    assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), result["structuredContent"]);
    let servers = result["structuredContent"]["servers"].as_object().expect("servers");
    servers.keys().cloned().collect()
}

#[test]
fn admins_alone_have_the_tools_of_the_gateway_in_every_revision() {
    let conf = TempConf::with(|conf| {
        let mut all = servers([("s", conf.fake("s").tools(&["pid"]))]);
        all["gateway"] = roles("deny");
        all
    });
    let gateway = Gateway::on(&conf).http();
    eventually("they are no server's", || gateway.stderr().contains("1 tool from 1 server\n"));
    for version in VERSIONS {
        for (role, token) in ROLES.into_iter().zip(TOKENS) {
            let link = Link::http(&gateway, version, Some(token)).0;
            let tools = link.request("tools/list", json!({})).tools();
            let own = tools.iter().filter(|name| name.starts_with("manifold__")).count();
            assert_eq!(own, if role == "admin" { 2 } else { 0 }, "{role}, {version}: {tools:?}");
            if role != "admin" {
                let text = link.call("manifold__status").error_text().to_owned();
                assert!(text.starts_with("unknown tool `manifold__status`"), "{role}, {version}: {text}");
                continue;
            }
            assert_eq!(seen(&link, &json!({})), ["s"], "{version}");
            let before = link.call("s__pid").text().to_owned();
            let said = use_own(&link, "manifold__restart", &json!({ "server": "s" }));
            assert_eq!(said["structuredContent"], json!({ "restarted": "s" }), "{version}");
            assert_ne!(link.call("s__pid").text(), before, "{version}");
        }
    }
}

#[test]
fn what_they_are_given_is_checked() {
    let conf = TempConf::with(|conf| {
        let mut all = servers([("s", conf.fake("s").tools(&["echo"]))]);
        all["gateway"] = roles("admin");
        all
    });
    let client = Gateway::on(&conf).stdio().legacy();
    for (id, (arguments, expected)) in [
        (r#"{"sever":"s"}"#, "unknown field `sever`"),
        (r#"{"server":"s","server":"t"}"#, "duplicate field `server`"),
        (r#"{"server":1}"#, "invalid type"),
        (r#"{"server":"s","agent_id":"x"}"#, "`agent_id`: this credential may not name an agent"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("given-{id}");
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":"{id}","method":"tools/call","params":{{"name":"manifold__status","arguments":{arguments}}}}}"#
        );
        let text = client.exchange(&line, &json!(id)).error_text().to_owned();
        assert!(text.contains(expected), "{arguments}: {text}");
    }
    for arguments in [json!({}), json!({ "server": "t" })] {
        let result = client.call("manifold__restart", arguments).json["result"].clone();
        assert_eq!(result["isError"], true, "{result}");
    }
}

#[test]
fn the_agent_that_a_call_names_sees_its_own_servers() {
    let conf = TempConf::with(|conf| {
        let mut all = servers([("a", conf.fake("a")), ("b", conf.fake("b"))]);
        let callers = json!({ "keys": [
            { "id": "free", "hash": hash(KEY), "mayNameAgent": true },
        ] });
        let allow = |servers: &[&str]| json!({ "allow": { "servers": servers } });
        all["gateway"] = json!({
            "auth": callers,
            "access": { "default": "admin" },
            "rules": { "agents": {
                "default": allow(&["*"]),
                "one": allow(&["a", "manifold"]),
                "none": allow(&["a"]),
            } },
        });
        all
    });
    let gateway = Gateway::on(&conf).http();
    let link = Link::http(&gateway, "2026-07-28", Some(KEY)).0;
    assert_eq!(seen(&link, &json!({})), ["a", "b"]);
    assert_eq!(seen(&link, &json!({ "agent_id": "one" })), ["a"]);
    let hidden = json!({ "name": "manifold__status", "arguments": { "agent_id": "none" } });
    let text = link.request("tools/call", hidden).error_text().to_owned();
    assert!(text.starts_with("unknown tool `manifold__status`"), "{text}");
    let other = json!({ "server": "b", "agent_id": "one" });
    let said = use_own(&link, "manifold__restart", &other);
    assert_eq!(said["content"][0]["text"], "there is no server `b`");
}

#[test]
fn without_rules_there_are_none_and_with_rules_no_entry_takes_their_name() {
    let conf = TempConf::with(|conf| servers([("manifold", conf.fake("m").tools(&["echo"]))]));
    let client = Gateway::on(&conf).stdio().legacy();
    assert_eq!(client.request("tools/list", json!({})).tools(), ["manifold__echo"]);
    let conf = TempConf::with(|conf| {
        let mut all = servers([("manifold", conf.fake("m").tools(&["echo"]))]);
        all["gateway"] = json!({ "access": { "default": "admin" } });
        all
    });
    let client = Gateway::on(&conf).stdio().legacy();
    let tools = client.request("tools/list", json!({})).tools();
    assert_eq!(tools, ["manifold__restart", "manifold__status"]);
    assert!(client.stderr().contains("name of the gateway's own tools"), "{}", client.stderr());
}
