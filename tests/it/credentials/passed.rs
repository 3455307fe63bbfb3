//! `passHeaders`: what a server gets of the headers of a client.

use super::call;
use super::caller;
use super::config;
use super::peer::Peer;
use crate::support::gateway::Gateway;
use crate::support::stdio_client::with_modern_meta;
use crate::ws_front::open_with;
use serde_json::json;

#[test]
fn named_headers_are_passed_on_each_on_a_connection_of_its_own() {
    let peer = Peer::mcp(|_| true);
    let entry = json!({
        "type": "http", "url": peer.url("/mcp"), "passHeaders": ["X-Tenant"],
        "auth": { "type": "apiKey", "key": "our-own-key" },
    });
    let gateway = Gateway::start(&config(json!({ "web": entry }))).http();
    let client = caller(&gateway, 0);
    client.request("tools/list", json!({})).result();
    for tenant in ["a", "b", "a", "c"] {
        let answer = call(&client, "web__whoami", &[("x-tenant", tenant), ("x-api-key", "theirs")]);
        assert_eq!(answer.text(), format!("authorization=none x-api-key=our-own-key x-tenant={tenant}"));
    }
    assert!(call(&client, "web__whoami", &[("x-other", "a")]).text().ends_with("x-tenant=none"));
    let twice = [("x-tenant", "a"), ("x-tenant", "b")];
    assert!(call(&client, "web__whoami", &twice).text().ends_with("x-tenant=none"), "of two neither counts");
    assert!(!peer.bytes().contains("theirs") && !peer.bytes().contains("x-other"));
}

#[test]
fn a_session_passes_on_what_it_began_with() {
    let peer = Peer::mcp(|_| true);
    let entry = json!({ "type": "http", "url": peer.url("/mcp"), "passHeaders": ["X-Tenant"] });
    let gateway = Gateway::start(&json!({ "mcpServers": { "web": entry } })).http();
    let info = json!({ "name": "rig", "version": "1" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }).to_string();
    let mut client = gateway.client();
    let reply = client.post(&body, &[("x-tenant", "north")]).expect(200);
    client.session = reply.header("mcp-session-id").map(str::to_owned);
    client.version = Some("2025-11-25".into());
    client.request("tools/list", json!({})).result();
    assert!(client.call("web__whoami", json!({})).text().ends_with("x-tenant=north"));
    let other = gateway.legacy();
    assert!(other.call("web__whoami", json!({})).text().ends_with("x-tenant=none"));
}

#[test]
fn a_websocket_passes_on_what_it_was_asked_for_with() {
    let peer = Peer::mcp(|_| true);
    let entry = json!({ "type": "http", "url": peer.url("/mcp"), "passHeaders": ["X-Tenant"] });
    let mut file = config(json!({ "web": entry }));
    file["gateway"]["http"]["websocket"] = json!(true);
    let gateway = Gateway::start(&file).http();
    let bearer = caller(&gateway, 0).bearer.expect("a token");
    let info = json!({ "name": "rig", "version": "1" });
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
    for (lines, seen) in
        [("x-tenant: north\r\n", "north"), ("x-tenant: a\r\nx-tenant: b\r\n", "none"), ("", "none")]
    {
        let lines = format!("authorization: Bearer {bearer}\r\n{lines}");
        let whoami = json!({ "name": "web__whoami", "arguments": {} });
        let mut legacy = open_with(&gateway, &lines);
        legacy.request(1, "initialize", hello.clone()).result();
        legacy.request(2, "tools/list", json!({})).result();
        let mut modern = open_with(&gateway, &lines);
        for answer in [
            legacy.request(3, "tools/call", whoami.clone()),
            modern.request(4, "tools/call", with_modern_meta(whoami)),
        ] {
            let seen = format!("authorization=none x-api-key=none x-tenant={seen}");
            assert_eq!(answer.text(), seen, "{lines}");
        }
    }
    assert!(!peer.bytes().contains(&bearer));
}
