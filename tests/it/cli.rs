//! The other commands: what they print and how they end.
//!
//! `serve` is in the other files.

use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::process::Output;
use std::sync::Arc;

fn folder() -> Arc<TempConf> {
    TempConf::with(|conf| {
        servers([
            ("a", conf.fake("a").tools(&["echo", "fail", "error", "die"])),
            ("broken", conf.fake("broken").tools(&["pid"]).args(&["--exit-at-start", "3"])),
        ])
    })
}

/// Runs a command on the folder's file; with a cache of its own where the command takes one.
fn run(conf: &Arc<TempConf>, args: &[&str]) -> Output {
    let file = conf.file().display().to_string();
    let cache = conf.cache().display().to_string();
    let mut all = vec![args[0], "--config", &file];
    if ["tools", "call"].contains(&args[0]) {
        all.extend(["--cache-dir", &cache]);
    }
    all.extend(&args[1..]);
    Gateway::on(conf).run(&all)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn all(output: &Output) -> String {
    out(output) + &err(output)
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

#[test]
fn check_accepts_a_good_file_and_starts_nothing() {
    let conf = folder();
    let output = run(&conf, &["check"]);
    assert_eq!(code(&output), 0, "{}", all(&output));
    assert!(all(&output).contains("2 servers"), "{}", all(&output));
    assert!(conf.ledger_lines().is_empty());
}

#[test]
fn check_names_every_problem_with_its_place_and_a_hint() {
    let conf = TempConf::new();
    conf.write_text(
        "{\n  \"mcpServers\": {\n    \"a\": { \"comand\": \"x\" },\n    \"b\": { \"command\": 7 }\n  }\n}\n",
    );
    let output = run(&conf, &["check"]);
    assert_eq!(code(&output), 2, "{}", all(&output));
    let text = all(&output);
    for word in ["mcp.json:3:", "mcp.json:4:", "did you mean", "command"] {
        assert!(text.contains(word), "no `{word}`: {text}");
    }
}

#[test]
fn check_json_is_for_programs() {
    let conf = TempConf::new();
    conf.write_text("{\n  \"mcpServers\": {\n    \"a\": { \"comand\": \"x\" }\n  }\n}\n");
    let output = run(&conf, &["check", "--json"]);
    assert_eq!(code(&output), 2, "{}", all(&output));
    let value: Value =
        serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("no JSON: {}", all(&output)));
    assert!(value.to_string().contains("\"line\":3"), "{value}");
}

#[test]
fn a_broken_or_missing_file_is_exit_code_2_everywhere() {
    let conf = TempConf::new();
    for command in [&["check"][..], &["serve"], &["tools"], &["call", "a__echo"]] {
        assert_eq!(code(&run(&conf, command)), 2, "{command:?} without a file");
    }
    conf.write_text("{ \"mcpServers\": ");
    for command in [&["check"][..], &["serve"], &["tools"], &["call", "a__echo"]] {
        let output = run(&conf, command);
        assert_eq!(code(&output), 2, "{command:?}: {}", all(&output));
        assert!(all(&output).contains("mcp.json:1:"), "{command:?}: {}", all(&output));
    }
}

#[test]
fn tools_lists_names_with_server_and_description() {
    let conf = folder();
    let output = run(&conf, &["tools"]);
    assert_eq!(code(&output), 0, "{}", all(&output));
    for word in ["a__echo", "a__fail", "the tool echo of a"] {
        assert!(out(&output).contains(word), "no `{word}`: {}", out(&output));
    }
    assert!(err(&output).contains("broken"), "{}", err(&output));
    let output = run(&conf, &["tools", "--json"]);
    let value: Value =
        serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("no JSON: {}", all(&output)));
    assert!(value.to_string().contains("\"a__echo\""), "{value}");
    assert!(
        out(&output).contains("123456789012345678901234567890"),
        "big numbers are spoilt: {}",
        out(&output)
    );
}

#[test]
fn call_prints_the_content_of_a_tool() {
    let conf = folder();
    for arguments in [&[r#"{"x": 1, "y": "two"}"#][..], &["x=1", "y=two"]] {
        let output = run(&conf, &[&["call", "a__echo"], arguments].concat());
        assert_eq!(code(&output), 0, "{}", all(&output));
        let text = out(&output);
        let first = text.lines().next().unwrap_or_default();
        let printed: Value = serde_json::from_str(first).unwrap_or_else(|_| panic!("no JSON: {text}"));
        assert_eq!(printed, json!({ "x": 1, "y": "two" }), "{text}");
    }
    let output = run(&conf, &["call", "a__echo", "--json", "x=1"]);
    let whole: Value =
        serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("no JSON: {}", all(&output)));
    assert_eq!(whole["structuredContent"], json!({ "x": 1 }));
    assert!(out(&output).contains("123456789012345678901234567890"), "{}", out(&output));
}

#[test]
fn call_ends_with_what_went_wrong() {
    let conf = folder();
    let failed = run(&conf, &["call", "a__fail"]);
    assert_eq!(code(&failed), 5, "{}", all(&failed));
    assert!(all(&failed).contains("it failed"));
    let refused = run(&conf, &["call", "a__error"]);
    assert_eq!(code(&refused), 5, "{}", all(&refused));
    assert!(err(&refused).contains("the error asked for"), "{}", all(&refused));
    let died = run(&conf, &["call", "a__die"]);
    assert_eq!(code(&died), 4, "{}", all(&died));
    assert!(err(&died).contains("the disk is full"), "{}", all(&died));
    let unknown = run(&conf, &["call", "a__ecko"]);
    assert_eq!(code(&unknown), 1, "{}", all(&unknown));
    assert!(err(&unknown).contains("a__ecko"), "{}", all(&unknown));
    let nonsense = run(&conf, &["call", "a__echo", "{not json"]);
    assert_eq!(code(&nonsense), 1, "{}", all(&nonsense));
}

