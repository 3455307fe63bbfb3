//! A client of the modern era sees and uses servers that know only the legacy one.
//!
//! That answers within the legacy era are left alone is shown in `bytes.rs`.

use crate::bed::Bed;
use crate::bytes::raw_answer;
use crate::calls;
use crate::calls::Call;
use crate::lists::exposed_to_modern;
use crate::support::message::Message;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn a_modern_client_over_stdio_uses_servers_of_the_legacy_era() {
    let bed = Bed::warm();
    let client = bed.gateway().stdio().modern();
    uses_everything(&bed, |method, params| client.request(method, params));
}

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn a_modern_client_over_http_uses_servers_of_the_legacy_era() {
    let bed = Bed::warm();
    let gateway = bed.gateway().http();
    let client = gateway.modern();
    uses_everything(&bed, |method, params| client.request(method, params));
}

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn within_the_modern_era_results_are_those_of_the_server_byte_for_byte() {
    let both = ["git", "time"];
    let bed = Bed::new().set(&both, "era", "modern");
    let calls = calls::many(&bed).into_iter().filter(|call| both.contains(&call.server));
    let calls: Vec<Call> = calls.collect();
    let stdio = bed.gateway().stdio().modern();
    let gateway = bed.gateway().http();
    let http = gateway.modern();
    for server in both {
        let direct = bed.alone(server).modern();
        direct.request("server/discover", json!({})).result();
        for call in calls.iter().filter(|call| call.server == server) {
            let answer = direct.request(call.method, call.params.clone());
            assert_eq!(answer.result()["resultType"], "complete", "{}", answer.short());
            let wanted = raw_answer(&answer);
            let (method, params) = (call.method, call.through_gateway());
            assert_eq!(raw_answer(&stdio.request(method, params.clone())), wanted, "{}", call.title());
            assert_eq!(raw_answer(&http.request(method, params)), wanted, "{}", call.title());
        }
    }
}

fn uses_everything(bed: &Bed, ask: impl Fn(&str, Value) -> Message) {
    let discovered = ask("server/discover", json!({}));
    let versions = discovered.result()["supportedVersions"].as_array().cloned().unwrap_or_default();
    assert!(versions.contains(&json!("2026-07-28")), "{}", discovered.short());

    let listed: BTreeSet<_> = ask("tools/list", json!({})).tools().into_iter().collect();
    assert_eq!(listed, exposed_to_modern(bed));

    let mut calls = calls::one_of_each(bed);
    calls.extend(calls::offers());
    let wanted = calls::direct_answers(bed, &calls);
    for (call, wanted) in calls.iter().zip(wanted) {
        let got = ask(call.method, call.through_gateway());
        check(call, wanted.result(), got.result());
    }
}

/// The same members, and what every modern result has.
fn check(call: &Call, wanted: &Value, got: &Value) {
    let title = call.title();
    assert_eq!(got["resultType"], "complete", "{title}: {got}");
    for (member, value) in wanted.as_object().expect("results are objects") {
        assert_eq!(got.get(member), Some(value), "{title}");
    }
    let added = got.as_object().expect("results are objects").keys();
    let known = ["resultType", "ttlMs", "cacheScope", "_meta"];
    let strange: Vec<_> =
        added.filter(|key| wanted.get(key).is_none() && !known.contains(&key.as_str())).collect();
    assert!(strange.is_empty(), "{title}: {strange:?}");
}
