//! The keys of an issuer change while the gateway runs: new ones are found, old ones count no more, and an outage ends in
//! refusals. It takes as long as the pauses between two requests for keys, whatever `SOAK_SECONDS` says.

use crate::figures::Figures;
use crate::plan::Plan;
use crate::support::eventually::now;
use crate::support::eventually::within;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::issuer::AUDIENCE;
use crate::support::issuer::Issuer;
use crate::support::issuer::Signer;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// Two pauses between requests for keys, and some time for a slow machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// From now on `issuer` gives these.
fn shows(issuer: &Issuer, keys: &Value) {
    *issuer.keys.lock().expect("nobody panics") = Some(keys.to_string());
}

fn token(issuer: &Issuer, signer: &Signer, kid: &str, subject: &str) -> String {
    let mut claims = issuer.claims();
    claims["sub"] = json!(subject);
    signer.token("EdDSA", json!({ "kid": kid }), &claims)
}

fn status(gateway: &HttpGateway, token: &str) -> u16 {
    let mut client = gateway.modern();
    client.bearer = Some(token.to_owned());
    client.begin("tools/list", json!({})).head().status
}

fn renamed(signer: &Signer, kid: &str) -> Value {
    let mut key = signer.jwks()["keys"][2].clone();
    key["kid"] = json!(kid);
    key
}

#[test]
#[ignore = "two minutes, most of them waiting; `.ci/run soak` runs it"]
fn keys_of_an_issuer_are_exchanged_and_an_outage_ends_in_refusals() {
    let plan = Plan::take();
    let (issuer, second) = (Issuer::start(), Signer::new());
    let terms = json!({ "issuer": issuer.name(), "audience": AUDIENCE, "maxStale": "30s" });
    let auth = json!({ "jwt": [terms], "failuresPerMinute": 1_000_000 });
    let gateway = Gateway::start(&json!({ "mcpServers": {}, "gateway": { "auth": auth } })).http();
    let old = token(&issuer, &issuer.signer, "ed", "ann");
    let new = token(&issuer, &second, "second", "ann");
    assert_eq!((status(&gateway, &old), status(&gateway, &new), issuer.asked()), (200, 401, 1));
    let began = now();

    shows(&issuer, &json!({ "keys": [issuer.signer.jwks()["keys"][2], renamed(&second, "second")] }));
    assert!(within(PATIENCE, || status(&gateway, &new) == 200), "the new key is found");
    let found = began.elapsed();
    assert_eq!((status(&gateway, &old), issuer.asked()), (200, 2), "both count, and one request found them");

    shows(&issuer, &json!({ "keys": [renamed(&second, "second")] }));
    // A token with a key that nobody knows has the keys read, once it is time.
    let stranger = token(&issuer, &second, "third", "ann");
    let gone = || status(&gateway, &stranger) == 401 && status(&gateway, &old) == 401;
    assert!(within(PATIENCE, gone), "who was let in with the old key is not any more");
    assert_eq!((status(&gateway, &new), issuer.asked()), (200, 3));
    let vanished = began.elapsed();

    issuer.goes_down();
    assert_eq!(status(&gateway, &new), 200, "an outage is nothing at first");
    assert!(within(PATIENCE, || status(&gateway, &new) == 503), "and ends with the time of the keys");
    let other = token(&issuer, &second, "second", "bob");
    assert_eq!(status(&gateway, &other), 503);
    let ended = began.elapsed();

    shows(&issuer, &json!({ "keys": [renamed(&second, "second")] }));
    assert!(within(PATIENCE, || status(&gateway, &new) == 200), "it is over");
    Figures::of("rotation", &plan)
        .with("found_s", found.as_secs())
        .with("vanished_s", vanished.as_secs())
        .with("refused_s", ended.as_secs())
        .with("over_s", began.elapsed().as_secs())
        .with("asked", issuer.asked())
        .print();
    let pauses = began.elapsed().as_secs() / 30;
    assert!(issuer.asked() as u64 <= pauses + 1, "{} requests in {pauses} pauses", issuer.asked());
}
