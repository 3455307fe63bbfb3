//! `policy explain`: which rule decided.

use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;
use std::sync::Arc;

fn conf() -> Arc<TempConf> {
    TempConf::with(|conf| {
        let mut all = servers([("s", conf.fake("s").tools(&["echo", "pid"]))]);
        let rules =
            json!([{ "server": "s", "tool": "p*", "level": "deny" }, { "server": "s", "level": "execute" }]);
        all["gateway"] = json!({ "access": {
            "default": "read",
            "policies": {
                "work": { "default": "deny", "rules": rules },
                "all": { "default": "admin" },
            },
            "attach": { "teams": { "blue": ["all", "work"] }, "claims": { "groups": { "ops": "all" } } },
        } });
        all
    })
}

fn explained(conf: &Arc<TempConf>, args: &[&str]) -> Value {
    let args: Vec<&str> = ["policy", "explain", "--json"].iter().chain(args).copied().collect();
    let output = Gateway::on(conf).run(&args);
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn it_says_the_level_and_the_rule_that_decided() {
    let conf = conf();
    // Exposed names are known once the lists were read.
    Gateway::on(&conf).run(&["tools"]);
    let said = explained(&conf, &["--caller", "ann", "--team", "blue", "--tool", "s__pid"]);
    assert_eq!((&said["level"], &said["object"]["server"]), (&json!("deny"), &json!("s")));
    let by = said["decidedBy"].as_str().expect("a text");
    assert_eq!(by, "policy `work`, attached to team `blue`: rule 1 (server `s`, tool `p*`)");
    assert_eq!(said["rulings"].as_array().map(Vec::len), Some(2));
    let said = explained(&conf, &["--caller", "ann", "--team", "blue", "--tool", "s/echo"]);
    assert_eq!(said["level"], "execute");
    let said =
        explained(&conf, &["--caller", "ann", "--claim", "groups=ops", "--resource", "fake-s://item/0"]);
    assert_eq!(said["level"], "admin");
    let said = explained(&conf, &["--caller", "ann", "--prompt", "s/greet"]);
    assert_eq!((&said["level"], &said["rulings"][0]["level"]), (&json!("read"), &json!("read")));
    let output = Gateway::on(&conf).run(&["policy", "explain", "--caller", "ann", "--tool", "nothing"]);
    assert_eq!(output.status.code(), Some(1));
    let output = Gateway::on(&conf)
        .run(&["policy", "explain", "--caller", "ann", "--team", "blue", "--tool", "s__pid"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("deny: ") && text.contains("policy `all`"), "{text}");
}

/// Callers of every kind, of whom those of team `blue` may nothing.
fn known() -> Arc<TempConf> {
    let hash = |key: &str| {
        let digits: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{digits}")
    };
    let conf = TempConf::with(|conf| {
        let mut all = servers([("s", conf.fake("s").tools(&["echo"]))]);
        all["gateway"] = json!({
            "auth": {
                "keysFile": "keys.json",
                "keys": [
                    { "id": "k1", "name": "ann", "team": "blue", "hash": hash("the first key") },
                    { "id": "k2", "name": "two", "team": "red", "hash": hash("the second key") },
                    { "id": "k3", "name": "two", "team": "blue", "hash": hash("the third key") },
                ],
                "basic": [{ "user": "bob", "agent": "bot", "hash": hash("of bob, a long one"), "organisation": "acme" }],
            },
            "http": { "bearerTokens": ["a-token-of-somebody"] },
            "callers": { "nightly": { "team": "blue" } },
            "access": {
                "policies": { "none": { "default": "deny" }, "look": { "default": "read" } },
                "attach": {
                    "teams": { "blue": "none" }, "organisations": { "acme": "none" },
                    "callers": { "token-1": "look" },
                },
            },
        });
        all
    });
    let made = Gateway::on(&conf).run(&["key", "create", "--json", "--name", "cid", "--team", "blue"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    conf
}

#[test]
fn it_knows_everybody_that_the_gateway_knows() {
    let conf = known();
    let level = |caller: &str| explained(&conf, &["--caller", caller, "--tool", "s/echo"])["level"].clone();
    for caller in ["ann", "key:k1", "bob", "basic:bob", "cid", "nightly", "name:nightly"] {
        assert_eq!(level(caller), "deny", "{caller}");
    }
    for caller in ["token-1", "token:1"] {
        assert_eq!(level(caller), "read", "{caller}");
    }
    for caller in ["local", "anonymous", "key:k2"] {
        assert_eq!(level(caller), "execute", "{caller}");
    }
    let said = explained(&conf, &["--caller", "ann", "--tool", "s/echo"]);
    assert_eq!((&said["principal"], &said["team"]), (&json!("key:k1"), &json!("blue")));
    let said = explained(&conf, &["--caller", "two", "--tool", "s/echo"]);
    let each = said["callers"].as_array().expect("both of them");
    let each: Vec<_> = each.iter().map(|one| (one["principal"].as_str(), one["level"].as_str())).collect();
    assert_eq!(each, [(Some("key:k2"), Some("execute")), (Some("key:k3"), Some("deny"))]);
}

#[test]
fn it_says_when_it_does_not_know_who_is_asked_about() {
    let conf = known();
    let text = |args: &[&str]| {
        let output = Gateway::on(&conf).run(&[&["policy", "explain", "--tool", "s/echo"], args].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let said = text(&["--caller", "zoe"]);
    assert!(said.contains("execute: ") && said.contains("team, organisation, agent and claims"), "{said}");
    let said = text(&["--caller", "zoe", "--org", "acme"]);
    assert!(said.contains("deny: ") && said.contains("not known: only what the command line says"), "{said}");
    let said = text(&["--caller", "two"]);
    assert!(said.contains("key:k2") && said.contains("key:k3"), "{said}");
    assert!(!text(&["--caller", "ann"]).contains("not known"));
    assert_eq!(explained(&conf, &["--caller", "zoe", "--tool", "s/echo"])["known"], false);
    assert_eq!(explained(&conf, &["--caller", "ann", "--tool", "s/echo"])["known"], true);
}
