//! Logins at servers that want OAuth: a person with a browser, an authorization server, a server that it protects.

mod callers;
mod documents;
mod later;
mod page;
pub mod person;
pub mod rig;
mod steered;
mod tokens;
pub mod web;

use crate::oauth::person::Person;
use crate::oauth::person::log_in;
use crate::oauth::person::run;
use crate::oauth::rig::Rig;
use crate::oauth::rig::param;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

/// The file with one server `x`.
fn conf_with(entry: &Value) -> Arc<TempConf> {
    TempConf::with(|_| json!({ "mcpServers": { "x": entry } }))
}

fn conf_of(rig: &Rig) -> Arc<TempConf> {
    conf_with(&rig.entry())
}

/// Files of logins.
fn kept(conf: &TempConf) -> Vec<PathBuf> {
    let folder = conf.dir().join(".local/state/mcp-manifold/logins");
    let files =
        std::fs::read_dir(folder).map(|files| files.map(|file| file.expect("an entry").path()).collect());
    files.unwrap_or_default()
}

#[test]
fn a_login_makes_calls_work_and_a_logout_ends_that() {
    let rig = Rig::start();
    let conf = conf_of(&rig);
    for args in [&["call", "x__echo"][..], &["tools"]] {
        let before = run(&conf, args);
        assert_eq!(before.code, 3, "{args:?}: {}", before.stderr);
        assert!(
            before.stderr.contains("needs a login: run `mcp-manifold auth login x`"),
            "{}",
            before.stderr
        );
    }
    assert_eq!(rig.registered().len(), 0, "nothing is registered before somebody logs in");

    let person = Person::logs_in(&conf, &["x"]);
    let address = person.address();
    let asked = |name: &str| param(&address, name).unwrap_or_default();
    assert_eq!(asked("resource"), rig.server.url("/mcp"));
    assert_eq!((&*asked("code_challenge_method"), &*asked("scope")), ("S256", "base"));
    assert!(asked("redirect_uri").starts_with("http://127.0.0.1:") && asked("state").len() >= 16);
    let ended = person.finishes();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let code_grant = &rig.grants("authorization_code")[0];
    assert_eq!(code_grant.param("resource"), Some(rig.server.url("/mcp")));
    assert_eq!(rig.registered()[0]["application_type"], "native");

    let after = run(&conf, &["call", "x__echo"]);
    assert_eq!((after.code, after.stdout.trim()), (0, "ran echo"), "{}", after.stderr);
    let status = run(&conf, &["auth", "status", "x", "--json"]);
    let shown: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!((status.code, &shown["logins"][0]["state"]), (0, &json!("valid")), "{shown:#}");
    for secret in rig.secrets() {
        assert!(
            ![&status, &after, &ended]
                .iter()
                .any(|one| one.stdout.contains(&secret) || one.stderr.contains(&secret))
        );
    }

    assert_eq!(run(&conf, &["auth", "logout", "x"]).code, 0);
    assert!(kept(&conf).is_empty());
    assert_eq!(run(&conf, &["call", "x__echo"]).code, 3);
    assert_eq!(run(&conf, &["auth", "status", "x"]).code, 3);
}

#[cfg(unix)]
#[test]
fn a_login_is_kept_where_nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::start();
    let conf = conf_of(&rig);
    log_in(&conf, "x");
    let file = &kept(&conf)[0];
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(file), mode(file.parent().unwrap())), (0o600, 0o700));
    assert_eq!(kept(&conf).len(), 1, "no lock and no other copy is left: {:?}", kept(&conf));
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ended = run(&conf, &["call", "x__echo"]);
    assert_eq!(ended.code, 3, "what others could read is not used: {}", ended.stderr);
}

#[test]
fn a_gateway_that_runs_notices_the_login_and_the_logout() {
    let rig = Rig::start();
    let conf = conf_of(&rig);
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    let listed = || client.request("tools/list", json!({})).result()["tools"].as_array().map_or(0, Vec::len);
    assert_eq!(listed(), 0);
    let refused = client.call("x__echo", json!({}));
    let error: Value = serde_json::from_str(&refused.raw_error()).unwrap();
    assert_eq!(error["data"]["authorization"], "needed", "{error}");
    assert!(error["message"].as_str().unwrap().contains("run `mcp-manifold auth login x`"), "{error}");
    let status = gateway.status();
    assert_eq!(
        (&status["servers"]["x"]["needsLogin"], &status["servers"]["x"]["state"]),
        (&json!(true), &json!("failed"))
    );

    log_in(&conf, "x");
    eventually("the tools appear without anybody asking for the server", || listed() == 2);
    assert_eq!(client.call("x__echo", json!({})).result()["content"][0]["text"], "ran echo");

    assert_eq!(run(&conf, &["auth", "logout", "x"]).code, 0);
    eventually("calls are refused again", || client.call("x__echo", json!({})).raw.contains("auth login x"));
    log_in(&conf, "x");
    eventually("and work again", || client.call("x__echo", json!({})).raw.contains("ran echo"));
}

