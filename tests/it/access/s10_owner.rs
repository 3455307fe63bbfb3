//! S10: everything has an owner: what belongs to one caller does not exist for another, and not for the same person with
//! another key, team or agent.
//!
//! Tasks are in `tests/it/tasks.rs`, questions that wait for an answer in `held.rs`. Advisories of the kind: sessions
//! that anybody could use (CVE-2026-52869, GHSA-953h-535j-jg2v), tasks and streams of others (CVE-2026-52870).

use crate::access::issuer::AUDIENCE;
use crate::access::issuer::Issuer;
use crate::access::rig::JSON;
use crate::access::rig::ask;
use crate::access::rig::bearer;
use crate::access::rig::begin;
use crate::access::rig::gateway;
use crate::access::rig::session;
use crate::support::gateway::HttpGateway;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;
use std::collections::HashSet;

const PING: &str = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
const STREAM: &str = "accept: text/event-stream\r\n";

fn hash(key: &str) -> String {
    let digits: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// The answer to somebody with this credential who asks for what is not there.
fn unknown(gateway: &HttpGateway, method: &str, path: &str, credential: &str, lines: &str) -> (u16, String) {
    let accept = if method == "GET" { STREAM } else { JSON };
    let body = if method == "POST" { PING } else { "" };
    let reply = ask(gateway, method, path, &format!("{accept}{credential}{lines}"), body);
    (reply.status, reply.body())
}

#[test]
fn s10_a_session_exists_for_its_caller_with_all_that_it_is() {
    let issuer = Issuer::start();
    let keys = json!([
        { "id": "a", "name": "ann", "hash": hash("key-of-ann"), "team": "red", "mayNameAgent": true },
        { "id": "b", "name": "ann", "hash": hash("second-key-of-ann"), "team": "red" },
        { "id": "c", "name": "bob", "hash": hash("key-of-bob") },
    ]);
    let terms = json!([{ "issuer": issuer.name(), "audience": AUDIENCE, "claims": { "team": "team", "keep": ["role"] } }]);
    let gateway = gateway(&json!({ "auth": { "keys": keys, "jwt": terms }, "http": { "sse": true } }));
    let token = |team: &str, role: &str| {
        let mut claims = issuer.claims();
        claims["team"] = json!(team);
        claims["role"] = json!(role);
        bearer(&issuer.signer.token("EdDSA", json!({}), &claims))
    };
    let agent = |name: &str| format!("{}x-agent-id: {name}\r\n", bearer("key-of-ann"));
    let all = [
        bearer("key-of-ann"),
        bearer("second-key-of-ann"),
        bearer("key-of-bob"),
        agent("one"),
        agent("two"),
        token("red", "x"),
        token("blue", "x"),
        token("red", "y"),
    ];
    let never =
        "mcp-session-id: 0123456789abcdef0123456789abcdef01234567\r\nmcp-protocol-version: 2025-11-25\r\n";
    for (mine, credential) in all.iter().enumerate() {
        let lines = session(&gateway, credential);
        for (other, credential) in all.iter().enumerate().filter(|(other, _)| *other != mine) {
            for method in ["POST", "GET", "DELETE"] {
                let last = if method == "GET" { "last-event-id: 1-1\r\n" } else { "" };
                let seen = unknown(&gateway, method, "/mcp", credential, &format!("{lines}{last}"));
                let none = unknown(&gateway, method, "/mcp", credential, &format!("{never}{last}"));
                assert_eq!(seen, none, "{method}: {other} with the session of {mine}");
                assert_eq!(seen.0, 404);
            }
        }
        assert_eq!(unknown(&gateway, "POST", "/mcp", credential, &lines).0, 200, "{mine}");
    }
    // A token that was renewed is the same caller.
    let lines = session(&gateway, &all[5]);
    let mut renewed = issuer.claims();
    renewed["team"] = json!("red");
    renewed["role"] = json!("x");
    renewed["jti"] = json!("another");
    renewed["exp"] = json!(crate::access::issuer::now() + 900);
    let renewed = bearer(&issuer.signer.token("ES256", json!({}), &renewed));
    assert_eq!(unknown(&gateway, "POST", "/mcp", &renewed, &lines).0, 200);
}

#[test]
fn s10_the_old_transport_and_resumed_streams_have_owners_too() {
    let tokens = ["a-token-of-alice-1234", "a-token-of-mallory-12"];
    let gateway = gateway(&json!({ "http": { "bearerTokens": tokens, "sse": true } }));
    let mut stream =
        begin(&gateway, "GET", "/sse", &format!("{STREAM}{}", bearer(tokens[0])), "").head().expect(200);
    let (_, at) = stream.event().expect("the endpoint");
    let post = |at: &str, token: &str| {
        let reply = ask(&gateway, "POST", at, &format!("{JSON}{}", bearer(token)), PING);
        (reply.status, reply.body())
    };
    let none = post("/message?sessionId=0123456789abcdef0123456789abcdef01234567", tokens[1]);
    assert_eq!(post(&at, tokens[1]), none);
    assert_eq!(none.0, 404);
    assert_eq!(post(&at, tokens[0]).0, 202);

    let lines = session(&gateway, &bearer(tokens[0]));
    let call = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {
        "name": "a__slow_progress", "arguments": { "n": 2, "ms": 1 }, "_meta": { "progressToken": "t" } } });
    let reply =
        ask(&gateway, "POST", "/mcp", &format!("{JSON}{}{lines}", bearer(tokens[0])), &call.to_string());
    let ids: Vec<String> =
        reply.expect(200).events().into_iter().map(|(id, _)| id).filter(|id| !id.is_empty()).collect();
    let last = format!("last-event-id: {}\r\n", ids.first().expect("events have ids"));
    let resumed = |token: &str| {
        let headers = format!("{STREAM}{}{lines}{last}", bearer(token));
        ask(&gateway, "GET", "/mcp", &headers, "").status
    };
    assert_eq!((resumed(tokens[1]), resumed(tokens[0])), (404, 200));
}

#[test]
fn s10_ids_are_not_guessed() {
    let gateway = gateway(&json!({}));
    let ids: Vec<String> = (0..200).map(|_| session(&gateway, "")).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    // Each place of each id has each digit about as often: 16 values in 200 × 40 digits.
    let mut counts = [0_u32; 16];
    for line in &ids {
        let id = line.split_once(": ").and_then(|(_, rest)| rest.split_once("\r\n")).expect("an id").0;
        assert_eq!(id.len(), 40, "160 bits");
        for digit in id.chars() {
            counts[digit.to_digit(16).expect("hexadecimal") as usize] += 1;
        }
    }
    let expected = 200.0 * 40.0 / 16.0;
    let chi: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    // 15 degrees of freedom: beyond 60 once in millions of runs.
    assert!(chi < 60.0, "{chi}: {counts:?}");
}
