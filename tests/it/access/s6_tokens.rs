//! S6: tokens are really checked. Only what the configuration names is believed: issuer, audience, algorithms, keys.
//!
//! Advisories of the kind: audience confusion (GHSA-rvq5-wwqv-78pq, CVE-2026-44428), a cache that knows tokens by their
//! beginning (CVE-2026-35030), algorithms chosen by the token.

use crate::access::issuer::AUDIENCE;
use crate::access::issuer::Issuer;
use crate::access::issuer::Signer;
use crate::access::issuer::b64;
use crate::access::issuer::now;
use crate::access::rig::ask;
use crate::access::rig::bearer;
use crate::access::rig::folder;
use crate::access::rig::gateway;
use crate::access::rig::listed;
use crate::access::rig::start;
use crate::access::rig::status;
use crate::access::rig::write_private;
use crate::support::eventually::eventually;
use crate::support::gateway::HttpGateway;
use serde_json::Value;
use serde_json::json;

fn section(issuer: &Issuer, more: &Value) -> Value {
    let mut terms = json!({ "issuer": issuer.name() });
    for (key, value) in more.as_object().expect("an object") {
        terms[key] = value.clone();
    }
    json!({ "auth": { "resource": AUDIENCE, "jwt": [terms], "failuresPerMinute": 100_000 } })
}

fn served(issuer: &Issuer) -> HttpGateway {
    gateway(&section(issuer, &json!({ "claims": { "team": "team", "keep": ["role"] } })))
}

fn with(claims: &Value, more: Value) -> Value {
    let mut claims = claims.clone();
    for (name, value) in more.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

#[test]
fn s6_good_tokens_of_each_kind_pass() {
    let issuer = Issuer::start();
    let (gateway, signer, good) = (served(&issuer), &issuer.signer, issuer.claims());
    let mut tokens: Vec<String> =
        ["RS256", "ES256", "EdDSA"].into_iter().map(|how| signer.token(how, json!({}), &good)).collect();
    for header in [
        json!({ "typ": null }),
        json!({ "typ": "at+jwt" }),
        json!({ "typ": "application/at+JWT" }),
        json!({ "kid": null }),
        // Not looked at.
        json!({ "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/x", "x5t": "x", "extra": 1 }),
    ] {
        tokens.push(signer.token("EdDSA", header, &good));
    }
    for claims in [
        json!({ "aud": [AUDIENCE, "https://other.example.com/"] }),
        json!({ "exp": now() - 5 }),
        json!({ "exp": now() as f64 + 600.5 }),
        json!({ "nbf": now() + 5 }),
        json!({ "scope": "a b", "scp": ["c"], "role": ["x", "y"], "team": "red" }),
        json!({ "team": ["red"] }),
    ] {
        tokens.push(signer.token("EdDSA", json!({}), &with(&good, claims)));
    }
    for (row, token) in tokens.iter().enumerate() {
        assert_eq!(status(&gateway, &bearer(token)), 200, "row {row}");
        assert_eq!(status(&gateway, &bearer(token)), 200, "row {row}, remembered");
    }
    assert_eq!(issuer.asked(), 1, "the keys were read once");
}

/// Rows of tokens with a wrong header, signature or form.
fn odd(signer: &Signer, stranger: &Signer, good: &Value) -> Vec<String> {
    let claims = good.to_string();
    let mut rows = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE", "", "HS256", "HS512", "ES512", "RS1", "ES256K"] {
        let header = json!({ "alg": alg, "kid": "ed" }).to_string();
        rows.push(signer.raw("", &header, &claims));
        rows.push(signer.raw("EdDSA", &header, &claims));
    }
    rows.push(signer.token("HS256", json!({}), good));
    rows.push(signer.token("HS256", json!({ "kid": "rsa" }), good));
    // Right, and not among the accepted.
    rows.push(signer.token("RS384", json!({}), good));
    rows.push(signer.token("ES256-DER", json!({}), good));
    rows.push(signer.raw("ES256", &json!({ "alg": "EdDSA", "kid": "ed" }).to_string(), &claims));
    rows.push(signer.raw("EdDSA", &json!({ "alg": "RS256", "kid": "rsa" }).to_string(), &claims));
    for more in [
        json!({ "alg": null }),
        json!({ "alg": 1 }),
        json!({ "alg": ["EdDSA"] }),
        json!({ "kid": "p256" }),
        json!({ "kid": "../../etc/passwd" }),
        json!({ "kid": "' or 1=1 --" }),
        json!({ "kid": "" }),
        json!({ "kid": 1 }),
        json!({ "crit": ["exp"] }),
        json!({ "crit": [] }),
        json!({ "b64": false, "crit": ["b64"] }),
        json!({ "cty": "JWT" }),
        json!({ "zip": "DEF" }),
        json!({ "enc": "A128GCM" }),
        json!({ "typ": "dpop+jwt" }),
        json!({ "typ": "logout+jwt" }),
        json!({ "typ": 1 }),
        json!({ "long": "x".repeat(14 << 10) }),
    ] {
        rows.push(signer.token("EdDSA", more, good));
    }
    let own = stranger.jwks()["keys"][2].clone();
    for more in [
        json!({}),
        json!({ "jwk": own }),
        json!({ "jku": "http://127.0.0.1:1/keys" }),
        json!({ "kid": null }),
    ] {
        rows.push(stranger.token("EdDSA", more, good));
    }
    rows
}

