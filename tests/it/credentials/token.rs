//! `oauth2` client credentials, against an authorization server made here.

use super::peer::Answer;
use super::peer::Peer;
use super::peer::Request;
use crate::support::gateway::Gateway;
use crate::support::stdio_client::StdioClient;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// Gives out `t-1`, `t-2`, …, each for `life` seconds.
fn issuer(life: Value) -> (Peer, Arc<AtomicUsize>) {
    let given = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&given);
    let peer = Peer::start(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        let token =
            json!({ "access_token": format!("t-{number}"), "token_type": "Bearer", "expires_in": life });
        Answer(200, token.to_string())
    });
    (peer, given)
}

fn client(issuer: &Peer, server: &Peer, more: Value) -> StdioClient {
    let mut auth = json!({
        "type": "oauth2", "tokenUrl": issuer.url("/token"), "clientId": "our id", "scopes": ["read", "write"],
        "resource": "https://mcp.example/",
    });
    for (key, value) in more.as_object().expect("an object") {
        auth[key] = value.clone();
    }
    let entry = json!({ "type": "http", "url": server.url("/mcp"), "auth": auth });
    let client = Gateway::start(&json!({ "mcpServers": { "web": entry } })).stdio().legacy();
    client.request("tools/list", json!({})).result();
    client
}

/// Waits until the gateway says this on stderr; all it says.
fn told(client: &StdioClient, text: &str) -> String {
    crate::support::eventually::eventually(text, || client.stderr().contains(text));
    client.stderr()
}

fn form(request: &Request) -> Vec<(String, String)> {
    let pairs = request.body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_token_is_asked_for_once_and_shown_on_every_request() {
    let ((issuer, given), server) =
        (issuer(json!(3600)), Peer::mcp(|request| request.header("authorization").is_some()));
    let client = client(&issuer, &server, json!({ "clientSecret": "our s+cret" }));
    let calls: Vec<_> = (0..20).map(|_| client.begin_call("web__whoami", json!({}))).collect();
    for id in calls {
        assert!(client.answer(&id).text().contains("authorization=Bearer t-1 "));
    }
    assert_eq!(given.load(Ordering::SeqCst), 1, "all wait for the one who asks");
    let asked = issuer.seen().remove(0);
    // RFC 6749, 2.3.1: both as a form has them.
    assert_eq!(asked.header("authorization"), Some("Basic b3VyK2lkOm91citzJTJCY3JldA=="));
    assert_eq!(
        asked.body,
        "grant_type=client_credentials&scope=read+write&resource=https%3A%2F%2Fmcp.example%2F"
    );
    assert!(server.seen().iter().all(|request| request.header("authorization") == Some("Bearer t-1")));
    assert!(!client.stderr().contains("t-1") && !client.stderr().contains("s+cret"));
}

#[test]
fn a_secret_may_go_into_the_body() {
    let ((issuer, _), server) = (issuer(Value::Null), Peer::mcp(|_| true));
    let client = client(&issuer, &server, json!({ "clientSecret": "s", "clientAuth": "post" }));
    client.call("web__whoami", json!({})).result();
    let asked = issuer.seen().remove(0);
    assert_eq!(asked.header("authorization"), None);
    assert!(asked.body.ends_with("&client_id=our+id&client_secret=s"), "{}", asked.body);
}

#[test]
fn a_key_signs_who_we_are() {
    let der = rcgen::KeyPair::generate().expect("a key").serialize_der();
    let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    let ((issuer, _), server) = (issuer(json!("3600")), Peer::mcp(|_| true));
    let more = json!({ "privateKey": key, "algorithm": "ES256", "keyId": "k1", "audience": "a" });
    let client = client(&issuer, &server, more);
    assert!(client.call("web__whoami", json!({})).text().contains("Bearer t-1"));
    let form = form(&issuer.seen().remove(0));
    let value = |name: &str| {
        form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    assert_eq!(
        value("client_assertion_type"),
        "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    );
    let assertion = value("client_assertion");
    let part = |at: usize| -> Value {
        let text =
            URL_SAFE_NO_PAD.decode(assertion.split('.').nth(at).expect("three parts")).expect("base64url");
        serde_json::from_slice(&text).expect("JSON")
    };
    let (head, claims) = (part(0), part(1));
    assert_eq!((&head["alg"], &head["kid"]), (&json!("ES256"), &json!("k1")));
    assert_eq!(
        (&claims["iss"], &claims["sub"], &claims["aud"]),
        (&json!("our id"), &json!("our id"), &json!(issuer.url("/token")))
    );
    assert!(claims["exp"].as_u64() > claims["iat"].as_u64() && claims["jti"].is_string());
}

#[test]
fn a_token_that_is_over_or_refused_is_replaced_and_the_refused_request_sent_once_more() {
    let ((issuer, given), server) = (issuer(json!(0)), Peer::mcp(|_| true));
    let short = client(&issuer, &server, json!({ "clientSecret": "s" }));
    short.call("web__whoami", json!({})).result();
    short.call("web__whoami", json!({})).result();
    assert!(given.load(Ordering::SeqCst) >= 2, "one that is over is not shown again");

    let ((issuer, _), good) = (self::issuer(Value::Null), Arc::new(AtomicUsize::new(1)));
    let admitted = Arc::clone(&good);
    let server = Peer::mcp(move |request| {
        request.header("authorization") == Some(&format!("Bearer t-{}", admitted.load(Ordering::SeqCst)))
    });
    let client = client(&issuer, &server, json!({ "clientSecret": "s" }));
    client.call("web__whoami", json!({})).result();
    good.store(2, Ordering::SeqCst);
    // Right after the first one nothing new is asked for: a server that refuses everything would make it a storm.
    crate::support::eventually::eventually("the new one is shown", || {
        !client.call("web__whoami", json!({})).is_error()
    });
    let calls = server.seen().into_iter().filter(|request| request.method() == "tools/call");
    let shown: Vec<_> =
        calls.map(|request| request.header("authorization").unwrap_or_default().to_owned()).collect();
    assert_eq!(shown.last().map(String::as_str), Some("Bearer t-2"));
    assert_eq!(issuer.seen().len(), 2);
}

#[test]
fn a_refusal_of_the_token_endpoint_is_told_and_names_the_server() {
    let issuer =
        Peer::start(|_| Answer(401, json!({ "error": "invalid_client", "x": "hidden-text" }).to_string()));
    let server = Peer::mcp(|_| true);
    let client = client(&issuer, &server, json!({ "clientSecret": "never-shown" }));
    let told = told(
        &client,
        "server `web` was not asked: there is no token for it: the token endpoint answered HTTP 401: invalid_client",
    );
    assert!(!told.contains("never-shown") && !told.contains("hidden-text"));
    assert_eq!(server.seen().len(), 0, "nothing is sent without it");
}

#[test]
fn a_token_endpoint_that_sends_elsewhere_is_not_followed() {
    let elsewhere = Peer::start(|_| Answer(200, "{}".into()));
    let to = elsewhere.url("/token");
    let issuer = Peer::start(move |_| Answer(307, to.clone()));
    let server = Peer::mcp(|_| true);
    let client = client(&issuer, &server, json!({ "clientSecret": "s" }));
    told(&client, "a redirect that is not followed");
    assert!(elsewhere.seen().is_empty() && server.seen().is_empty());
}
