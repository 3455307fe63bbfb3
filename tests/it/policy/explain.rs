//! `policy explain`: which rule decided.

use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
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
