//! What a caller may not see is for this caller as if it were not in the file: every answer is the same to the byte.

use crate::policy::link::Link;
use crate::policy::link::VERSIONS;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

/// Long enough for its tools to have shortened names.
const LONG: &str = "a-server-with-quite-a-long-name-for-its-tools";
/// Names of tools that lead to the hidden servers where they are shown, and some that lead nowhere.
const TOOLS: [&str; 8] =
    ["h__echo", "look", "app__look", "bare", "h__nothing", "nothing", "v__echo", "H__echo"];

/// A visible server, and three hidden ones: with a prefix, without, and with shortened names. `hidden` is how they are.
fn conf(hidden: Hidden) -> Arc<TempConf> {
    TempConf::with(|conf| {
        let mut all = servers([("v", conf.fake("v").tools(&["echo", "pid"]))]);
        if hidden != Hidden::Absent {
            all["mcpServers"]["h"] =
                conf.fake("h").tools(&["echo", "log"]).args(&["--instructions", "Hidden."]).json();
            all["mcpServers"]["flat"] = conf.fake("flat").modern().tools(&["bare"]).set("prefix", "").json();
            // A view of an MCP App calls the tool by its own name.
            all["mcpServers"]["app"] = app(conf);
            all["mcpServers"][LONG] = conf.fake("long").tools(&["pid_of_the_process"]).json();
        }
        let deny = |server: &str| json!({ "server": server, "level": "deny" });
        let rules = json!([deny("h"), deny("flat"), deny("a-*"), deny("app")]);
        let policies = json!({ "few": { "default": "execute", "rules": rules } });
        let attached =
            if hidden == Hidden::Shown { json!({}) } else { json!({ "callers": { "*": ["few"] } }) };
        all["gateway"] =
            json!({ "listTimeout": "60s", "access": { "policies": policies, "attach": attached } });
        all
    })
}

