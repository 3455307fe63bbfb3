//! S6, S17: a token that was believed is good for as long as the key that signed it is, not only until it ends.

use crate::access::issuer::AUDIENCE;
use crate::access::issuer::Issuer;
use crate::access::rig::JSON;
use crate::access::rig::MODERN;
use crate::access::rig::ask;
use crate::access::rig::bearer;
use crate::access::rig::begin;
use crate::access::rig::folder;
use crate::access::rig::modern;
use crate::access::rig::session;
use crate::access::rig::start;
use crate::access::rig::status;
use serde_json::Value;
use serde_json::json;

/// The keys of `issuer`, but for the one called `without`.
fn keys(issuer: &Issuer, without: &str) -> String {
    let mut set = issuer.signer.jwks();
    set["keys"].as_array_mut().expect("a list").retain(|key| key["kid"] != without);
    set.to_string()
}

#[test]
fn s6_a_token_seen_before_is_refused_once_its_key_is_withdrawn() {
    let issuer = Issuer::start();
    let conf = folder(&json!({ "auth": {
        "resource": AUDIENCE, "jwt": [{ "issuer": issuer.name(), "jwksFile": "keys.jwks" }],
    } }));
    let file = conf.dir().join("keys.jwks");
    let replace = |text: &str| {
        std::fs::write(file.with_extension("new"), text).expect("it can be written");
        std::fs::rename(file.with_extension("new"), &file).expect("it can be replaced");
    };
    replace(&keys(&issuer, ""));
    let gateway = start(&conf);
    let [old, stays] =
        ["EdDSA", "ES256"].map(|how| bearer(&issuer.signer.token(how, json!({}), &issuer.claims())));
    let lines = session(&gateway, &old);
    let stream = format!("accept: text/event-stream\r\n{old}{lines}");
    let get = begin(&gateway, "GET", "/mcp", &stream, "").head().expect(200);
    let body = modern("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }));
    let listen = |credential: &str| {
        let headers = format!("{JSON}{MODERN}mcp-method: subscriptions/listen\r\n{credential}");
        begin(&gateway, "POST", "/mcp", &headers, &body).head().expect(200)
    };
    let (listening, goes_on) = (listen(&old), listen(&stays));
    assert_eq!((status(&gateway, &old), status(&gateway, &stays)), (200, 200));

    replace(&keys(&issuer, "ed"));
    assert_eq!(status(&gateway, &old), 401, "its key is no more");
    let ping = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
    ask(&gateway, "POST", "/mcp", &format!("{JSON}{old}{lines}"), ping).expect(401);
    // Each is read to its end.
    get.events();
    listening.events();
    assert_eq!(status(&gateway, &stays), 200, "the other key holds");
    assert!(goes_on.is_stream());
    drop(goes_on);

    replace(&keys(&issuer, ""));
    assert_eq!(status(&gateway, &old), 200, "its key is back");
    std::fs::remove_file(&file).expect("it was there");
    assert_eq!((status(&gateway, &old), status(&gateway, &stays)), (503, 503), "there are no keys");
    let nobody: Value = json!({ "keys": [] });
    replace(&nobody.to_string());
    assert_eq!(status(&gateway, &old), 503);
}
