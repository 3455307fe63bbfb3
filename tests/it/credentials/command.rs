//! `headersHelper`: a command that prints headers.

use super::call;
use super::caller;
use super::config;
use super::peer::Peer;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::processes;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

/// A folder with a script `get`, which also writes a line to `runs`.
fn folder(script: &str) -> Arc<TempConf> {
    let conf = TempConf::new();
    let path = conf.dir().join("get");
    std::fs::write(&path, format!("#!/bin/sh\necho run >> runs\n{script}\n"))
        .expect("the folder is writable");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    conf
}

fn runs(conf: &TempConf) -> usize {
    std::fs::read_to_string(conf.dir().join("runs")).unwrap_or_default().lines().count()
}

fn tell(conf: &Arc<TempConf>, entry: Value) -> String {
    conf.write(&json!({ "mcpServers": { "web": entry } }));
    let client = Gateway::on(conf).stdio().legacy();
    client.request("tools/list", json!({})).result();
    eventually("it is told", || client.stderr().contains("was not asked"));
    client.stderr()
}

#[test]
fn headers_are_printed_by_a_command_without_a_shell() {
    let script = r#"printf '{"Authorization":"Bearer %s","X-Tenant":"%s"}' "$1" "$CLAUDE_CODE_MCP_SERVER_NAME.$OWN.$OTHER""#;
    let (conf, peer) = (folder(script), Peer::mcp(|_| true));
    conf.write(&json!({ "mcpServers": {
        "web": {
            "type": "http", "url": peer.url("/mcp"), "headers": { "X-Tenant": "static", "X-Api-Key": "k" },
            "headersHelper": "./get 'a;$(id)'", "env": { "OWN": "own" },
        },
        "other": { "command": "true", "env": { "OTHER": "not-for-web" } },
    } }));
    let client = Gateway::on(&conf).env("OTHER", "not-for-web").stdio().legacy();
    client.request("tools/list", json!({})).result();
    let answer = client.call("web__whoami", json!({}));
    assert_eq!(answer.text(), "authorization=Bearer a;$(id) x-api-key=k x-tenant=web.own.");
    assert_eq!(runs(&conf), 1, "once for a connection");
}

#[test]
fn refused_headers_are_printed_anew() {
    let script = r#"printf '{"Authorization":"Bearer n-%s"}' "$(wc -l < runs | tr -d ' ')""#;
    let (conf, peer) =
        (folder(script), Peer::mcp(|request| request.header("authorization") != Some("Bearer n-1")));
    let entry = json!({ "type": "http", "url": peer.url("/mcp"), "headersHelper": "./get", "era": "legacy" });
    conf.write(&json!({ "mcpServers": { "web": entry } }));
    let client = Gateway::on(&conf).stdio().legacy();
    eventually("the second one is shown", || client.request("tools/list", json!({})).raw.contains("whoami"));
    assert!(client.call("web__whoami", json!({})).text().contains("Bearer n-2"));
}

#[test]
fn a_command_is_told_who_calls_and_kept_apart_by_that() {
    let script = r#"printf '{"Authorization":"Bearer for-%s"}' "${MCP_MANIFOLD_CALLER:-lists}""#;
    let (conf, peer) = (folder(script), Peer::mcp(|_| true));
    let auth = json!({ "type": "headersHelper", "command": ["./get"], "ttl": "10m", "identity": "caller" });
    conf.write(&config(json!({ "web": { "type": "http", "url": peer.url("/mcp"), "auth": auth } })));
    let gateway = Gateway::on(&conf).http();
    let (alice, bob) = (caller(&gateway, 0), caller(&gateway, 1));
    alice.request("tools/list", json!({})).result();
    for _ in 0..2 {
        assert!(call(&alice, "web__whoami", &[]).text().contains("Bearer for-token:1 "));
        assert!(call(&bob, "web__whoami", &[]).text().contains("Bearer for-token:2 "));
    }
    assert_eq!(runs(&conf), 3, "once for each, and once for the lists");
}

#[test]
fn nothing_of_a_command_lives_on_however_it_ends() {
    let peer = Peer::mcp(|_| true);
    let idle = "sleep 600 </dev/null >/dev/null 2>&1 &\nsleep 600 >/dev/null &";
    for (what, end) in [
        ("it prints too much", "head -c 70000 /dev/zero | tr '\\0' x; sleep 600"),
        ("it fails", "exit 3"),
        ("it is ended by a signal", "kill -9 $$"),
        ("it closes its output and goes on", "exec >&-; sleep 600"),
        ("it ends well", "echo '{}'"),
        ("the gateway is told to end", "touch waits; sleep 600"),
    ] {
        let conf = folder(&format!("{idle}\n{end}"));
        let auth = json!({ "type": "headersHelper", "command": "./get", "timeout": "3s" });
        let env = json!({ processes::MARK: conf.mark() });
        let entry = json!({ "type": "http", "url": peer.url("/mcp"), "auth": auth, "env": env });
        conf.write(&json!({ "mcpServers": { "web": entry } }));
        let client = Gateway::on(&conf).stdio().legacy();
        client.begin("tools/list", json!({}));
        eventually(&format!("{what}: it runs"), || runs(&conf) == 1);
        if end.starts_with("touch") {
            eventually("it waits", || conf.dir().join("waits").exists());
            processes::signal(client.pid(), rustix::process::Signal::TERM);
            client.exit();
        } else {
            eventually(&format!("{what}: it was asked"), || {
                client.stderr().contains("was not asked") || !peer.seen().is_empty()
            });
        }
        eventually(&format!("{what}: nothing is left"), || conf.processes().is_empty());
    }
}

#[test]
fn what_goes_wrong_names_the_server_and_shows_nothing_that_was_printed() {
    let peer = Peer::mcp(|_| true);
    let entry = |auth: Value| json!({ "type": "http", "url": peer.url("/mcp"), "auth": auth });
    for (script, told) in [
        ("echo sesame; exit 3", "its `headersHelper` failed with exit code 3"),
        ("echo sesame", "its `headersHelper` printed something that is no JSON object of headers"),
        (r#"echo '{"X":["sesame"]}'"#, "its `headersHelper` printed a value of `x` that no header can hold"),
        (
            r#"echo '{"Host":"sesame"}'"#,
            "its `headersHelper` printed the header `host`, which the gateway sets itself",
        ),
        ("sleep 600 & sleep 600", "its `headersHelper` did not end within 0.3 s"),
    ] {
        let auth = json!({ "type": "headersHelper", "command": "./get", "timeout": "300ms" });
        let conf = folder(script);
        let said = tell(&conf, entry(auth));
        assert!(said.contains(&format!("server `web` was not asked: {told}")), "{said}");
        assert!(!said.contains("sesame"), "{said}");
    }
    let said = tell(&folder(""), entry(json!({ "type": "headersHelper", "command": "./none" })));
    assert!(said.contains("server `web` was not asked: its `headersHelper` cannot be started"), "{said}");
    assert!(peer.seen().is_empty(), "nothing is sent without it");
}
