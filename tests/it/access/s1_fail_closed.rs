//! S1: nobody gets in without a credential: on every path, with every method, in every revision, whatever is shown.
//!
//! Advisories of the kind: a path or an older revision that was not looked at (CVE-2026-11719, CVE-2026-14537,
//! nginx-ui CVE-2026-33032).

use crate::access::issuer::AUDIENCE;
use crate::access::issuer::Issuer;
use crate::access::issuer::now;
use crate::access::rig::JSON;
use crate::access::rig::ask;
use crate::access::rig::bearer;
use crate::access::rig::folder;
use crate::access::rig::listed;
use crate::access::rig::start;
use crate::access::rig::status;
use crate::support::eventually::eventually;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcp_manifold::front::admin;
use mcp_manifold::front::http::place;
use serde_json::json;

const KEY: &str = "a-token-of-its-own-kind";
const PASSWORD: &str = "corr3ct-horse-battery";
/// Paths that lead nowhere, or differ from one that leads somewhere. Those that do are in the table of the router.
const OTHERS: [&str; 8] = [
    "/",
    "/mcp/",
    "//mcp",
    "/MCP",
    "/other",
    "/.well-known/other",
    "/mcp?access_token=a-token-of-its-own-kind",
    "/message?sessionId=x&token=a-token-of-its-own-kind",
];
const ERAS: [&str; 3] = [
    "",
    "mcp-protocol-version: 2024-11-05\r\n",
    "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/list\r\n",
];
const UPGRADE: &str =
    "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn basic(text: &str) -> String {
    format!("authorization: Basic {}\r\n", STANDARD.encode(text))
}

/// What gets nobody in.
fn shown(issuer: &Issuer) -> Vec<String> {
    let mut expired = issuer.claims();
    expired["exp"] = json!(now() - 1000);
    vec![
        String::new(),
        bearer("wrong"),
        bearer(""),
        format!("authorization: {KEY}\r\n"),
        format!("authorization: Basic {KEY}\r\n"),
        format!("{}{}", bearer(KEY), bearer(KEY)),
        format!(
            "x-authorization: Bearer {KEY}\r\nproxy-authorization: Bearer {KEY}\r\ncookie: token={KEY}\r\n"
        ),
        basic("ann:wrong"),
        basic(&format!("bob:{PASSWORD}")),
        bearer(&issuer.signer.token("EdDSA", json!({}), &expired)),
        bearer(&issuer.signer.token("", json!({ "alg": "none" }), &issuer.claims())),
    ]
}

#[test]
fn s1_every_path_needs_a_credential() {
    let issuer = Issuer::start();
    let conf = folder(&json!({
        "http": { "bearerTokens": [KEY], "sse": true, "websocket": true },
        "auth": {
            "basic": [{ "user": "ann", "password": PASSWORD }],
            "jwt": [{ "issuer": issuer.name(), "audience": AUDIENCE }],
            "failuresPerMinute": 1_000_000,
        },
    }));
    let gateway = start(&conf);
    let before = conf.ledger_lines();
    let shown = shown(&issuer);
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
    let (open, closed): (Vec<&str>, Vec<&str>) =
        place::PATHS.iter().map(|(path, _)| *path).partition(|path| admin::is_open(path));
    assert_eq!(open, [admin::HEALTH, admin::READY], "which say yes or no and nothing else");
    for path in closed.into_iter().chain(OTHERS) {
        for method in ["GET", "POST", "DELETE", "PUT", "OPTIONS"] {
            for (row, credential) in shown.iter().enumerate() {
                let era = ERAS[row % ERAS.len()];
                let reply = ask(&gateway, method, path, &format!("{JSON}{era}{UPGRADE}{credential}"), body);
                assert_eq!(reply.status, 401, "{method} {path}, row {row}");
                assert!(reply.header("mcp-session-id").is_none());
                assert_eq!(reply.headers.iter().filter(|(name, _)| name == "www-authenticate").count(), 2);
            }
        }
    }
    for path in open {
        ask(&gateway, "GET", path, "", "").expect(200);
        ask(&gateway, "HEAD", path, "", "").expect(200);
    }
    assert_eq!(conf.ledger_lines(), before, "no server heard of any of it");
    let good = issuer.signer.token("EdDSA", json!({}), &issuer.claims());
    for credential in [bearer(KEY), basic(&format!("ann:{PASSWORD}")), bearer(&good)] {
        assert_eq!(status(&gateway, &credential), 200);
    }
    for secret in [KEY, PASSWORD, good.as_str()] {
        assert!(!gateway.stderr().contains(secret), "no secret is logged");
    }
}

#[test]
fn s1_taking_the_last_credential_away_opens_nothing() {
    let conf = folder(&json!({ "http": { "bearerTokens": [KEY] } }));
    let gateway = start(&conf);
    assert_eq!(status(&gateway, &bearer(KEY)), 200);
    let mut open =
        serde_json::from_str::<serde_json::Value>(&std::fs::read_to_string(conf.file()).unwrap()).unwrap();
    open["gateway"] = json!({});
    conf.write(&open);
    eventually("the token is not accepted any more", || status(&gateway, &bearer(KEY)) == 401);
    assert_eq!(status(&gateway, ""), 401);
    open["gateway"] = json!({ "http": { "bearerTokens": ["another-token-of-its-kind"] } });
    conf.write(&open);
    eventually("the new token is accepted", || status(&gateway, &bearer("another-token-of-its-kind")) == 200);
    assert_eq!(status(&gateway, &bearer(KEY)), 401);
}

#[test]
fn s1_guessing_is_slowed_down_and_hardly_logged() {
    let conf = folder(&json!({ "http": { "bearerTokens": [KEY] }, "auth": { "failuresPerMinute": 20 } }));
    let gateway = start(&conf);
    assert_eq!(status(&gateway, &bearer(KEY)), 200);
    let mut seen = Vec::new();
    for number in 0..200 {
        let reply = listed(&gateway, &bearer(&format!("guess-{number}")));
        assert_eq!(reply.status == 429, reply.header("retry-after").is_some());
        seen.push(reply.status);
    }
    assert_eq!(seen.iter().filter(|status| **status == 401).count(), 20);
    assert_eq!(seen.iter().filter(|status| **status == 429).count(), 180);
    assert_eq!(status(&gateway, ""), 401, "who shows nothing is told what is needed");
    assert_eq!(status(&gateway, &bearer(KEY)), 200, "who was let in before goes on");
    let lines = gateway.stderr().lines().filter(|line| line.contains("credential was refused")).count();
    assert!((1..10).contains(&lines), "{lines} lines");
}
