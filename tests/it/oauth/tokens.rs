//! Tokens over time: renewed, refused, withdrawn, and by several processes at once.

use crate::oauth::conf_of;
use crate::oauth::conf_with;
use crate::oauth::kept;
use crate::oauth::person::Person;
use crate::oauth::person::log_in;
use crate::oauth::person::run;
use crate::oauth::rig::Rig;
use crate::support::gateway::Gateway;
use serde_json::Value;
use serde_json::json;

/// The token that the last call showed.
fn shown_last(rig: &Rig) -> String {
    let seen = rig.server.seen_at("/mcp");
    let shown = seen.iter().rev().find_map(|request| request.headers.get("authorization").cloned());
    shown.expect("a token was shown")
}

#[test]
fn a_token_that_ends_is_renewed_once_for_all_processes() {
    let rig = Rig::with(|ways| ways.lifetimes = (0, 3600));
    let conf = conf_of(&rig);
    log_in(&conf, "x");
    let gateways = [Gateway::on(&conf).http(), Gateway::on(&conf).http()];
    let call = |gateway: usize| {
        let answer = gateways[gateway].legacy().call("x__echo", json!({}));
        assert_eq!(answer.result()["content"][0]["text"], "ran echo");
    };
    std::thread::scope(|scope| {
        for call_of in 0..12 {
            scope.spawn(move || call(call_of % 2));
        }
    });
    let renewals = rig.grants("refresh_token");
    assert_eq!((renewals.len(), rig.calls()), (1, 12), "a second use would have withdrawn everything");
    assert_eq!(renewals[0].param("resource"), Some(rig.server.url("/mcp")));
    // The newest token is the one on disk: a third process uses it as it is.
    assert_eq!(run(&conf, &["call", "x__echo"]).code, 0);
    assert_eq!(rig.grants("refresh_token").len(), 1);
}

#[test]
fn a_token_that_lives_shortly_is_used_while_it_lives() {
    let rig = Rig::with(|ways| ways.lifetimes = (29, 29));
    let conf = conf_of(&rig);
    log_in(&conf, "x");
    let gateway = Gateway::on(&conf).http();
    for _ in 0..10 {
        assert!(gateway.legacy().call("x__echo", json!({})).raw_result().contains("ran echo"));
    }
    assert_eq!((rig.calls(), rig.grants("refresh_token").len()), (10, 0), "not renewed for each request");
}

#[test]
fn a_refused_token_is_renewed_and_the_call_runs_once() {
    let rig = Rig::start();
    let conf = conf_of(&rig);
    log_in(&conf, "x");
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    assert!(client.call("x__echo", json!({})).raw_result().contains("ran echo"));
    let before = shown_last(&rig);
    rig.revoke_access();
    assert!(client.call("x__echo", json!({})).raw_result().contains("ran echo"));
    assert_eq!((rig.calls(), rig.grants("refresh_token").len()), (2, 1));
    assert_ne!(shown_last(&rig), before);
}

#[test]
fn a_server_that_refuses_every_token_is_not_asked_for_ever() {
    let rig = Rig::start();
    let conf = conf_of(&rig);
    log_in(&conf, "x");
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    assert!(client.call("x__echo", json!({})).raw_result().contains("ran echo"));
    rig.change(|ways| ways.refuses_all = true);
    for _ in 0..5 {
        assert!(client.call("x__echo", json!({})).raw_error().contains("auth login x"));
    }
    assert_eq!((rig.calls(), rig.grants("refresh_token").len()), (1, 1), "renewed once, and no more");
}

#[test]
fn a_login_that_was_withdrawn_is_one_no_more() {
    let rig = Rig::with(|ways| ways.lifetimes = (0, 0));
    let conf = conf_of(&rig);
    log_in(&conf, "x");
    rig.change(|ways| ways.withdraws = true);
    let ended = run(&conf, &["call", "x__echo"]);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("needs a login: run `mcp-manifold auth login x`"), "{}", ended.stderr);
    assert_eq!(run(&conf, &["call", "x__echo"]).code, 3);
    assert_eq!(rig.grants("refresh_token").len(), 1, "what was withdrawn is not sent again");
    let status = run(&conf, &["auth", "status", "--json"]);
    let shown: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(shown["logins"][0]["state"], "ended");
    rig.change(|ways| ways.withdraws = false);
    log_in(&conf, "x");
    assert_eq!(run(&conf, &["call", "x__echo"]).code, 0);
}

#[test]
fn who_logs_in_again_after_a_withdrawal_is_a_new_client_with_all_it_needs() {
    let rig = Rig::with(|ways| ways.lifetimes = (0, 3600));
    let mut entry = rig.entry();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    entry["auth"] = json!({ "type": "oauth", "redirectPort": port });
    let conf = conf_with(&entry);
    log_in(&conf, "x");
    rig.change(|ways| {
        ways.withdraws = true;
        ways.forgets = Some("client-1");
    });
    assert_eq!(run(&conf, &["call", "x__echo"]).code, 3);
    rig.change(|ways| ways.withdraws = false);
    let person = Person::logs_in(&conf, &["x", "--scope", "admin"]);
    let address = person.address();
    assert_eq!(crate::oauth::param(&address, "client_id").as_deref(), Some("client-2"));
    assert_eq!(crate::oauth::param(&address, "scope").as_deref(), Some("base admin"));
    assert_eq!(person.finishes().code, 0);
    assert_eq!(run(&conf, &["call", "x__admin"]).code, 0);
}

#[test]
fn the_secret_of_a_registration_is_known_after_a_restart() {
    let rig = Rig::with(|ways| {
        ways.client_secret = Some("registered-secret".into());
        ways.lifetimes = (0, 3600);
    });
    let conf = conf_of(&rig);
    log_in(&conf, "x");
    let ended = run(&conf, &["call", "x__echo"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let renewal = &rig.grants("refresh_token")[0];
    assert!(renewal.headers["authorization"].starts_with("Basic ") && renewal.param("client_id").is_none());
}

#[test]
fn a_client_of_the_entry_keeps_its_secret_in_the_file_and_is_registered_nowhere() {
    let rig = Rig::with(|ways| {
        ways.client_secret = Some("entry-secret".into());
        ways.lifetimes = (0, 3600);
    });
    let entry = |issuer: Option<String>| {
        let mut entry = rig.entry();
        let secret = "${CLIENT_SECRET:-entry-secret}";
        entry["auth"] =
            json!({ "type": "oauth", "clientId": "own", "clientSecret": secret, "scopes": ["wide"] });
        if let Some(issuer) = issuer {
            entry["auth"]["issuer"] = json!(issuer);
        }
        entry
    };
    let conf = conf_with(&entry(Some(rig.issuer.url(""))));
    let person = Person::logs_in(&conf, &["x"]);
    let address = person.address();
    assert_eq!(crate::oauth::param(&address, "client_id").as_deref(), Some("own"));
    assert_eq!(crate::oauth::param(&address, "scope").as_deref(), Some("wide"));
    assert_eq!(person.finishes().code, 0);
    assert_eq!(run(&conf, &["call", "x__echo"]).code, 0);
    assert_eq!((rig.registered().len(), rig.grants("refresh_token").len()), (0, 1));
    let text = std::fs::read_to_string(&kept(&conf)[0]).unwrap();
    assert!(!text.contains("entry-secret"), "it has one place");
}
