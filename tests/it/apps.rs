//! MCP Apps: views are read from their servers, and call tools by the names they know.

use crate::support::bed::CLIENTS;
use crate::support::driver::Driver;
use crate::support::driver::Era;
use crate::support::driver::Transport;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::tempconf::Fake;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const UI: &str = "io.modelcontextprotocol/ui";
const META: &str =
    r#""_meta":{"ui":{"resourceUri":"ui://SERVER/view","visibility":["model","app"],"n":1e2}}"#;

/// A server with a view that `show` names and that it does not list, and with more tools.
fn with_view(conf: &TempConf, name: &str, era: &str, tools: &[&str]) -> Fake {
    let tool =
        |name: &str, rest: &str| format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}{rest}}}"#);
    let meta = format!(",{}", META.replace("SERVER", name));
    let mut list = vec![tool("show", &meta).replace("show", &format!("show_{name}"))];
    list.extend(tools.iter().map(|other| tool(other, "")));
    let content = format!(
        r#"{{"uri":"ui://{name}/view","mimeType":"text/html;profile=mcp-app","text":"<p>{name}</p>","_meta":{{"ui":{{"n":1e2}}}}}}"#
    );
    let kind =
        if era == "modern" { r#""resultType":"complete","ttlMs":0,"cacheScope":"private","# } else { "" };
    let answers = json!({
        "tools/list": format!(r#""result":{{{kind}"tools":[{}]}}"#, list.join(",")),
        "resources/read": format!(r#""result":{{{kind}"contents":[{content}]}}"#),
    });
    let script = conf.dir().join(format!("{name}.script"));
    std::fs::write(&script, answers.to_string()).expect("the folder is writable");
    let show = format!("show_{name}");
    let tools = [&[show.as_str(), "params", "seen"], tools].concat();
    conf.fake(name).args(&["--era", era, "--script", &script.display().to_string()]).tools(&tools)
}

fn driver(conf: &Arc<TempConf>, client: (Era, Transport)) -> Driver {
    let ui = json!({ "mimeTypes": ["text/html;profile=mcp-app"] });
    let driver = Driver::start(Gateway::on(conf), client.0, client.1, json!({ "extensions": { UI: ui } }));
    driver.request("tools/list", json!({})).result();
    driver
}

/// What a client is offered that connects now.
fn offered(conf: &Arc<TempConf>, era: Era) -> Value {
    let client = if era == Era::Modern { conf.modern() } else { Gateway::on(conf).stdio() };
    let answer: Message = match era {
        Era::Modern => {
            client.request("tools/list", json!({})).result();
            client.request("server/discover", json!({}))
        }
        Era::Legacy => {
            client.request("tools/list", json!({})).result();
            client.initialize()
        }
    };
    answer.result()["capabilities"]["extensions"][UI].clone()
}

#[test]
fn a_view_is_read_from_its_server_and_its_meta_passes() {
    let conf = TempConf::with(|conf| {
        servers([("a", with_view(conf, "a", "legacy", &[])), ("b", with_view(conf, "b", "modern", &[]))])
    });
    for client in CLIENTS {
        let driver = driver(&conf, client);
        let list = driver.request("tools/list", json!({}));
        for name in ["a", "b"] {
            assert!(list.raw.contains(&META.replace("SERVER", name)), "{}", list.raw);
            let view = driver.request("resources/read", json!({ "uri": format!("ui://{name}/view") }));
            assert!(view.raw.contains(&format!("<p>{name}</p>")), "{}", view.raw);
            assert!(view.raw.contains(r#""_meta":{"ui":{"n":1e2}}"#), "{}", view.raw);
        }
    }
}

#[test]
fn a_view_calls_tools_by_the_names_it_knows() {
    let conf = TempConf::with(|conf| {
        servers([
            ("a", with_view(conf, "a", "legacy", &["refresh"])),
            ("b", with_view(conf, "b", "modern", &["zoom"])),
            ("c", conf.fake("c").tools(&["refresh", "more"])),
        ])
    });
    for client in CLIENTS {
        let driver = driver(&conf, client);
        let before = [conf.ledger("call", "a").len(), conf.ledger("call", "b").len()];
        driver.call("refresh", json!({})).result();
        driver.call("zoom", json!({})).result();
        let after = [conf.ledger("call", "a").len(), conf.ledger("call", "b").len()];
        assert_eq!(after, before.map(|calls| calls + 1), "each reached its own server");
        assert!(conf.ledger("call", "c").is_empty(), "a server without views is no candidate");
        assert_eq!(driver.call("more", json!({})).error_code(), -32602, "its names are no others");
        let listed = driver.request("tools/list", json!({})).tools();
        assert!(!listed.iter().any(|name| name == "refresh" || name == "zoom"), "{listed:?}");
    }
    assert_eq!((offered(&conf, Era::Modern), offered(&conf, Era::Legacy)), (json!({}), json!({})));
}

#[test]
fn names_that_are_not_clear_take_the_extension_away() {
    let rivals = |conf: &TempConf| {
        servers([
            ("a", with_view(conf, "a", "legacy", &["refresh"])),
            ("b", with_view(conf, "b", "modern", &["refresh", "params"])),
        ])
    };
    let conf = TempConf::with(rivals);
    assert_eq!((offered(&conf, Era::Modern), offered(&conf, Era::Legacy)), (Value::Null, Value::Null));
    for client in CLIENTS {
        let driver = driver(&conf, client);
        let unclear = driver.call("refresh", json!({}));
        assert_eq!(unclear.error_code(), -32602);
        assert!(unclear.error_text().contains("`a__refresh` or `b__refresh`"), "{}", unclear.raw);
        driver.call("a__refresh", json!({})).result();
        let told = driver.call("b__params", json!({}));
        assert!(!told.text().contains(UI), "the server is not promised views: {}", told.raw);
    }
}

/// What a caller does not see is in nobody's way: no capability, name or view depends on it.
#[test]
fn s4_names_of_hidden_servers_make_nothing_unclear() {
    let conf = TempConf::with(|conf| {
        let mut all = servers([
            ("a", with_view(conf, "a", "legacy", &["refresh"])),
            ("b", with_view(conf, "b", "modern", &["refresh", "params"])),
        ]);
        let policies =
            json!({ "few": { "default": "execute", "rules": [{ "server": "a", "level": "deny" }] } });
        let access = json!({ "policies": policies, "attach": { "callers": { "local": "few" } } });
        all["gateway"] = json!({ "access": access });
        all
    });
    assert_eq!((offered(&conf, Era::Modern), offered(&conf, Era::Legacy)), (json!({}), json!({})));
    for client in CLIENTS {
        // Over HTTP the caller is another one, who sees both.
        let (driver, sees_both) = (driver(&conf, client), client.1 == Transport::Http);
        let before = conf.ledger("call", "b").len();
        let answer = driver.call("refresh", json!({}));
        assert_eq!(answer.is_error(), sees_both, "{}", answer.short());
        let told = driver.call("b__params", json!({}));
        assert_eq!(told.text().contains(UI), !sees_both, "{}", told.raw);
        assert_eq!(conf.ledger("call", "b").len() - before, if sees_both { 1 } else { 2 });
        assert!(conf.ledger("call", "a").is_empty());
    }
}

#[test]
fn servers_hear_that_the_client_shows_views() {
    let conf = TempConf::with(|conf| {
        servers([
            ("a", with_view(conf, "a", "legacy", &["seen"])),
            ("b", with_view(conf, "b", "modern", &["params"])),
        ])
    });
    for client in CLIENTS {
        let driver = driver(&conf, client);
        let told = driver.call("b__params", json!({}));
        assert!(told.text().contains(r#""io.modelcontextprotocol/ui":{"mimeTypes":"#), "{}", told.raw);
        let seen = driver.call("a__seen", json!({})).texts();
        let hello = seen.iter().find(|line| line.contains("\"initialize\"")).expect("a handshake");
        assert!(hello.contains(UI), "{hello}");
    }
}

#[test]
fn a_change_of_the_file_gives_the_extension_back() {
    let conf = TempConf::with(|conf| {
        servers([
            ("a", with_view(conf, "a", "legacy", &["refresh"])),
            ("b", with_view(conf, "b", "legacy", &["refresh"])),
        ])
    });
    let client = driver(&conf, (Era::Modern, Transport::Stdio));
    let offers =
        || client.request("server/discover", json!({})).result()["capabilities"]["extensions"][UI].clone();
    assert_eq!(offers(), Value::Null);
    conf.write(&servers([("a", with_view(&conf, "a", "legacy", &["refresh"]))]));
    eventually("nothing is unclear any more", || offers() == json!({}));
    client.call("refresh", json!({})).result();
}
