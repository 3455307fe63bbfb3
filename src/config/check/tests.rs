//! Entries and settings as users write them → the model, or what is told.

use crate::config;
use crate::config::environment::Environment;
use crate::config::model::Config;
use crate::config::model::EraChoice;
use crate::config::model::Http;
use crate::config::model::Server;
use crate::config::model::Sharing;
use crate::config::model::Stdio;
use crate::config::model::Transport;
use crate::config::model::Wire;
use crate::config::model::oauth::OAuth;
use crate::protocol::version::Era;
use crate::secret::Secret;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

fn environment() -> Environment {
    let vars =
        [("PATH", "/bin"), ("LC_ALL", "C"), ("GH", "gh-token"), ("SECRET", "s"), ("https_proxy", "http://p")];
    Environment::new(vars, "/home/ann").home("/home/ann")
}

/// The configuration and everything told, one line each: `severity: text`.
fn read(text: &str) -> (Option<Config>, Vec<String>) {
    let (config, problems) = match config::parse(text, Path::new("conf/mcp.json"), &environment()) {
        Ok(loaded) => (Some(loaded.config), loaded.problems),
        Err(error) => (None, error.problems().to_vec()),
    };
    (config, problems.iter().map(|p| format!("{}: {}", p.severity, p.text)).collect())
}

fn entry(entry: &str) -> (Option<Server>, Vec<String>) {
    let (config, told) = read(&format!("{{\"mcpServers\": {{\"a\": {entry}}}}}"));
    let config = config.expect("one bad entry takes no other down");
    assert_eq!(config.servers.len() + config.left_out.len(), 1);
    (config.servers.get("a").map(|server| Server::clone(server)), told)
}

fn server(text: &str) -> Server {
    let (server, told) = entry(text);
    server.unwrap_or_else(|| panic!("{text}: {told:?}"))
}

fn stdio(text: &str) -> Stdio {
    match server(text).transport {
        Transport::Stdio(stdio) => stdio,
        other => panic!("{text}: {other:?}"),
    }
}

fn http(text: &str) -> Http {
    match server(text).transport {
        Transport::Http(http) => http,
        other => panic!("{text}: {other:?}"),
    }
}

fn argv(stdio: &Stdio) -> Vec<&str> {
    std::iter::once(&stdio.command).chain(&stdio.args).map(|word| word.value.as_str()).collect()
}

fn declared(stdio: &Stdio) -> Vec<(&str, &str)> {
    let own = stdio.env.iter().filter(|(_, variable)| variable.declared);
    own.map(|(name, variable)| (name.as_str(), variable.value.expose())).collect()
}

fn headers(http: &Http) -> Vec<(&str, &str)> {
    http.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect()
}