/// A server with a view.
fn app(conf: &TempConf) -> Value {
    let tool =
        r#"{"name":"look","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"ui://app/view"}}}"#;
    let script = conf.dir().join("app.script");
    let answers = json!({ "tools/list": format!(r#""result":{{"tools":[{tool}]}}"#) });
    std::fs::write(&script, answers.to_string()).expect("the folder is writable");
    conf.fake("app").args(&["--script", &script.display().to_string()]).json()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Shown,
    Denied,
    Absent,
}

/// Everything a client can ask about tools, prompts and resources that may not be there.
fn questions(names: &[String]) -> Vec<(&'static str, Value)> {
    let mut all: Vec<(&'static str, Value)> = Vec::new();
    for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
        all.push((method, json!({})));
    }
    for name in names.iter().map(String::as_str).chain(TOOLS) {
        all.push(("tools/call", json!({ "name": name, "arguments": {} })));
        let with_task = json!({ "name": name, "arguments": {}, "task": {} });
        all.push(("tools/call", with_task));
    }
    for name in ["h__greet", "greet", "v__greet", "h__nothing"] {
        all.push(("prompts/get", json!({ "name": name, "arguments": {} })));
        let reference = json!({ "type": "ref/prompt", "name": name });
        all.push((
            "completion/complete",
            json!({ "ref": reference, "argument": { "name": "n", "value": "" } }),
        ));
    }
    for uri in [
        "fake-h://item/0",
        "fake-h://by-name/x",
        "fake-h://other",
        "ui://app/view",
        "fake-v://item/0",
        "fake-flat://item/1",
    ] {
        for method in ["resources/read", "resources/subscribe", "resources/unsubscribe"] {
            all.push((method, json!({ "uri": uri })));
        }
        let reference = json!({ "type": "ref/resource", "uri": uri });
        all.push((
            "completion/complete",
            json!({ "ref": reference, "argument": { "name": "n", "value": "" } }),
        ));
    }
    let template = json!({ "type": "ref/resource", "uri": "fake-h://by-name/{name}" });
    all.push(("completion/complete", json!({ "ref": template, "argument": { "name": "n", "value": "" } })));
    all
}

/// The answer without what differs from one process to the next.
fn shape(answer: &Message) -> String {
    let raw = answer.raw_at(&["result"]).or_else(|| answer.raw_at(&["error"]));
    let raw = raw.unwrap_or_else(|| answer.short());
    let pid = answer.json.pointer("/result/content/0/text").and_then(Value::as_str);
    pid.filter(|text| text.parse::<u32>().is_ok()).map_or(raw.clone(), |pid| raw.replace(pid, "PID"))
}

/// Has the lists of all servers saved. One that is slow to start on a busy machine may be missing at first.
fn save_lists(conf: &Arc<TempConf>, servers: usize) {
    let cache = conf.cache();
    let saved = || {
        let files = std::fs::read_dir(cache.join("catalog")).into_iter().flatten().flatten();
        files.filter(|file| file.file_name().to_string_lossy().starts_with("entry-")).count()
    };
    eventually("the lists of all servers are saved", || {
        drop(Gateway::on(conf).run(&["tools", "--cache-dir", &cache.display().to_string()]));
        saved() == servers
    });
}

/// What the clients of both gateways are told, one after the other.
fn compare(denied: &(Link, Message), absent: &(Link, Message), names: &[String], what: &str) {
    assert_eq!(shape(&denied.1), shape(&absent.1), "{what}: the handshake");
    for (method, params) in questions(names) {
        let [one, other] = [denied, absent].map(|(link, _)| shape(&link.request(method, params.clone())));
        assert_eq!(one, other, "{what}: {method} {params}");
    }
}

/// S4: one decision, whatever the revision, the transport and the name by which something is asked for.
#[test]
fn s4_what_is_denied_is_as_if_it_were_absent() {
    let shown = conf(Hidden::Shown);
    let (owner, _) = Link::stdio(&shown, "2025-11-25");
    let names = owner.request("tools/list", json!({})).tools();
    let hidden: Vec<String> = names.into_iter().filter(|name| !name.starts_with("v__")).collect();
    assert_eq!(hidden.len(), 5, "{hidden:?}");
    std::thread::scope(|scope| {
        for transport in ["stdio", "http"] {
            let hidden = &hidden;
            scope.spawn(move || {
                let confs = [conf(Hidden::Denied), conf(Hidden::Absent)];
                // With saved lists the handshakes do not depend on who came first.
                confs.iter().zip([5, 1]).for_each(|(conf, servers)| save_lists(conf, servers));
                let gateways =
                    confs.each_ref().map(|conf| (transport == "http").then(|| Gateway::on(conf).http()));
                for version in VERSIONS {
                    let [denied, absent] = [0, 1].map(|at| match &gateways[at] {
                        Some(gateway) => Link::http(gateway, version, None),
                        None => Link::stdio(&confs[at], version),
                    });
                    compare(&denied, &absent, hidden, &format!("{version} over {transport}"));
                }
                for server in ["h", "flat", "long"] {
                    let calls = confs[0].ledger("call", server);
                    assert!(calls.is_empty(), "{server} was called: {calls:?}");
                }
            });
        }
    });
}

#[test]
fn s4_a_uri_that_is_denied_is_answered_like_one_that_nobody_has() {
    let conf = TempConf::with(|conf| {
        let mut all = servers([("a", conf.fake("a")), ("b", conf.fake("b"))]);
        let rules = json!([
            { "server": "a", "resource": "fake-a://item/0", "level": "deny" },
            { "server": "a", "resource": "file:///secret*", "level": "deny" },
        ]);
        let policies = json!({ "most": { "default": "execute", "rules": rules } });
        all["gateway"] =
            json!({ "access": { "policies": policies, "attach": { "callers": { "*": ["most"] } } } });
        all
    });
    let (link, _) = Link::stdio(&conf, "2025-11-25");
    link.request("resources/list", json!({}));
    let read = |uri: &str| link.request("resources/read", json!({ "uri": uri }));
    let unknown = read("nobody://has/this");
    for uri in [
        "fake-a://item/0",
        "FAKE-A://item/0",
        "fake-a://item/%30",
        "file:///secret",
        "file://localhost/secret/x",
    ] {
        let denied = read(uri);
        assert_eq!(denied.error_text(), unknown.error_text(), "{uri}");
        assert_eq!(denied.json["error"]["code"], unknown.json["error"]["code"], "{uri}");
    }
    assert!(!read("fake-a://item/1").is_error() && !read("fake-b://item/0").is_error());
}
