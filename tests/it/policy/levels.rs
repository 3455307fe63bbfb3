//! The four levels: nothing, lists, use, and the state of the gateway.

use crate::policy::ROLES;
use crate::policy::TOKENS;
use crate::policy::link::Link;
use crate::policy::link::VERSIONS;
use crate::policy::roles;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

fn conf(local: &str) -> Arc<TempConf> {
    TempConf::with(|conf| {
        let mut all = servers([
            ("l", conf.fake("l").tools(&["echo"])),
            ("m", conf.fake("m").modern().tools(&["echo"]).set("prefix", "")),
        ]);
        all["gateway"] = roles(local);
        all
    })
}

/// Every way to use something, with the beginning of the answer to one who may only list it.
fn uses() -> Vec<(&'static str, Value, &'static str)> {
    let completes = |reference: Value| json!({ "ref": reference, "argument": { "name": "n", "value": "" } });
    vec![
        ("tools/call", json!({ "name": "l__echo", "arguments": {} }), "tool `l__echo`"),
        ("tools/call", json!({ "name": "echo", "arguments": {} }), "tool `echo`"),
        ("prompts/get", json!({ "name": "l__greet", "arguments": {} }), "prompt `l__greet`"),
        ("resources/read", json!({ "uri": "fake-l://item/0" }), "resource `fake-l://item/0`"),
        ("resources/read", json!({ "uri": "fake-l://by-name/x" }), "resource `fake-l://by-name/x`"),
        (
            "completion/complete",
            completes(json!({ "type": "ref/prompt", "name": "l__greet" })),
            "prompt `l__greet`",
        ),
    ]
}

fn check(link: &Link, role: &str, what: &str) {
    let listed = link.request("tools/list", json!({})).tools();
    let prompts = link.request("prompts/list", json!({})).keys("prompts", "name");
    let resources = link.request("resources/list", json!({})).keys("resources", "uri");
    if role == "deny" {
        assert!(listed.is_empty() && prompts.is_empty() && resources.is_empty(), "{what}: {listed:?}");
    } else {
        let own: &[&str] = if role == "admin" { &["manifold__restart", "manifold__status"] } else { &[] };
        assert_eq!(listed, [&["echo", "l__echo"], own].concat(), "{what}");
        assert_eq!((prompts.len(), resources.len()), (2, 4), "{what}");
    }
    for (method, params, named) in uses() {
        let answer = link.request(method, params);
        match role {
            "deny" => assert!(!answer.error_text().contains("level"), "{what}: {}", answer.short()),
            "read" => {
                let expected =
                    format!("{named} may be listed but not used: this caller has the level `read` for it");
                assert_eq!(answer.error_text(), expected, "{what}");
            }
            _ => assert!(!answer.is_error(), "{what}, {method}: {}", answer.short()),
        }
    }
}

#[test]
fn s4_a_level_is_the_same_in_every_revision_and_over_every_transport() {
    let over_http = conf("deny");
    let gateway = Gateway::on(&over_http).http();
    std::thread::scope(|scope| {
        for (role, token) in ROLES.into_iter().zip(TOKENS) {
            let gateway = &gateway;
            scope.spawn(move || {
                let on_pipes = conf(role);
                for version in VERSIONS {
                    check(
                        &Link::http(gateway, version, Some(token)).0,
                        role,
                        &format!("{role}, {version}, http"),
                    );
                    check(&Link::stdio(&on_pipes, version).0, role, &format!("{role}, {version}, stdio"));
                }
                if matches!(role, "deny" | "read") {
                    assert!(
                        on_pipes.ledger("call", "l").is_empty() && on_pipes.ledger("call", "m").is_empty()
                    );
                }
            });
        }
    });
}

/// The status of the gateway as the bearer of a token sees it.
fn status(gateway: &HttpGateway, token: &str) -> (u16, String) {
    let addr = gateway.addr();
    let text = format!(
        "GET /status HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    let reply = gateway.client().raw(text.as_bytes()).head();
    (reply.status, reply.body())
}

#[test]
fn only_an_admin_sees_the_state_of_the_gateway() {
    let conf = conf("deny");
    let gateway = Gateway::on(&conf).http();
    for (role, token) in ROLES.into_iter().zip(TOKENS) {
        let (code, body) = status(&gateway, token);
        assert_eq!(code == 200, role == "admin", "{role}: {code} {body}");
        assert_eq!(body.contains("\"l\""), role == "admin", "{role}: {body}");
    }
}
