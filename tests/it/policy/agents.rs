//! Rules of agents, inline and in a file of their own.

use crate::policy::link::Link;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;

fn all_servers(conf: &TempConf) -> Value {
    servers([
        ("db", conf.fake("db").tools(&["echo", "pid", "counter"])),
        ("web", conf.fake("web").tools(&["echo"])),
    ])
}

/// The file of another gateway, as it is.
fn rules(deny_on_missing: bool) -> Value {
    json!({
        "agents": {
            "default": {
                "allow": { "servers": ["db"], "tools": { "db": ["echo", "p*"] } },
                "deny": { "tools": { "db": ["p?d"] } },
            },
            "backend": { "allow": { "servers": ["*"] }, "deny": { "servers": ["web"], "tools": { "db": ["counter"] } } },
        },
        "defaults": { "deny_on_missing_agent": deny_on_missing },
    })
}

fn tools(client: &crate::support::stdio_client::StdioClient) -> Vec<String> {
    client.request("tools/list", json!({})).tools()
}

#[test]
fn a_file_of_rules_is_taken_as_it_is_and_followed() {
    let conf = TempConf::new();
    let file = conf.dir().join("rules.json");
    std::fs::write(&file, rules(false).to_string()).expect("the folder is writable");
    let mut all = all_servers(&conf);
    all["gateway"] = json!({ "rules": "rules.json" });
    conf.write(&all);
    let client = Gateway::on(&conf).stdio().legacy();
    assert_eq!(tools(&client), ["db__echo"], "who has no agent gets the rules of `default`");
    assert_eq!(client.call("db__pid", json!({})).error_text(), "unknown tool `db__pid`");
    assert!(
        client
            .request("prompts/get", json!({ "name": "db__greet", "arguments": {} }))
            .json
            .get("error")
            .is_none()
    );
    std::fs::write(&file, rules(true).to_string()).expect("the folder is writable");
    eventually("the rules are read again", || tools(&client).is_empty());
    let unknown = rules(true).to_string().replace(r#"["web"]"#, r#"["wbe"]"#);
    std::fs::write(&file, unknown).expect("the folder is writable");
    let warning = "agent `backend` of `rules.json` has a rule about server `wbe`, which is not in the file";
    eventually("the unknown server is told", || client.stderr().contains(warning));
}

#[test]
fn a_slip_in_the_name_of_a_section_opens_nothing() {
    let conf = TempConf::new();
    let mut all = all_servers(&conf);
    all["gateway"] = json!({ "access": { "default": "deny" } });
    conf.write(&all);
    let client = Gateway::on(&conf).stdio().legacy();
    assert_eq!(tools(&client), Vec::<String>::new());
    all["gateway"] = json!({ "acess": { "default": "deny" } });
    conf.write(&all);
    eventually("the slip is told", || client.stderr().contains("unknown key `gateway.acess`"));
    assert_eq!(tools(&client), Vec::<String>::new());
    all["gateway"] = json!({ "access": { "default": "execute" } });
    conf.write(&all);
    eventually("what is right again is used", || !tools(&client).is_empty());
}

#[test]
fn the_environment_names_the_agent_of_those_without_one() {
    let conf = TempConf::new();
    let mut all = all_servers(&conf);
    all["gateway"] = json!({ "rules": rules(false) });
    conf.write(&all);
    let client = Gateway::on(&conf).env("MCP_MANIFOLD_DEFAULT_AGENT", "backend").stdio().legacy();
    assert_eq!(tools(&client), ["db__echo", "db__pid"]);
}

#[test]
fn wrong_rules_are_no_rules_for_nobody() {
    let conf = TempConf::new();
    let file = conf.dir().join("rules.json");
    let mut all = all_servers(&conf);
    all["gateway"] = json!({ "rules": "rules.json" });
    conf.write(&all);
    for (text, said) in [
        (None, "`gateway.rules`"),
        (Some("{\n\"agents\": {\n\"a\": {\"allow\": {\"servers\": \"db\"}}}}"), "line 3"),
        (Some("{"), "rules.json"),
    ] {
        if let Some(text) = text {
            std::fs::write(&file, text).expect("the folder is writable");
        }
        let output = Gateway::on(&conf).run(&["check"]);
        let shown = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && shown.contains(said), "{text:?}: {shown}");
    }
    let unknown = json!({ "agents": { "default": { "allow": { "servers": ["db", "wbe"] } } } });
    std::fs::write(&file, unknown.to_string()).expect("the folder is writable");
    let output = Gateway::on(&conf).run(&["check"]);
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success()
            && shown.contains("agent `default` of `rules.json` has a rule about server `wbe`"),
        "{shown}"
    );
}

#[test]
fn policies_and_agents_both_have_to_allow() {
    let conf = TempConf::new();
    let mut all = all_servers(&conf);
    let policies =
        json!({ "lists": { "default": "read", "rules": [{ "server": "web", "level": "execute" }] } });
    all["gateway"] = json!({
        "rules": rules(false),
        "access": { "policies": policies, "attach": { "callers": { "local": "lists" } } },
    });
    conf.write(&all);
    let (link, _) = Link::stdio(&conf, "2026-07-28");
    assert_eq!(link.request("tools/list", json!({})).tools(), ["db__echo"]);
    assert!(link.call("db__echo").error_text().contains("may be listed but not used"));
    assert!(link.call("web__echo").error_text().starts_with("unknown tool `web__echo`"));
}