/// Rows of texts that are hardly tokens.
fn broken(signer: &Signer, good: &Value) -> Vec<String> {
    let claims = good.to_string();
    let token = signer.token("EdDSA", json!({}), good);
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let payload = message.split_once('.').expect("three parts").1;
    vec![
        message.to_owned(),
        format!("{message}."),
        format!("{message}.{}", &signature[..signature.len() - 4]),
        format!("{token}.x"),
        format!("{token}.x.y"),
        format!("{token}="),
        format!(".{payload}.{signature}"),
        token.replace('.', ""),
        format!("{}.{payload}.{signature}", b64(b"[]")),
        format!("{}.{payload}.{signature}", b64(b"\xff")),
        signer.raw("EdDSA", r#"{"alg":"EdDSA","alg":"none","kid":"ed"}"#, &claims),
        signer.raw("EdDSA", r#"{"alg":"EdDSA","kid":"p256","kid":"ed"}"#, &claims),
    ]
}

/// Rows of tokens with wrong claims, well signed.
fn wrong(signer: &Signer, good: &Value) -> Vec<String> {
    let mut rows: Vec<String> = ["iss", "aud", "sub", "exp"]
        .into_iter()
        .map(|name| signer.token("EdDSA", json!({}), &without(good, name)))
        .collect();
    let issuer = good["iss"].as_str().expect("a text").to_owned();
    let past = now() - 600;
    for claims in [
        json!({ "aud": "https://mcp.example.com" }),
        json!({ "aud": "https://mcp.example.com/" }),
        json!({ "aud": "https://mcp.example.com/mcp/" }),
        json!({ "aud": "https://mcp.example.com/mcp2" }),
        json!({ "aud": "https://mcp.example.com:443/mcp" }),
        json!({ "aud": "https://MCP.example.com/mcp" }),
        json!({ "aud": "http://mcp.example.com/mcp" }),
        json!({ "aud": "https://mcp.example.com/mcp https://other" }),
        json!({ "aud": ["https://other.example.com/"] }),
        json!({ "aud": [] }),
        json!({ "aud": [AUDIENCE, 1] }),
        json!({ "aud": { "x": AUDIENCE } }),
        json!({ "aud": null }),
        json!({ "aud": 1 }),
        json!({ "iss": format!("{issuer}/") }),
        json!({ "iss": issuer.to_uppercase() }),
        json!({ "iss": "https://evil.example.com" }),
        json!({ "iss": [issuer] }),
        json!({ "iss": null }),
        json!({ "exp": past }),
        json!({ "exp": "4000000000" }),
        json!({ "exp": -1 }),
        json!({ "exp": null }),
        json!({ "exp": [4_000_000_000_u64] }),
        json!({ "nbf": now() + 600 }),
        json!({ "nbf": "0" }),
        json!({ "iat": now() + 600 }),
        json!({ "sub": "" }),
        json!({ "sub": 1 }),
        json!({ "team": ["red", "blue"] }),
    ] {
        rows.push(signer.token("EdDSA", json!({}), &with(good, claims)));
    }
    let text = good.to_string();
    let inner = &text[1..text.len() - 1];
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    for claims in [
        format!("{{{inner},\"sub\":\"eve\"}}"),
        format!("{{{inner},\"s\\u0075b\":\"eve\"}}"),
        format!("{{{inner},\"exp\":4000000000}}"),
        format!("{{{inner},\"deep\":{deep}}}"),
        format!("{{{inner}}} x"),
        format!("[{text}]"),
        text.replace("\"exp\":", "\"Exp\":"),
        text.replace(&good["exp"].to_string(), "1e400"),
        String::new(),
    ] {
        rows.push(signer.raw("EdDSA", r#"{"alg":"EdDSA","kid":"ed"}"#, &claims));
    }
    rows
}

#[test]
fn s6_every_other_token_is_refused() {
    let issuer = Issuer::start();
    let (gateway, good) = (served(&issuer), issuer.claims());
    let mut rows = odd(&issuer.signer, &Signer::new(), &good);
    rows.extend(broken(&issuer.signer, &good));
    rows.extend(wrong(&issuer.signer, &good));
    assert!(rows.len() >= 60, "{} rows", rows.len());
    for (row, token) in rows.iter().enumerate() {
        let reply = listed(&gateway, &bearer(token));
        assert_eq!(reply.status, 401, "row {row}: {token}");
        assert!(
            reply.header("www-authenticate").is_some_and(|said| said.contains("invalid_token")),
            "row {row}"
        );
    }
    let huge = issuer.signer.token("EdDSA", json!({ "x": "x".repeat(100_000) }), &good);
    assert_ne!(ask(&gateway, "GET", "/status", &bearer(&huge), "").status, 200);
    assert_eq!(status(&gateway, &bearer(&issuer.signer.token("EdDSA", json!({}), &good))), 200);
    assert!(issuer.asked() <= 1, "unknown keys are not asked for again and again");
}

#[test]
fn s6_no_bit_of_a_token_can_be_changed() {
    let issuer = Issuer::start();
    let gateway = served(&issuer);
    for how in ["EdDSA", "ES256"] {
        let token = issuer.signer.token(how, json!({}), &issuer.claims());
        assert_eq!(status(&gateway, &bearer(&token)), 200);
        for place in (0..token.len()).filter(|place| place % 3 == 0 || *place + 4 > token.len()) {
            let mut bytes = token.clone().into_bytes();
            bytes[place] ^= if bytes[place] == b'.' { 2 } else { 1 };
            let changed = String::from_utf8(bytes).expect("it stays ASCII");
            assert_eq!(status(&gateway, &bearer(&changed)), 401, "{how}, place {place}");
        }
    }
}

#[test]
fn s6_a_flood_of_unknown_keys_asks_the_issuer_once() {
    let issuer = Issuer::start();
    let gateway = served(&issuer);
    for number in 0..1000 {
        let token = issuer.signer.token("EdDSA", json!({ "kid": format!("kid-{number}") }), &issuer.claims());
        assert_eq!(status(&gateway, &bearer(&token)), 401);
    }
    assert_eq!(issuer.asked(), 1);
    issuer.goes_down();
    assert_eq!(status(&gateway, &bearer(&issuer.signer.token("EdDSA", json!({}), &issuer.claims()))), 200);
}

#[test]
fn s6_a_token_is_believed_no_longer_than_its_key() {
    let (issuer, second) = (Issuer::start(), Signer::new());
    let conf = folder(&json!({}));
    let file = conf.dir().join("keys.json");
    write_private(&file, &issuer.signer.jwks().to_string());
    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(conf.file()).expect("it is there")).expect("JSON");
    config["gateway"] = section(&issuer, &json!({ "jwksFile": file }));
    conf.write(&config);
    let gateway = start(&conf);
    let [old, new] =
        [&issuer.signer, &second].map(|signer| signer.token("EdDSA", json!({}), &issuer.claims()));
    assert_eq!((status(&gateway, &bearer(&old)), status(&gateway, &bearer(&new))), (200, 401));
    write_private(&file, &second.jwks().to_string());
    eventually("the old one is not believed any more", || status(&gateway, &bearer(&old)) == 401);
    assert_eq!(status(&gateway, &bearer(&new)), 200);
    std::fs::remove_file(&file).expect("it is there");
    eventually("without keys nobody is", || status(&gateway, &bearer(&new)) == 503);
}

#[test]
fn s6_without_keys_nobody_is_believed() {
    let issuer = Issuer::start();
    issuer.goes_down();
    let gateway = served(&issuer);
    let token = issuer.signer.token("EdDSA", json!({}), &issuer.claims());
    let reply = listed(&gateway, &bearer(&token)).expect(503);
    assert!(reply.header("retry-after").is_some());
}

#[test]
fn s6_a_client_is_told_where_tokens_come_from_and_what_they_need() {
    let issuer = Issuer::start();
    let gateway = gateway(&section(&issuer, &json!({ "requiredScopes": ["mcp"] })));
    let reply = listed(&gateway, "").expect(401);
    let metadata = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
    let said = format!("Bearer resource_metadata=\"{metadata}\", scope=\"mcp\"");
    assert_eq!(reply.header("www-authenticate"), Some(said.as_str()));
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let document: Value =
            serde_json::from_str(&ask(&gateway, "GET", path, "", "").expect(200).body()).expect("JSON");
        assert_eq!(document["resource"], AUDIENCE);
        assert_eq!(document["authorization_servers"], json!([issuer.name()]));
        assert_eq!(document["scopes_supported"], json!(["mcp"]));
    }
    ask(&gateway, "GET", "/.well-known/oauth-protected-resource/other", "", "").expect(401);
    let narrow =
        issuer.signer.token("EdDSA", json!({}), &with(&issuer.claims(), json!({ "scope": "mcpx mc" })));
    let reply = listed(&gateway, &bearer(&narrow)).expect(403);
    let said = reply.header("www-authenticate").expect("a challenge");
    assert!(said.contains("insufficient_scope") && said.contains("scope=\"mcp\""), "{said}");
    let wide =
        issuer.signer.token("EdDSA", json!({}), &with(&issuer.claims(), json!({ "scope": "mcp other" })));
    assert_eq!(status(&gateway, &bearer(&wide)), 200);
}