#[test]
fn every_spelling_of_a_command_is_read() {
    for text in [
        r#"{"command": "x", "args": ["a", "b"]}"#,
        r#"{"type": "stdio", "cmd": "x", "args": ["a", "b"]}"#,
        r#"{"type": "local", "command": ["x", "a", "b"]}"#,
        r#"{"command": ["x", "a"], "args": ["b"]}"#,
        r#"{"command": {"path": "x", "args": ["a", "b"], "env": null}}"#,
        r#"{"transport": {"type": "stdio", "command": "x", "args": ["a", "b"]}}"#,
        r#"{"transportType": "STDIO", "command": "x", "args": "a b"}"#,
    ] {
        assert_eq!(argv(&stdio(text)), ["x", "a", "b"], "{text}");
    }
    let spaced = stdio(r#"{"command": "/opt/my tool", "args": ["--port", 80, true, "~/d", "a;$(b)"]}"#);
    assert_eq!(argv(&spaced), ["/opt/my tool", "--port", "80", "true", "/home/ann/d", "a;$(b)"]);
}

#[test]
fn every_spelling_of_a_url_is_read() {
    for text in [
        r#"{"url": "https://h/mcp"}"#,
        r#"{"httpUrl": "https://h/mcp"}"#,
        r#"{"serverUrl": "https://h/mcp"}"#,
        r#"{"baseUrl": "https://h/mcp"}"#,
        r#"{"endpoint": "https://h/mcp"}"#,
        r#"{"type": "streamable_http", "uri": "https://h/mcp"}"#,
        r#"{"type": "http", "url": "https://h/mcp"}"#,
        r#"{"type": "streamable-http", "url": "https://h/mcp"}"#,
        r#"{"type": "streamableHttp", "url": "https://h/mcp"}"#,
        r#"{"type": "http-stream", "url": "https://h/mcp"}"#,
        r#"{"type": "remote", "url": "https://h/mcp", "oauth": false}"#,
        r#"{"transport": {"type": "http", "url": "https://h/mcp"}}"#,
        r#"{"transport": "http", "url": "https://h/mcp"}"#,
    ] {
        assert_eq!(http(text).url.value, "https://h/mcp", "{text}");
    }
}

#[test]
fn what_is_spoken_follows_from_the_type_and_the_scheme() {
    for (text, wire) in [
        (r#"{"url": "https://h/mcp"}"#, Wire::Either),
        (r#"{"url": "wss://h/mcp"}"#, Wire::WebSocket),
        (r#"{"type": "http", "url": "https://h/sse"}"#, Wire::Streamable),
        (r#"{"type": "sse", "url": "https://h/sse"}"#, Wire::Sse),
        (r#"{"transport": "sse", "url": "https://h/sse"}"#, Wire::Sse),
        (r#"{"type": "ws", "url": "ws://h"}"#, Wire::WebSocket),
        (r#"{"type": "WebSocket", "url": "wss://h"}"#, Wire::WebSocket),
    ] {
        assert_eq!(http(text).wire, wire, "{text}");
    }
}

#[test]
fn what_cannot_be_reached_is_said_and_only_that_entry_is_left_out() {
    for (text, told) in [
        (r#"{"type": "sse", "command": "x"}"#, "`type` is `sse`, but there is no `url`"),
        (r#"{"type": "ws", "url": "https://h"}"#, "`url` begins with `https:`, which does not fit"),
        (r#"{"type": "sse", "url": "wss://h"}"#, "`url` begins with `wss:`, which does not fit"),
        (
            r#"{"type": "sse", "url": "https://h", "era": "modern"}"#,
            "`era` cannot be `modern`: HTTP+SSE is a transport of 2024-11-05",
        ),
        (r#"{"tcp": "h:1"}"#, "transport `tcp` is not supported yet"),
        (r#"{"url": "unix:///s#/p"}"#, "`url` begins with `unix:`, which does not fit"),
        (
            r#"{"type": "builtin", "name": "x"}"#,
            "`builtin` is a part of another program and cannot be started from here",
        ),
        (r#"{"type": "stdoi", "command": "x"}"#, "unknown transport `stdoi`"),
        (r#"{"type": "http", "command": "x"}"#, "`type` is `http`, but there is no `url`"),
        (r#"{"command": "x", "url": "http://h"}"#, "both `command` and `url` are given"),
        (r#"{"settings": {}}"#, "it belongs to an extension of an editor and cannot be started from here"),
        (r#"{}"#, "neither `command` nor `url` is given"),
        (r#"3"#, "an entry must be an object, not a number"),
        (r#"{"command": 3}"#, "`command` must be a string, not a number"),
        (r#"{"command": " "}"#, "`command` is empty"),
        (r#"{"command": "x", "args": [null]}"#, "`args` must be a list of strings, not null"),
        (r#"{"url": "h/mcp"}"#, "`url` is not a URL: relative URL without a base"),
        (r#"{"url": "http://h", "auth": {"clientSecret": "s"}}"#, "`auth` has a secret and no `clientId`"),
        (
            r#"{"url": "http://h", "auth": {"scopes": 7}}"#,
            "`auth.scopes` must be a list of strings, not a number",
        ),
        (r#"{"url": "http://h", "auth": {"issuer": "as"}}"#, "`auth.issuer` must be an `https` address"),
        (
            r#"{"url": "http://h", "auth": {"redirectPort": 0}}"#,
            "`auth.redirectPort` must be a whole number from 1 to 65535",
        ),
        (r#"{"url": "http://h", "headers": {"a b": "x"}}"#, "`a b` is not the name of a header"),
        (
            r#"{"url": "http://h", "headers": {"a": "x\r\nb: y"}}"#,
            "the value of header `a` holds a line break or control character",
        ),
        (
            r#"{"command": "x", "sharing": "each"}"#,
            "`sharing` must be `auto`, `shared`, `per-session` or `per-call`",
        ),
        (r#"{"command": "x", "era": "new"}"#, "`era` must be `auto`, `legacy` or `modern`"),
        (r#"{"command": "x", "prefix": "a.b"}"#, "`prefix` must be at most 64 of `A-Z a-z 0-9 _ -`"),
        (r#"{"command": "x", "maxInFlight": 0}"#, "`maxInFlight` must be a whole number from 1 to 65536"),
        (r#"{"command": "x", "callTimeout": "soon"}"#, "`callTimeout` is not a duration"),
        (
            r#"{"command": "x", "env": {"K": [1]}}"#,
            "`env.K` must be a string, a number, a boolean or null, not a list",
        ),
        (r#"{"command": "x", "disabled": "no"}"#, "`disabled` must be `true` or `false`, not a string"),
        (r#"{"command": "${NONE}"}"#, "environment variable `NONE` is not set"),
        (r#"{"command": "x", "envFile": "none.env"}"#, "`envFile` cannot be read: no such file"),
    ] {
        let (server, said) = entry(text);
        assert_eq!(server, None, "{text}");
        assert_eq!(said.first(), Some(&format!("error: {told}")), "{text}: {said:?}");
    }
}

#[test]
fn a_disabled_entry_is_quiet_about_its_values() {
    for text in [
        r#"{"command": "${NONE}", "disabled": true}"#,
        r#"{"type": "sse", "url": "${NONE}", "enabled": false}"#,
    ] {
        assert_eq!(entry(text), (None, vec![]), "{text}");
    }
    let (server, told) = entry(r#"{"command": "x", "disabled": true, "enabled": true}"#);
    assert_eq!((server, told.len()), (None, 1));
    assert_eq!(told[0], "warning: `disabled` and `enabled` contradict each other; it is off");
}

#[test]
fn the_environment_of_a_child_is_the_allow_list_and_what_the_entry_declares() {
    let child = stdio(r#"{"command": "x", "env": {"N": 1, "B": true, "T": "${GH}", "LC_ALL": null}}"#);
    let names: Vec<_> = child.env.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["B", "N", "PATH", "T", "https_proxy"], "sorted; no SECRET; LC_ALL removed");
    assert_eq!(declared(&child), [("B", "true"), ("N", "1"), ("T", "gh-token")]);
    let own = stdio(r#"{"command": "x", "args": ["${K}"], "environment": {"K": "v"}}"#);
    assert_eq!(argv(&own), ["x", "v"], "the entry's own variables come first");
    let named = stdio(r#"{"command": "x", "env_vars": ["SECRET", {"name": "GH", "source": "local"}]}"#);
    assert_eq!(declared(&named), [("GH", "gh-token"), ("SECRET", "s")]);
    let all = stdio(r#"{"command": "x", "inheritEnv": true}"#);
    assert!(all.env.iter().any(|(name, variable)| name == "SECRET" && !variable.declared));
    let (_, told) = entry(r#"{"command": "x", "inheritEnv": ["NONE"]}"#);
    assert_eq!(told, ["warning: environment variable `NONE` is not set, so it is not passed on"]);
}

#[test]
fn paths_start_in_the_folder_of_the_file() {
    let cwd = |text: &str| stdio(text).cwd;
    assert_eq!(cwd(r#"{"command": "x", "cwd": "sub"}"#), Some(PathBuf::from("/home/ann/conf/sub")));
    assert_eq!(cwd(r#"{"command": "x", "workingDirectory": "~/d"}"#), Some(PathBuf::from("/home/ann/d")));
    assert_eq!(cwd(r#"{"command": "x"}"#), None);
}

#[test]
fn every_way_to_give_headers_is_read() {
    for (text, expected) in [
        (r#"{"url": "https://h", "headers": {"X-A": "1", "x-b": 2}}"#, vec![("x-a", "1"), ("x-b", "2")]),
        (r#"{"url": "https://h", "headers": ["X-A: a:b"]}"#, vec![("x-a", "a:b")]),
        (r#"{"url": "https://h", "http_headers": {"X-A": "${GH}"}}"#, vec![("x-a", "gh-token")]),
        (r#"{"url": "https://h", "env_http_headers": {"X-A": "GH"}}"#, vec![("x-a", "gh-token")]),
        (r#"{"url": "https://h", "requestOptions": {"headers": {"X-A": "1"}}}"#, vec![("x-a", "1")]),
        (r#"{"url": "https://h", "apiKey": "k"}"#, vec![("authorization", "Bearer k")]),
        (r#"{"url": "https://h", "bearerToken": "${GH}"}"#, vec![("authorization", "Bearer gh-token")]),
        (r#"{"url": "https://h", "bearerTokenEnv": "GH"}"#, vec![("authorization", "Bearer gh-token")]),
        (r#"{"url": "https://h", "bearer_token_env_var": "GH"}"#, vec![("authorization", "Bearer gh-token")]),
        (r#"{"url": "https://h", "headers": {"Accept": "x", "A": "1"}}"#, vec![("a", "1")]),
    ] {
        assert_eq!(headers(&http(text)), expected, "{text}");
    }
    let (_, told) = entry(r#"{"url": "https://h", "headers": {"Authorization": "Basic x"}, "apiKey": "k"}"#);
    assert_eq!(told, ["warning: `apiKey` is ignored, because `Authorization` is given already"]);
    let (server, told) = entry(r#"{"url": "https://h", "bearerTokenEnv": "NONE"}"#);
    assert_eq!((server, told), (None, vec!["error: environment variable `NONE` is not set".to_owned()]));
}

#[test]
fn every_spelling_of_a_timeout_is_read() {
    let seconds = Duration::from_secs;
    for (keys, call, start) in [
        (r#""timeout": 60"#, 60, 60),
        (r#""timeout": 90000"#, 90, 60),
        (r#""timeout": "2m""#, 120, 60),
        (r#""timeout": {"startup": 5000, "request": 7000}"#, 7, 5),
        (r#""callTimeout": "5s", "startTimeout": "1m""#, 5, 60),
        (r#""toolTimeout": "5s""#, 5, 60),
        (r#""callTimeoutMs": 5000, "startTimeoutMs": 6000"#, 5, 6),
        (r#""request_timeout_ms": 5000, "connectionTimeout": 7000"#, 5, 7),
        (r#""tool_timeout_sec": 5, "startup_timeout_sec": 7"#, 5, 7),
        (r#""startup_timeout_ms": 8000"#, 600, 8),
    ] {
        let server = server(&format!("{{\"command\": \"x\", {keys}}}"));
        assert_eq!((server.call_timeout, server.start_timeout), (seconds(call), seconds(start)), "{keys}");
    }
    let idle = |keys: &str| server(&format!("{{\"command\": \"x\", {keys}}}")).idle_timeout;
    assert_eq!(idle(r#""idleTimeout": "never""#), None);
    assert_eq!(idle(r#""idleTimeout": false"#), None);
    assert_eq!(idle(r#""idleTimeout": "1h""#), Some(seconds(3600)));
    assert_eq!(idle(r#""lifecycle": "keep-alive""#), None);
    assert_eq!(idle(r#""lifecycle": "ephemeral""#), Some(seconds(600)));
    let stop = server(r#"{"command": "x", "stopGrace": {"eof": "0s", "term": "9s"}}"#).stop;
    assert_eq!((stop.eof, stop.term), (seconds(0), seconds(9)));
    assert_eq!(server(r#"{"command": "x", "supports_parallel_tool_calls": false}"#).max_in_flight, 1);
}

#[test]
fn every_spelling_of_a_tool_filter_is_read() {
    let filter = |keys: &str| server(&format!("{{\"command\": \"x\", {keys}}}")).tools;
    for keys in [
        r#""includeTools": ["a*"]"#,
        r#""enabled_tools": ["a*"]"#,
        r#""available_tools": ["a*"]"#,
        r#""tools": ["a*"]"#,
        r#""allowedTools": ["a*"]"#,
        r#""toolFilter": ["a*"]"#,
    ] {
        assert_eq!(filter(keys).include, Some(vec!["a*".to_owned()]), "{keys}");
    }
    for keys in [r#""excludeTools": ["b(x)"]"#, r#""disabledTools": ["b"]"#, r#""disabled_tools": ["b"]"#] {
        assert_eq!(filter(keys).exclude, ["b"], "{keys}");
    }
    assert_eq!(filter(r#""tools": ["*"]"#).include, None);
    assert_eq!(filter(r#""includeTools": []"#).include, Some(vec![]));
    assert_eq!(filter(r#""available_tools": []"#).include, None);
}

#[test]
fn names_eras_and_descriptions_are_read() {
    let sharing = |value: &str| server(&format!(r#"{{"command": "x", "sharing": "{value}"}}"#)).sharing;
    assert_eq!(
        ["auto", "shared", "per-session", "per-call"].map(sharing),
        [Sharing::Auto, Sharing::Shared, Sharing::PerSession, Sharing::PerCall]
    );
    let one = server(r#"{"command": "x", "protocolEra": "legacy", "toolPrefix": false, "title": "a\n b"}"#);
    assert_eq!(one.era, EraChoice::Always(Era::Legacy));
    assert_eq!(one.prefix.as_deref(), Some(""));
    assert_eq!(one.description.as_deref(), Some("a b"));
}

#[test]
fn what_has_no_effect_is_told_loudly_or_not_at_all() {
    for (keys, told) in [
        (r#""comand": "y""#, vec!["warning: unknown key `comand`"]),
        (
            r#""sandbox": {}, "sandboxEnabled": true"#,
            vec!["warning: `sandbox` has no effect: this server runs WITHOUT a sandbox"],
        ),
        (r#""sandboxEnabled": false"#, vec![]),
        (
            r#""autoApprove": ["x"]"#,
            vec!["note: `autoApprove` is ignored: approving calls is the client's business"],
        ),
        (r#""dev": {"watch": "*"}"#, vec!["warning: `dev` is not supported yet and has no effect"]),
        (
            r#""env": {}, "environment": {}"#,
            vec!["warning: `environment` is ignored, because `env` is given"],
        ),
        (r#""env": {"K": "$TOKEN"}"#, vec!["warning: `$TOKEN` is taken as it stands"]),
        (
            r#""icon": 1, "version": 2, "x-team": 3, "_off": 4, "//": 5, "$comment": 6, "prefix": null"#,
            vec![],
        ),
    ] {
        let (server, said) = entry(&format!("{{\"command\": \"x\", {keys}}}"));
        assert!(server.is_some(), "{keys}");
        assert_eq!(said, told, "{keys}");
    }
}

#[test]
fn mcp_remote_keeps_its_own_variables() {
    let text = r#"{"command": "npx", "args": ["mcp-remote@1", "https://h", "--header", "A: ${AUTH} ${K}"],
                   "env": {"K": "v"}}"#;
    assert_eq!(argv(&stdio(text))[4], "A: ${AUTH} v");
}

#[test]
fn the_gateway_section_sets_settings_and_defaults() {
    let (config, told) = read(
        r#"{"gateway": {
            "naming": {"separator": "-", "template": "mcp_{server}__{tool}", "maxLength": 64},
            "limits": {"messageBytes": 1048576, "depth": 64, "pageSize": 10},
            "http": {"allowedHosts": ["GW.example:80"], "allowedOrigins": ["https://App.example"],
                     "bearerTokens": ["${GH}-0123456789"], "sessionIdle": "5m", "maxSessions": 7},
            "listTimeout": "3s", "drainTimeout": "0s", "instructions": "Hi.",
            "watch": {"debounce": "50ms", "poll": "2s"},
            "callTimeout": "9s", "startTimeout": "8s", "idleTimeout": "never", "maxInFlight": 3, "x-note": 1
        }, "mcpServers": {"a": {"command": "x"}, "b": {"command": "x", "callTimeout": "1s", "maxInFlight": 4}}}"#,
    );
    assert_eq!(told, Vec::<String>::new());
    let config = config.unwrap();
    let settings = &config.settings;
    assert_eq!((settings.naming.separator.as_str(), settings.naming.max_length), ("-", 64));
    assert_eq!((settings.limits.message_bytes, settings.limits.depth), (1 << 20, 64));
    assert_eq!(settings.http.allowed_hosts, ["gw.example:80"]);
    assert_eq!(settings.http.allowed_origins, ["https://app.example"]);
    assert_eq!(settings.auth.tokens[0].expose(), "gh-token-0123456789");
    assert_eq!((settings.http.max_sessions, settings.http.session_idle.as_secs()), (7, 300));
    assert_eq!((settings.list_timeout.as_secs(), settings.drain_timeout.as_secs()), (3, 0));
    assert_eq!(settings.watch.debounce.as_millis(), 50);
    let (a, b) = (&config.servers["a"], &config.servers["b"]);
    assert_eq!((a.call_timeout.as_secs(), a.start_timeout.as_secs(), a.max_in_flight), (9, 8, 3));
    assert_eq!((a.idle_timeout, a.list_timeout.as_secs()), (None, 30));
    assert_eq!((b.call_timeout.as_secs(), b.max_in_flight), (1, 4));
}

#[test]
fn an_error_in_the_gateway_section_refuses_the_file() {
    for (gateway, told) in [
        (r#"3"#, "`gateway` must be an object, not a number"),
        (
            r#"{"naming": {"separator": "."}}"#,
            "`gateway.naming.separator` must be 1 to 8 of `A-Z a-z 0-9 _ -`",
        ),
        (
            r#"{"naming": {"maxLength": 8}}"#,
            "`gateway.naming.maxLength` must be a whole number from 16 to 128",
        ),
        (
            r#"{"naming": {"template": "{server}"}}"#,
            "`gateway.naming.template` must hold `{tool}` and otherwise only `A-Z a-z 0-9 _ -`",
        ),
        (r#"{"limits": {"depth": "9"}}"#, "`gateway.limits.depth` must be a whole number, not a string"),
        (r#"{"listTimeout": 3}"#, "`gateway.listTimeout` needs a unit"),
        (r#"{"callTimeout": "0s"}"#, "`gateway.callTimeout` must be at least 10ms"),
        (
            r#"{"http": {"bearerTokens": ["short"]}}"#,
            "a bearer token needs at least 16 visible ASCII characters",
        ),
        (r#"{"http": {"bearerTokens": ["${NONE}"]}}"#, "environment variable `NONE` is not set"),
        (
            r#"{"http": {"allowedOrigins": ["*"]}}"#,
            "`gateway.http.allowedOrigins` holds something that is not `scheme://host[:port]`",
        ),
    ] {
        let (config, said) = read(&format!("{{\"gateway\": {gateway}, \"mcpServers\": {{}}}}"));
        assert_eq!(config, None, "{gateway}");
        assert_eq!(said, [format!("error: {told}")], "{gateway}");
    }
    let (config, said) = read(r#"{"gateway": {"limit": {}}, "mcpServers": {}}"#);
    assert!(config.is_some());
    assert_eq!(said, ["warning: unknown key `gateway.limit`"]);
}

#[test]
fn names_that_are_commented_out_or_not_allowed_are_left_out() {
    let (config, told) = read(
        r#"{"mcp": {"allowed": ["a", "b"], "excluded": ["b"]},
            "mcpServers": {"a": {"command": "x"}, "b": {"command": "x"}, "c": {"command": "x"}, "_d": {}, " ": {}}}"#,
    );
    let config = config.unwrap();
    assert_eq!(config.servers.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["a"]);
    let reasons: Vec<_> =
        config.left_out.iter().map(|out| (out.name.as_str(), out.reason.as_str())).collect();
    assert_eq!(
        reasons,
        [
            ("b", "it is in `mcp.excluded`"),
            ("c", "it is not in `mcp.allowed`"),
            ("_d", "its name is commented out"),
            (" ", "it is not in `mcp.allowed`")
        ]
    );
    assert_eq!(told, ["note: `_d` is skipped, because its name is commented out"]);
}

#[test]
fn logins_are_read_as_clients_write_them() {
    let plain = http(r#"{"url": "https://h"}"#);
    assert_eq!(plain.oauth, Some(OAuth::default()), "a login is offered where nothing else is shown");
    for none in [
        r#"{"url": "https://h", "auth": false}"#,
        r#"{"url": "https://h", "oauth": {"enabled": false}}"#,
        r#"{"url": "https://h", "headers": {"Authorization": "Bearer x"}}"#,
        r#"{"url": "wss://h", "type": "ws"}"#,
    ] {
        assert_eq!(http(none).oauth, None, "{none}");
    }
    let full = OAuth {
        client_id: Some("c".into()),
        client_secret: Some(Secret::new("gh-token")),
        scopes: vec!["a".into(), "b".into()],
        redirect_port: Some(8765),
        ..OAuth::default()
    };
    for text in [
        r#"{"url": "https://h", "auth": {"type": "oauth", "clientId": "c", "clientSecret": "${GH}", "scopes": ["a", "b"], "redirectPort": 8765}}"#,
        r#"{"url": "https://h", "oauth": {"client_id": "c", "client_secret": "${GH}", "scope": "a b", "callbackPort": 8765}}"#,
        r#"{"url": "https://h", "auth": {"CLIENT_ID": "c", "CLIENT_SECRET": "${GH}", "scopes": "a b", "callback_port": 8765}}"#,
    ] {
        assert_eq!(http(text).oauth.as_ref(), Some(&full), "{text}");
    }
    let (_, told) =
        entry(r#"{"url": "https://h", "oauth": {"tokenUrl": "https://as/token", "clientid": "c"}}"#);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains("`oauth.tokenUrl` has no effect")
            && told[1].contains("unknown key `oauth.clientid`")
    );
}

#[test]
fn a_login_is_that_of_the_gateway_or_of_each_caller() {
    let of = |url: &str, whose: &str, more: &str| {
        entry(&format!(r#"{{"url": "{url}", "auth": {{"type": "oauth", "identity": "{whose}"}}{more}}}"#))
    };
    let (server, told) = of("https://h", "gateway", "");
    assert!(told.is_empty() && server.is_some_and(|server| server.has_login() && !server.is_personal()));
    let (server, told) = of("https://h", "caller", "");
    let personal = server.is_some_and(|server| server.logs_callers_in() && server.is_personal());
    assert!(told.is_empty() && personal, "{told:?}");
    let other = "the entry gives other credentials";
    for (url, whose, more, expected) in [
        ("https://h", "me", "", "`auth.identity` must be `gateway` or `caller`"),
        ("https://h", "caller", r#", "headers": {"Authorization": "Bearer x"}"#, other),
        ("https://h", "caller", r#", "headersHelper": "./x""#, other),
        ("wss://h", "caller", r#", "type": "ws""#, "nobody can log in over a WebSocket"),
        ("http://h", "caller", "", "would travel in the clear"),
    ] {
        let (server, told) = of(url, whose, more);
        assert!(server.is_none() && told.iter().any(|one| one.contains(expected)), "{more}: {told:?}");
    }
}
