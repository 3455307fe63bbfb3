//! `"identity": "caller"` of a login: each caller logs in, and nobody is served with the login of somebody else.

use crate::oauth::conf_of;
use crate::oauth::kept;
use crate::oauth::page::again;
use crate::oauth::page::asked;
use crate::oauth::page::call_of;
use crate::oauth::page::log_in_at;
use crate::oauth::person::Person;
use crate::oauth::person::run;
use crate::oauth::rig::Rig;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

/// Those of `token:1` and `token:2`.
const TOKENS: [&str; 2] = ["ann-shows-this-to-the-gateway", "bob-shows-this-to-the-gateway"];

fn config(rig: &Rig, identity: &str) -> Value {
    let mut entry = rig.entry();
    entry["auth"] = json!({ "type": "oauth", "identity": identity });
    json!({ "gateway": { "http": { "bearerTokens": TOKENS } }, "mcpServers": { "x": entry } })
}

fn conf(rig: &Rig) -> Arc<TempConf> {
    TempConf::with(|_| config(rig, "caller"))
}

fn client(gateway: &HttpGateway, place: usize) -> HttpClient {
    let mut client = gateway.modern();
    client.bearer = Some(TOKENS[place].into());
    client
}

fn log_in(conf: &Arc<TempConf>, args: &[&str]) {
    let ended = Person::logs_in(conf, args).finishes();
    assert_eq!(ended.code, 0, "{args:?}: {}{}", ended.stdout, ended.stderr);
}

/// The tokens that calls of tools showed.
fn shown(rig: &Rig) -> Vec<String> {
    let calls = rig.server.seen_at("/mcp").into_iter().filter(|request| request.body.contains("tools/call"));
    calls.filter_map(|request| request.headers.get("authorization").cloned()).collect()
}

#[test]
fn s7_a_caller_without_a_login_never_gets_another() {
    let rig = Rig::start();
    let conf = conf(&rig);
    log_in(&conf, &["x"]);
    let gateway = Gateway::on(&conf).http();
    let (ann, bob) = (client(&gateway, 0), client(&gateway, 1));
    let lists = |client: &HttpClient| client.request("tools/list", json!({})).keys("tools", "name").len();
    eventually("the lists are read with the login of the gateway", || lists(&ann) == 2);
    let refused = |client: &HttpClient, whose: &str| {
        let answer = client.call("x__echo", json!({}));
        let command = format!("run `mcp-manifold auth login x --caller {whose}`");
        assert!(answer.error_text().contains(&command), "{}", answer.raw);
        assert_eq!(answer.json["error"]["data"]["authorization"], "needed");
    };
    refused(&ann, "token:1");
    refused(&bob, "token:2");
    assert_eq!((rig.calls(), shown(&rig).len()), (0, 0), "the login of the gateway is for no call");

    log_in(&conf, &["x", "--caller", "token:1"]);
    assert_eq!(ann.call("x__echo", json!({})).text(), "ran echo", "from the next call on");
    refused(&bob, "token:2");
    log_in(&conf, &["x", "--caller", "token:2"]);
    assert_eq!(bob.call("x__echo", json!({})).text(), "ran echo");
    assert_eq!(ann.call("x__echo", json!({})).text(), "ran echo");
    let shown = shown(&rig);
    assert!(shown.len() == 3 && shown[0] == shown[2] && shown[0] != shown[1], "{shown:?}");

    let status = run(&conf, &["auth", "status", "x", "--json"]);
    let page: Value = serde_json::from_str(&status.stdout).unwrap();
    let mut whose: Vec<_> =
        page["logins"].as_array().unwrap().iter().map(|one| one["principal"].clone()).collect();
    whose.sort_by_key(Value::to_string);
    assert_eq!(whose, [json!("gateway"), json!("token:1"), json!("token:2")]);

    let ended = run(&conf, &["auth", "logout", "x", "--caller", "token:1"]);
    assert_eq!((ended.code, kept(&conf).len()), (0, 2), "{}", ended.stderr);
    eventually("one is logged out", || ann.call("x__echo", json!({})).is_error());
    assert_eq!(bob.call("x__echo", json!({})).text(), "ran echo");
    drop(gateway);
    let gateway = Gateway::on(&conf).http();
    assert_eq!(client(&gateway, 1).call("x__echo", json!({})).text(), "ran echo", "it is remembered");
    refused(&client(&gateway, 0), "token:1");
}

