//! Servers that want a login only after the handshake, or more than the login there is before they show anything.

use crate::oauth::conf_of;
use crate::oauth::param;
use crate::oauth::person::Person;
use crate::oauth::person::log_in;
use crate::oauth::person::run;
use crate::oauth::rig::Rig;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use serde_json::json;

#[test]
fn a_server_that_greets_anybody_and_shows_nothing_needs_a_login() {
    let rig = Rig::with(|ways| {
        ways.greets = true;
        ways.changes_resource = json!({ "scopes_supported": ["other"] });
    });
    let conf = conf_of(&rig);
    let needs = "needs a login: run `mcp-manifold auth login x`";
    for args in [&["call", "x__echo"][..], &["tools"]] {
        let ended = run(&conf, args);
        assert_eq!(ended.code, 3, "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(needs), "{args:?}: {}", ended.stderr);
    }
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    let said = client.call("x__echo", json!({}));
    assert!(said.raw_error().contains(needs), "{}", said.raw_error());
    eventually("status says so", || gateway.status()["servers"]["x"]["needsLogin"] == true);
    let person = Person::logs_in(&conf, &["x"]);
    assert_eq!(param(&person.address(), "scope").as_deref(), Some("base"), "what the refusal names");
    assert_eq!(person.finishes().code, 0);
    eventually("the gateway uses it", || {
        let tools = client.request("tools/list", json!({}));
        tools.raw_result().contains("x__echo")
    });
    assert!(client.call("x__echo", json!({})).raw_result().contains("ran echo"));
}

#[test]
fn a_login_that_is_not_enough_for_the_lists_is_said_to_be_so() {
    let rig = Rig::with(|ways| ways.lists_need = "lists");
    let conf = conf_of(&rig);
    log_in(&conf, "x");
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    let said = client.call("x__echo", json!({}));
    assert!(said.raw_error().contains("auth login x --scope \\\"lists\\\"`"), "{}", said.raw_error());
    let person = Person::logs_in(&conf, &["x", "--scope", "lists"]);
    assert_eq!(param(&person.address(), "scope").as_deref(), Some("base lists"));
    assert_eq!(person.finishes().code, 0);
    eventually("the gateway uses it", || {
        let tools = client.request("tools/list", json!({}));
        tools.raw_result().contains("x__echo")
    });
    assert!(client.call("x__echo", json!({})).raw_result().contains("ran echo"));
}