#[test]
fn a_redirect_that_a_person_pastes_is_taken() {
    let rig = Rig::start();
    let conf = conf_of(&rig);
    let mut person = Person::logs_in(&conf, &["x"]);
    let back = person.agrees();
    person.types("what is this?");
    person.types(&back.replacen("127.0.0.1", "localhost", 1));
    let ended = person.ends();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(run(&conf, &["call", "x__echo"]).code, 0);
}

#[test]
fn a_login_that_is_refused_or_takes_too_long_leaves_nothing() {
    let rig = Rig::with(|ways| ways.denies = Some("access_denied".into()));
    let conf = conf_of(&rig);
    let ended = Person::logs_in(&conf, &["x"]).finishes();
    assert_eq!(ended.code, 3);
    assert!(ended.stderr.contains("the authorization server says `access_denied`"), "{}", ended.stderr);
    let ended = Person::logs_in(&conf, &["x", "--timeout", "0"]).ends();
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(kept(&conf).is_empty());
}

#[test]
fn more_is_asked_for_when_a_call_needs_more() {
    let rig = Rig::start();
    let conf = conf_of(&rig);
    log_in(&conf, "x");
    let refused = run(&conf, &["call", "x__admin"]);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("wants more than its login allows: run `mcp-manifold auth login x --scope \"admin\"`"),
        "{}",
        refused.stderr
    );
    let person = Person::logs_in(&conf, &["x", "--scope", "admin"]);
    assert_eq!(param(&person.address(), "scope").as_deref(), Some("base admin"), "what it had, and more");
    assert_eq!(person.finishes().code, 0);
    assert_eq!(run(&conf, &["call", "x__admin"]).stdout.trim(), "ran admin");
}

#[test]
fn a_login_goes_when_its_server_leaves_the_file() {
    let rig = Rig::start();
    let conf = conf_of(&rig);
    log_in(&conf, "x");
    let gateway = Gateway::on(&conf).http();
    assert_eq!(gateway.legacy().call("x__echo", json!({})).result()["content"][0]["text"], "ran echo");
    conf.write(&json!({ "mcpServers": { "x": { "url": rig.server.url("/mcp"), "disabled": true } } }));
    eventually("it is taken out of use", || gateway.status()["servers"].get("x").is_none());
    assert_eq!(kept(&conf).len(), 1, "it is still in the file");
    conf.write(&json!({ "mcpServers": {} }));
    eventually("the login is removed", || kept(&conf).is_empty());
}

#[test]
fn a_login_goes_when_its_server_left_the_file_while_no_gateway_ran() {
    let rig = Rig::start();
    let conf = conf_of(&rig);
    log_in(&conf, "x");
    conf.write(&json!({ "mcpServers": { "y": { "url": rig.server.url("/mcp") } } }));
    let _gateway = Gateway::on(&conf).http();
    eventually("the login is removed", || kept(&conf).is_empty());
}

#[test]
fn who_gives_other_credentials_or_wants_no_login_is_offered_none() {
    let rig = Rig::start();
    for (entry, hint) in [
        (
            json!({ "url": rig.server.url("/mcp"), "headers": { "Authorization": "Bearer wrong" } }),
            "or `headers`",
        ),
        (json!({ "url": rig.server.url("/mcp"), "oauth": false }), "or `headers`"),
    ] {
        let conf = conf_with(&entry);
        let ended = run(&conf, &["call", "x__echo"]);
        assert_eq!(ended.code, 3);
        assert!(ended.stderr.contains(hint) && !ended.stderr.contains("auth login"), "{}", ended.stderr);
        let ended = run(&conf, &["auth", "login", "x"]);
        assert_eq!(ended.code, 1);
        assert!(ended.stderr.contains("nobody can log in at server `x`"), "{}", ended.stderr);
    }
    let conf = conf_of(&rig);
    let ended = run(&conf, &["auth", "login", "z"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let open = Rig::with(|ways| {
        ways.open = true;
        ways.changes_resource = json!({ "resource": null, "authorization_servers": null });
    });
    let ended = run(&conf_of(&open), &["auth", "login", "x"]);
    assert_eq!(
        (ended.code, ended.stdout.contains("wants no login")),
        (0, true),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
}
