//! What is authorised is what is sent: no second reader of a request finds another name in it.
//!
//! Frames within frames are in `faults.rs`, headers of 2026-07-28 in `modern_http.rs`.

use crate::policy::link::Link;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::json;
use std::sync::Arc;

/// One server with a tool that shows what it got, and one that must never be called.
fn conf() -> Arc<TempConf> {
    TempConf::with(|conf| {
        let mut all = servers([("s", conf.fake("s").tools(&["params", "pid"]))]);
        let rules = json!([{ "server": "s", "tool": "pid", "level": "deny" }]);
        let policies = json!({ "few": { "default": "execute", "rules": rules } });
        all["gateway"] = json!({
            "limits": { "messageBytes": 4 << 20 },
            "access": { "policies": policies, "attach": { "callers": { "*": "few" } } },
        });
        all
    })
}

/// Params that name a tool twice in some way; a reader could take either.
fn two_faced() -> Vec<(&'static str, String)> {
    let with = |more: &str| format!(r#"{{"name":"s__params","arguments":{{}},{more}}}"#);
    vec![
        ("twice", with(r#""name":"s__pid""#)),
        ("twice, escaped", with(r#""n\u0061me":"s__pid""#)),
        ("a capital", with(r#""Name":"pid""#)),
        ("capitals", with(r#""NAME":"s__pid""#)),
        ("a NUL", with(r#""name\u0000":"pid""#)),
        ("a long s", with(r#""argument\u017f":{}"#)),
        ("other case of the arguments", with(r#""Arguments":{"x":1}"#)),
        ("a Kelvin sign", with(r#""tas\u212aId":"t""#)),
    ]
}

fn never_called(conf: &TempConf) {
    let calls = conf.ledger("call", "s");
    assert!(calls.iter().all(|call| !call.contains("pid")), "{calls:?}");
}

#[test]
fn s5_a_request_with_two_names_is_refused() {
    let conf = conf();
    let gateway = Gateway::on(&conf).http();
    for version in ["2025-11-25", "2026-07-28"] {
        let (Link::Http(client), _) = Link::http(&gateway, version, None) else { panic!("it is over HTTP") };
        let meta = if version == "2026-07-28" {
            r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"rig","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#
        } else {
            ""
        };
        let headers: &[(&str, &str)] =
            if meta.is_empty() { &[] } else { &[("mcp-method", "tools/call"), ("mcp-name", "s__params")] };
        let send = |params: &str| {
            let params = format!("{}{meta}}}", &params[..params.len() - 1]);
            let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
            client.post(&body, headers).answer()
        };
        assert!(!send(r#"{"name":"s__params","arguments":{}}"#).is_error());
        for (what, params) in two_faced() {
            let answer = send(&params);
            assert_eq!(answer.error_code(), -32602, "{version}, {what}: {}", answer.short());
        }
        for (what, envelope) in [
            ("a second method", r#""method":"tools/call","method":"tools/list""#),
            ("second params", r#""method":"tools/call","params":{"name":"s__pid"}"#),
        ] {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,{envelope},"params":{{"name":"s__params","arguments":{{}}{meta}}}}}"#
            );
            assert!(client.post(&body, headers).answer().is_error(), "{version}, {what}");
        }
    }
    never_called(&conf);
}

#[test]
fn s5_what_a_header_says_gives_no_right() {
    let conf = conf();
    let gateway = Gateway::on(&conf).http();
    let (Link::Http(client), _) = Link::http(&gateway, "2025-11-25", None) else { panic!("it is over HTTP") };
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"s__pid","arguments":{}}}"#;
    let headers = [("mcp-name", "s__params"), ("mcp-method", "tools/list")];
    assert!(client.post(body, &headers).answer().error_text().starts_with("unknown tool `s__pid`"));
    let (Link::Http(modern), _) = Link::http(&gateway, "2026-07-28", None) else { panic!("it is over HTTP") };
    let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"rig","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;
    let body = body.replace("\"arguments\":{}", &format!("\"arguments\":{{}},\"_meta\":{meta}"));
    for name in ["s__params", "=?base64?c19fcGFyYW1z?=", "=?base64?c19fcGlk?= "] {
        let answer = modern.post(&body, &[("mcp-method", "tools/call"), ("mcp-name", name)]).answer();
        assert!(answer.is_error(), "{name}: {}", answer.short());
    }
    never_called(&conf);
}

#[test]
fn s5_a_name_at_the_end_of_a_huge_request_counts() {
    let conf = conf();
    let client = Gateway::on(&conf).stdio().legacy();
    let limit = 4 << 20;
    for size in [1 << 16, 1 << 20, limit - 200, limit + 200] {
        let body = |name: &str, id: usize| {
            let filler = "x".repeat(size);
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"arguments":{{"filler":"{filler}"}},"name":"{name}"}}}}"#
            )
        };
        let denied = client.exchange(&body("s__pid", size), &json!(size));
        assert!(denied.is_error(), "{size}");
        if size < limit - 1000 {
            assert!(denied.error_text().starts_with("unknown tool `s__pid`"));
            assert!(!client.exchange(&body("s__params", size + 1), &json!(size + 1)).is_error(), "{size}");
        }
    }
    never_called(&conf);
}
