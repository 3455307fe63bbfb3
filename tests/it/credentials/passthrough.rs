//! S7: nothing that a client shows goes out, and nothing it sends replaces what we show.

use super::TOKENS;
use super::call;
use super::caller;
use super::config;
use super::peer::Peer;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use serde_json::json;

const CANARY: &str = "canary-5d1f";

/// Headers under which credentials travel somewhere, and under which proxies look for them.
const NAMES: [&str; 24] = [
    "proxy-authorization",
    "cookie",
    "x-authorization",
    "x-any-authorization",
    "x-mcp-authorization",
    "x-forwarded-authorization",
    "x-original-authorization",
    "x-amzn-authorization",
    "x-api-key",
    "x-auth-token",
    "x-access-token",
    "x-forwarded-for",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-access-token",
    "x-real-ip",
    "forwarded",
    "x-user-id",
    "x-internal-token",
    "x-mcp-manifold-token",
    "x-tenant",
    "via",
    "referer",
    "x-own",
];

#[test]
fn s7_no_passthrough() {
    let peer = Peer::mcp(|_| true);
    let conf = TempConf::new();
    let fake = conf.fake("child").tools(&["env", "seen", "pid", "headers"]).json();
    conf.write(&config(json!({
        "web": {
            "type": "http", "url": peer.url("/mcp?own=1"),
            "auth": { "type": "bearer", "token": "our-own-token" }, "headers": { "X-Own": "ours" },
        },
        "child": fake,
    })));
    let gateway = Gateway::on(&conf).http();
    let client = caller(&gateway, 0);
    client.request("tools/list", json!({})).result();
    let values = NAMES.map(|name| format!("{CANARY}-{name}"));
    let mut headers: Vec<(&str, &str)> =
        NAMES.iter().zip(&values).map(|(name, value)| (*name, value.as_str())).collect();
    headers.push(("authorization", "Bearer alice-shows-this-to-us"));
    let answer = call(&client, "web__whoami", &headers);
    assert!(answer.text().contains("authorization=Bearer our-own-token x-api-key=none"), "{}", answer.text());
    let (env, pid) = (call(&client, "child__env", &headers), call(&client, "child__pid", &headers));
    let argv = std::fs::read(format!("/proc/{}/cmdline", pid.text())).unwrap_or_default();
    let seen = call(&client, "child__seen", &headers).texts().concat();
    let places = [
        peer.bytes(),
        env.text().to_owned(),
        String::from_utf8_lossy(&argv).into_owned(),
        seen,
        gateway.stderr(),
    ];
    for (place, what) in places.iter().zip(["server", "env", "argv", "stdin", "stderr"]) {
        for secret in [CANARY, TOKENS[0], "Y2FuYXJ5", "63616e617279"] {
            assert!(!place.contains(secret), "{secret} in {what}: {place}");
        }
    }
    let calls = peer.seen().into_iter().filter(|request| request.method() == "tools/call");
    for request in calls {
        assert_eq!(request.header("x-own"), Some("ours"));
        assert!(request.head.starts_with("POST /mcp?own=1 HTTP/1.1\r\n"), "{}", request.head);
        assert_eq!(request.head.to_lowercase().matches("authorization:").count(), 1, "{}", request.head);
    }
}

#[test]
fn s7_a_token_in_the_query_of_a_client_goes_nowhere() {
    let peer = Peer::mcp(|_| true);
    let gateway =
        Gateway::start(&config(json!({ "web": { "type": "http", "url": peer.url("/mcp") } }))).http();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
    let text = format!(
        "POST /mcp?access_token={CANARY} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         accept: application/json, text/event-stream\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        gateway.addr(),
        TOKENS[0],
        body.len()
    );
    gateway.client().raw(text.as_bytes()).head();
    let client = caller(&gateway, 0);
    client.request("tools/list", json!({})).result();
    call(&client, "web__whoami", &[]).result();
    assert!(!peer.bytes().contains(CANARY) && !gateway.stderr().contains(CANARY));
}
