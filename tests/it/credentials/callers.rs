//! `identity: caller`: everybody with a credential of their own, and nobody with that of somebody else.

use super::call;
use super::caller;
use super::config;
use super::peer::Peer;
use crate::support::gateway::Gateway;
use serde_json::Value;
use serde_json::json;

fn entry(peer: &Peer, more: Value) -> Value {
    let mut entry = json!({
        "type": "http", "url": peer.url("/mcp"),
        "auth": {
            "type": "bearer", "identity": "caller", "token": "for-lists-only",
            "callers": { "token:1": { "token": "the-one-of-alice" } },
        },
    });
    for (key, value) in more.as_object().expect("an object") {
        entry[key] = value.clone();
    }
    entry
}

#[test]
fn s7_a_caller_without_a_credential_is_told_so_and_never_gets_another() {
    for more in [json!({}), json!({ "sharing": "shared" }), json!({ "sharing": "per-call" })] {
        let peer = Peer::mcp(|_| true);
        let gateway = Gateway::start(&config(json!({ "web": entry(&peer, more) }))).http();
        let (alice, bob) = (caller(&gateway, 0), caller(&gateway, 1));
        alice.request("tools/list", json!({})).result();
        assert!(call(&alice, "web__whoami", &[]).text().contains("authorization=Bearer the-one-of-alice"));
        let told = call(&bob, "web__whoami", &[]);
        assert!(told.error_text().contains("there is none for `token-2`"), "{}", told.error_text());
        assert!(call(&alice, "web__whoami", &[]).text().contains("authorization=Bearer the-one-of-alice"));
        assert_eq!(peer.shown(), ["Bearer the-one-of-alice"; 2], "the token for lists is for no call");
    }
}

#[test]
fn callers_do_not_share_connections_and_one_bad_credential_is_nobody_elses_trouble() {
    let peer = Peer::mcp(|request| request.header("authorization") != Some("Bearer spoilt"));
    let mut own = entry(&peer, json!({}));
    own["auth"]["callers"]["token-2"] = json!({ "token": "spoilt" });
    let gateway = Gateway::start(&config(json!({ "web": own }))).http();
    let (alice, bob) = (caller(&gateway, 0), caller(&gateway, 1));
    alice.request("tools/list", json!({})).result();
    for _ in 0..8 {
        let told = call(&bob, "web__whoami", &[]);
        assert!(told.error_text().contains("it wants credentials"), "{}", told.error_text());
        assert!(call(&alice, "web__whoami", &[]).text().contains("Bearer the-one-of-alice"));
    }
}

#[test]
fn a_changed_credential_counts_from_the_next_call() {
    let peer = Peer::mcp(|_| true);
    let gateway = Gateway::start(&config(json!({ "web": entry(&peer, json!({})) }))).http();
    let alice = caller(&gateway, 0);
    alice.request("tools/list", json!({})).result();
    call(&alice, "web__whoami", &[]).result();
    let mut changed = entry(&peer, json!({}));
    changed["auth"]["callers"]["token:1"]["token"] = json!("a-new-one");
    gateway.conf().write(&config(json!({ "web": changed })));
    crate::support::eventually::eventually("the new one is shown", || {
        call(&alice, "web__whoami", &[]).text().contains("authorization=Bearer a-new-one")
    });
}

#[test]
fn a_process_owner_is_a_caller_too() {
    let peer = Peer::mcp(|_| true);
    let mut own = entry(&peer, json!({}));
    own["auth"]["callers"] = json!({ "local": { "token": "the-owners" } });
    let client = Gateway::start(&json!({ "mcpServers": { "web": own } })).stdio().legacy();
    client.request("tools/list", json!({})).result();
    assert!(client.call("web__whoami", json!({})).text().contains("Bearer the-owners"));
}