#[test]
fn a_caller_logs_in_on_a_page_for_nobody_but_itself() {
    let rig = Rig::start();
    let conf = conf(&rig);
    log_in(&conf, &["x"]);
    let gateway = Gateway::on(&conf).http();
    let (ann, bob) = (client(&gateway, 0), client(&gateway, 1));
    let (key, page) = asked(&ann.request("tools/call", call_of("x__echo")));
    let (_, of_bob) = asked(&bob.request("tools/call", call_of("x__echo")));
    assert_ne!(page, of_bob);
    let waits = ann.begin("tools/call", again("x__echo", &key, "accept"));
    log_in_at(&page);
    assert_eq!(waits.head().expect(200).answer().text(), "ran echo");
    assert_eq!(asked(&bob.request("tools/call", call_of("x__echo"))).1, of_bob);
    log_in_at(&of_bob);
    assert_eq!(bob.call("x__echo", json!({})).text(), "ran echo");
    assert_eq!(kept(&conf).len(), 3);
}

#[test]
fn the_page_of_a_caller_does_not_log_the_gateway_in() {
    let rig = Rig::start();
    let gateway = Gateway::on(&conf(&rig)).http();
    let answer = client(&gateway, 0).request("tools/call", call_of("x__echo"));
    assert!(answer.error_text().ends_with("run `mcp-manifold auth login x`"), "its lists: {}", answer.raw);
}

#[test]
fn who_shows_nothing_has_no_login() {
    let rig = Rig::start();
    let mut config = config(&rig, "caller");
    config["gateway"] = json!({});
    let conf = TempConf::with(|_| config);
    log_in(&conf, &["x"]);
    let gateway = Gateway::on(&conf).http();
    let client = gateway.modern();
    let refused = || client.request("tools/call", call_of("x__echo"));
    eventually("the lists are there", || refused().raw.contains("login of the caller"));
    assert!(refused().error_text().contains("only callers who show who they are"), "{}", refused().raw);
    assert_eq!(rig.calls(), 0);
    // The owner of the process is somebody.
    log_in(&conf, &["x", "--caller", "local"]);
    assert_eq!(run(&conf, &["call", "x__echo"]).stdout.trim(), "ran echo");
}

#[test]
fn who_logs_in_can_be_changed_and_that_counts_at_once() {
    let rig = Rig::start();
    let conf = TempConf::with(|_| config(&rig, "gateway"));
    log_in(&conf, &["x"]);
    let gateway = Gateway::on(&conf).http();
    let ann = client(&gateway, 0);
    assert_eq!(ann.call("x__echo", json!({})).text(), "ran echo");
    let wrong = run(&conf, &["auth", "login", "x", "--caller", "token:1"]);
    assert!(wrong.code == 1 && wrong.stderr.contains("`\"identity\": \"caller\"`"), "{}", wrong.stderr);
    conf.write(&config(&rig, "caller"));
    eventually("the login of the gateway is not shown for a caller", || {
        let answer = ann.call("x__echo", json!({}));
        answer.is_error() && answer.error_text().contains("--caller token:1")
    });
    let unknown = run(&conf, &["auth", "login", "x", "--caller", "eve"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("no caller `eve` is known"), "{}", unknown.stderr);
    conf.write(&config(&rig, "gateway"));
    eventually("and back", || !ann.call("x__echo", json!({})).is_error());
}

#[test]
fn another_client_at_the_authorization_server_is_another_connection() {
    let rig = Rig::start();
    let conf = conf_of(&rig);
    log_in(&conf, &["x"]);
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    let call = || client.call("x__echo", json!({}));
    assert_eq!(call().text(), "ran echo");
    let greetings =
        || rig.server.seen_at("/mcp").iter().filter(|one| one.body.contains("\"initialize\"")).count();
    let before = greetings();
    let mut entry = rig.entry();
    entry["auth"] = json!({ "type": "oauth", "scopes": ["base"] });
    conf.write(&json!({ "mcpServers": { "x": entry } }));
    eventually("it is connected anew", || !call().is_error() && greetings() > before);
}