#[test]
fn wrong_usage_is_exit_code_1_and_help_has_examples() {
    let conf = folder();
    for args in
        [&["no-such-command"][..], &["serve", "--no-such-flag"], &["call"], &["serve", "--http", "nonsense"]]
    {
        let output = Gateway::on(&conf).run(args);
        assert_eq!(code(&output), 1, "{args:?}: {}", all(&output));
        assert!(out(&output).is_empty(), "{args:?}: {}", out(&output));
    }
    for args in [&["--help"][..], &["serve", "--help"], &["call", "--help"]] {
        let output = Gateway::on(&conf).run(args);
        assert_eq!(code(&output), 0);
        assert!(out(&output).to_lowercase().contains("example"), "{args:?}: {}", out(&output));
    }
    let version = Gateway::on(&conf).run(&["--version"]);
    assert!(out(&version).contains(env!("CARGO_PKG_VERSION")), "{}", out(&version));
}

#[test]
fn status_shows_a_running_gateway() {
    let conf = folder();
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    client.call("a__echo", json!({})).result();
    let url = format!("http://{}", gateway.addr());
    let output = Gateway::on(&conf).run(&["status", &url]);
    assert_eq!(code(&output), 0, "{}", all(&output));
    for word in ["a", "ready", "broken"] {
        assert!(out(&output).contains(word), "no `{word}`: {}", out(&output));
    }
    drop(gateway);
    let output = Gateway::on(&conf).run(&["status", &url]);
    assert_eq!(code(&output), 4, "{}", all(&output));
}

#[test]
fn schema_prints_the_schema_of_the_file() {
    let conf = TempConf::new();
    let output = Gateway::on(&conf).run(&["schema"]);
    assert_eq!(code(&output), 0, "{}", all(&output));
    let schema: Value = serde_json::from_str(&out(&output)).expect("the schema is JSON");
    assert!(schema["$schema"].is_string());
    assert!(schema["properties"]["mcpServers"].is_object() && schema["properties"]["gateway"].is_object());
}

#[test]
fn without_a_command_it_serves_and_finds_its_file() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").tools(&["pid"]))]));
    let start = |env: Option<(&str, &str)>| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mcp-manifold"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", conf.dir()).arg("--no-cache");
        match env {
            Some((name, value)) => command.env(name, value).current_dir("/"),
            None => command.current_dir(conf.dir()),
        };
        crate::support::stdio_client::StdioClient::spawn(command, None).legacy()
    };
    let file = conf.file().display().to_string();
    for env in [None, Some(("MCP_MANIFOLD_CONFIG", file.as_str()))] {
        assert_eq!(start(env).request("tools/list", json!({})).tools(), ["a__pid"], "{env:?}");
    }
}

#[test]
fn the_log_goes_to_a_file_when_asked() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").args(&["--stderr-flood", "2000"]))]));
    let log = conf.dir().join("gateway.log").display().to_string();
    let client = Gateway::on(&conf).args(&["--log-file", &log, "--log-level", "debug"]).stdio().legacy();
    client.call("a__die", json!({})).error_code();
    client.close();
    client.exit();
    assert!(
        std::fs::read_to_string(&log).is_ok_and(|text| text.contains("disk is full") || text.contains('a'))
    );
    assert_eq!(client.stderr(), "");
}

#[test]
fn a_tool_of_a_server_that_cannot_start_is_exit_code_4_with_the_reason() {
    let conf = TempConf::new();
    conf.write(&json!({ "mcpServers": {
        "gone": { "command": "no-such-command-anywhere" },
        "dies": { "command": "sh", "args": ["-c", "echo last words >&2; exit 3"] }
    } }));
    for (tool, words) in [
        ("gone__x", &["`gone`", "`no-such-command-anywhere` was not found"][..]),
        ("dies__x", &["`dies`", "exited with code 3", "last words"]),
    ] {
        let output = run(&conf, &["call", tool]);
        assert_eq!(code(&output), 4, "{}", all(&output));
        words.iter().for_each(|word| assert!(err(&output).contains(word), "no {word}: {}", err(&output)));
    }
}

#[test]
fn an_address_in_use_is_told_and_nothing_is_started() {
    let conf = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = run(&conf, &["serve", "--http", &address]);
    assert!([1, 2, 4].contains(&code(&output)), "{}", all(&output));
    assert!(err(&output).contains(&address), "{}", err(&output));
    assert!(conf.ledger_lines().is_empty());
}

#[test]
fn a_server_that_wants_credentials_is_exit_code_3() {
    let conf = TempConf::new();
    let web = conf.http_fake("web", &["--bearer", "the-token-of-this-server"]);
    conf.write(&servers([("web", web.entry())]));
    let output = run(&conf, &["call", "web__echo"]);
    assert_eq!(code(&output), 3, "{}", all(&output));
    for word in ["`web`", "401", "headers"] {
        assert!(err(&output).contains(word), "no `{word}`: {}", err(&output));
    }
    let with_token =
        web.entry().set("headers", json!({ "Authorization": "Bearer the-token-of-this-server" }));
    conf.write(&servers([("web", with_token)]));
    assert_eq!(code(&run(&conf, &["call", "web__echo"])), 0);
}

#[test]
fn a_name_to_listen_on_is_answered_with_what_to_write() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    for (address, port) in [("localhost:8809", "8809"), (":8809", "8809"), ("8809", "8809"), ("here", "8808")]
    {
        let output = run(&conf, &["serve", "--http", address]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("127.0.0.1:{port}")) && !said.contains("socket"), "{said}");
    }
}
