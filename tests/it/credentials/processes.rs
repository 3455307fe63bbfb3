//! S12: only what stands in the file is started, with exactly its arguments and its own variables.

use super::TOKENS;
use super::caller;
use super::config;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;

/// Arguments that a shell would make something of.
const ODD: [&str; 9] = [";touch x", "$(touch x)", "`touch x`", "a b", "*", "-rf", "'\"", "> x", "|| touch x"];

fn posts(client: &HttpClient, bodies: &[Value]) {
    for body in bodies {
        let method = body["method"].as_str().unwrap_or_default();
        let name = body["params"]["name"].as_str().unwrap_or_default();
        // Whatever is answered: nothing may be started.
        let _ =
            client.start("POST", &[("mcp-method", method), ("mcp-name", name)], &body.to_string()).try_head();
    }
}

/// Nobody can name a command: not as a tool, not as an argument, not as a setting, not to any page. How often it was tried.
fn name_commands(gateway: &HttpGateway) -> usize {
    let evil = json!({ "command": "touch", "args": ["x"], "mcpServers": { "x": { "command": "touch" } } });
    let bodies: Vec<Value> = ["tools/call", "prompts/get", "resources/read", "servers/add", "config/set", "initialize"]
        .into_iter()
        .flat_map(|method| {
            let evil = evil.clone();
            (0..56).map(move |id| {
                let params = json!({ "name": "touch x", "uri": "file:///x", "command": "touch", "arguments": evil, "_meta": evil });
                json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
            })
        })
        .collect();
    // Two callers, and somebody who is none.
    let clients = [caller(gateway, 0), caller(gateway, 1), gateway.modern()];
    std::thread::scope(|scope| {
        for client in &clients {
            let bodies = &bodies;
            scope.spawn(move || posts(client, bodies));
        }
    });
    let pages = ["/config", "/servers", "/reload", "/status", "/mcp/servers", "/admin"];
    for path in pages {
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{evil}",
            gateway.addr(),
            TOKENS[0],
            evil.to_string().len()
        );
        let _ = gateway.client().raw(text.as_bytes()).try_head();
    }
    clients.len() * bodies.len() + pages.len()
}

#[test]
fn s12_only_the_file_starts_processes() {
    let conf = TempConf::new();
    let one = conf
        .fake("one")
        .tools(&["env", "pid"])
        .args(&ODD.map(|odd| ["--instructions", odd]).concat())
        .set("inheritEnv", json!(["PASSED"]));
    let mut one = one.json();
    one["env"]["ONE_SECRET"] = json!("sesame-one");
    let mut two = conf.fake("two").tools(&["env", "pid"]).json();
    two["env"]["TWO_SECRET"] = json!("sesame-two");
    conf.write(&config(json!({ "one": one, "two": two })));
    let gateway = Gateway::on(&conf).env("PASSED", "on").env("AMBIENT_SECRET", "sesame-ours").http();
    let client = caller(&gateway, 0);

    assert!(name_commands(&gateway) >= 1000);
    client.request("tools/list", json!({})).result();
    let (one, two) = (client.call("one__env", json!({})), client.call("two__env", json!({})));
    assert_eq!((conf.spawns("one"), conf.spawns("two")), (1, 1), "the two of the file");
    assert!(!conf.dir().join("x").exists(), "nothing was touched");

    let (one_env, two_env) = (one.text().to_owned(), two.text().to_owned());
    assert!(one_env.contains("ONE_SECRET=sesame-one") && one_env.contains("PASSED=on"));
    assert!(two_env.contains("TWO_SECRET=sesame-two") && !two_env.contains("PASSED"));
    for (env, secrets) in
        [(&one_env, ["sesame-two", "sesame-ours"]), (&two_env, ["sesame-one", "sesame-ours"])]
    {
        assert!(secrets.iter().chain(&TOKENS).all(|secret| !env.contains(secret)), "{env}");
        let names: Vec<&str> =
            env.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        let fine = |name: &&str| {
            ["PATH", "HOME", "PASSED", "ONE_SECRET", "TWO_SECRET"].contains(name)
                || name.starts_with("MCP_FAKE")
                || name.starts_with("LC_")
        };
        let rest: Vec<_> = names.into_iter().filter(|name| !fine(name)).collect();
        assert!(rest.len() <= 1, "only the mark of the tests besides: {rest:?}");
    }
    if let Ok(argv) = std::fs::read(format!("/proc/{}/cmdline", client.call("one__pid", json!({})).text())) {
        let argv: Vec<String> =
            argv.split(|byte| *byte == 0).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
        let end = argv.len() - 1;
        let given = ODD.map(|odd| ["--instructions", odd]).concat();
        assert_eq!(argv[end - given.len()..end], given, "exactly as they stand in the file");
    }
}
