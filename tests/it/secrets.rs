//! S16: secrets that the gateway was given or that pass through it stand in nothing that people read, at trace level, in no
//! encoding, whichever way a call fails.
//!
//! What a server itself sends to a client is that client's: results are not searched, errors of the gateway are.

mod search;

use crate::secrets::search::Canaries;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::tempconf::HttpFake;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::process::Output;
use std::sync::Arc;

/// What a failing child prints: all it knows.
const BABBLE: &str = "env >&2; echo \"given $1\" >&2; exit 3";

/// Faults of a child that a call of the tool of that name meets.
const FAULTS: [&str; 15] = [
    "die",
    "half_die",
    "close_stdout",
    "hang",
    "half_line",
    "garbage",
    "bad_utf8",
    "deep",
    "line",
    "both",
    "neither",
    "wrong_id",
    "fail",
    "error",
    "endless_line",
];

/// A gateway full of secrets, and all that was shown so far.
struct Stage {
    canaries: Canaries,
    conf: Arc<TempConf>,
    gateway: HttpGateway,
    _web: HttpFake,
}

impl Stage {
    fn open() -> Self {
        let canaries = Canaries::default();
        let conf = TempConf::new();
        let web = conf.http_fake("web", &["--bearer", &format!("Bearer {}", canaries.of("header"))]);
        conf.write(&config(&conf, &web, &canaries));
        let gateway = start(&conf, &canaries).args(&["--log-level", "trace,all=trace"]).http();
        Self { canaries, conf, gateway, _web: web }
    }

    fn client(&self) -> HttpClient {
        HttpClient::new(self.gateway.addr())
    }

    /// A request with a body, as somebody who may.
    fn ask(&self, body: &str) -> String {
        let bearer = format!("Bearer {}", self.canaries.of("bearer"));
        let more = [("authorization", bearer.as_str()), ("mcp-protocol-version", "2026-07-28")];
        let mut more = more.to_vec();
        let view: Value = serde_json::from_str(body).unwrap_or_default();
        let method = view["method"].as_str().unwrap_or_default().to_owned();
        let name = view["params"]["name"].as_str().unwrap_or_default().to_owned();
        if !method.is_empty() && !method.contains(|c: char| c.is_control()) {
            more.push(("mcp-method", &method));
        }
        if !name.is_empty() {
            more.push(("mcp-name", &name));
        }
        self.client().post(body, &more).body()
    }

    /// Calls a tool; the text of the error, nothing for a result.
    fn call(&self, tool: &str, arguments: &Value) -> String {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "s16", "version": "1" }
        });
        let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
        let text = self.ask(&body);
        let is_result = text.contains("\"result\"") && !text.contains("\"error\"");
        if is_result { String::new() } else { text }
    }

    /// Runs a command over the same file.
    fn run(&self, args: &[&str]) -> String {
        let mut all = args.to_vec();
        let (file, cache) = (self.conf.file().display().to_string(), self.conf.cache().display().to_string());
        all.extend(["--config", &file, "--cache-dir", &cache, "--log-level", "trace,all=trace"]);
        let Output { stdout, stderr, .. } = start(&self.conf, &self.canaries).run(&all);
        format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr))
    }
}

fn start(conf: &Arc<TempConf>, canaries: &Canaries) -> Gateway {
    ["env", "header", "bearer", "argument", "cookie", "query"]
        .iter()
        .fold(Gateway::on(conf), |gateway, name| gateway.env(&format!("S16_{name}"), canaries.of(name)))
}

fn config(conf: &Arc<TempConf>, web: &HttpFake, canaries: &Canaries) -> Value {
    std::fs::write(conf.dir().join("secret.env"), format!("FROM_FILE='{}'\n", canaries.of("file")))
        .expect("the folder is writable");
    let secret = json!({ "S16": "${S16_env}", "INLINE_TOKEN": canaries.of("inline") });
    let mut faulty = conf.fake("faulty").set("callTimeout", "400ms").json();
    faulty["env"]
        .as_object_mut()
        .expect("it is an object")
        .extend(secret.as_object().expect("so is this").clone());
    let babbler = json!({
        "command": "sh",
        "args": ["-c", BABBLE, "sh", "--password=${S16_argument}"],
        "envFile": "secret.env",
        "env": secret,
    });
    let bearer = json!({ "Authorization": "Bearer ${S16_header}", "Cookie": "session=${S16_cookie}" });
    let refused = json!({ "Authorization": "Bearer ${S16_cookie}", "X-Api-Key": canaries.of("inline") });
    json!({
        "mcpServers": {
            "faulty": faulty,
            "babbler": babbler,
            "web": { "type": "http", "url": format!("{}?key=${{S16_query}}", web.url()), "headers": bearer },
            "refused": { "type": "http", "url": web.url(), "headers": refused },
            "nobody": { "type": "http", "url": "http://127.0.0.1:1/mcp?key=${S16_query}", "headers": refused },
            "userinfo": { "type": "http", "url": format!("http://u:{}@127.0.0.1:1/mcp", canaries.of("userinfo")) },
            "typo": { "command": "no-such-command-anywhere", "args": ["${S16_argument}"], "env": secret },
        },
        "gateway": { "http": { "bearerTokens": ["${S16_bearer}"] }, "startTimeout": "5s", "listTimeout": "3s" }
    })
}

#[test]
fn s16_secrets_stay_secret_on_every_path_that_fails() {
    let stage = Stage::open();
    let mut shown: Vec<(String, String)> = Vec::new();
    let argument =
        json!({ "password": stage.canaries.of("sent"), "nested": { "x": [stage.canaries.of("sent")] } });

    for tool in FAULTS {
        shown.push((format!("a call of {tool}"), stage.call(&format!("faulty__{tool}"), &argument)));
    }
    // What is answered is what was asked.
    stage.call("faulty__echo", &argument);
    stage.call("web__echo", &argument);
    for server in ["babbler", "refused", "nobody", "typo", "userinfo", "absent"] {
        shown.push((format!("a call at {server}"), stage.call(&format!("{server}__x"), &argument)));
    }
    for (what, body) in broken_bodies(stage.canaries.of("sent")) {
        shown.push((what.to_owned(), stage.ask(&body)));
    }
    for (what, headers) in wrong_headers(&stage.canaries) {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = stage.client().post("{}", &headers).body();
        shown.push((what.to_owned(), path));
    }
    for args in [
        &["check"][..],
        &["tools"],
        &["call", "babbler__x"],
        &["call", "refused__x"],
        &["--help"],
        &["schema"],
    ] {
        shown.push((args.join(" "), stage.run(args)));
    }
    reloads(&stage);
    shown.push(("the status page".into(), status(&stage)));
    shown.push(("the log".into(), stage.gateway.stderr()));
    shown.push(("stdout".into(), stage.gateway.stdout()));
    shown.extend(files(&stage.conf.cache()));

    let paths = shown.len();
    assert!(paths >= 40, "only {paths} paths");
    let silent: Vec<&str> =
        shown.iter().filter(|(_, text)| text.is_empty()).map(|(what, _)| &**what).collect();
    assert_eq!(silent, ["stdout"], "each of the others is answered, and none with a result");
    assert!(stage.gateway.stderr().contains("TRACE"), "the log is at trace level");
    let found: Vec<String> = shown
        .iter()
        .flat_map(|(what, text)| stage.canaries.in_text(text).map(move |hit| format!("{what}: {hit}")))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

fn status(stage: &Stage) -> String {
    let (host, bearer) = (stage.gateway.addr(), stage.canaries.of("bearer"));
    let head = format!(
        "GET /status HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {bearer}\r\nconnection: close\r\n\r\n"
    );
    stage.client().raw(head.as_bytes()).head().expect(200).body()
}

/// The file with what cannot be read, with a variable that is not there, and good again.
fn reloads(stage: &Stage) {
    let good = std::fs::read_to_string(stage.conf.file()).expect("it is there");
    stage.conf.write_text(&good.replacen(
        "\"faulty\"",
        &format!("{} \"faulty\"", stage.canaries.of("inline")),
        1,
    ));
    eventually("the broken file is refused", || stage.gateway.stderr().contains("last good"));
    stage.conf.write_text(&good.replace("${S16_env}", "${S16_env}${NOT_THERE}"));
    eventually("the variable is missed", || stage.gateway.stderr().contains("NOT_THERE"));
    stage.conf.write_text(&good);
}

fn broken_bodies(canary: &str) -> Vec<(&'static str, String)> {
    let text = json!(canary);
    let call =
        |rest: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{rest}}}}}"#);
    vec![
        ("no JSON", format!("{{\"x\": {text}")),
        ("two names", call(&format!(r#""name":{text},"name":{text}"#))),
        ("a name that is a number", call(&format!(r#""name":7,"arguments":{{"x":{text}}}"#))),
        ("an unknown name", call(&format!(r#""name":"no__such","arguments":{{"x":{text}}}"#))),
        (
            "a deep argument",
            call(&format!(
                r#""name":"faulty__echo","arguments":{}{text}{}"#,
                "[".repeat(300),
                "]".repeat(300)
            )),
        ),
        (
            "a lone surrogate",
            call(&format!(r#""name":"faulty__echo","arguments":{{"x":{text},"y":"\ud800"}}"#)),
        ),
        (
            "an unknown method",
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x/y","params":{{"x":{text}}}}}"#),
        ),
        ("an odd id", format!(r#"{{"jsonrpc":"2.0","id":{{"x":{text}}},"method":"ping"}}"#)),
        ("a list", format!("[{text}]")),
        ("an empty batch", "[]".into()),
    ]
}

fn wrong_headers(canaries: &Canaries) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let sent = canaries.of("sent").to_owned();
    let good = format!("Bearer {}", canaries.of("bearer"));
    let authorization = |value: String| vec![("authorization", value)];
    vec![
        ("no token", vec![("x-api-key", sent.clone())]),
        ("a wrong token", authorization(format!("Bearer {sent}"))),
        ("a longer token", authorization(format!("{good}{sent}"))),
        ("another scheme", authorization(format!("Basic {sent}"))),
        ("two tokens", vec![("authorization", good.clone()), ("authorization", format!("Bearer {sent}"))]),
        (
            "a wrong origin",
            vec![("authorization", good.clone()), ("origin", format!("http://{}", "evil.example"))],
        ),
        ("a session that is not", vec![("authorization", good.clone()), ("mcp-session-id", sent.clone())]),
        (
            "a version that is not",
            vec![("authorization", good.clone()), ("mcp-protocol-version", sent.clone())],
        ),
        ("another name", vec![("authorization", good), ("mcp-name", sent)]),
    ]
}

/// Everything that was written into `folder`.
fn files(folder: &std::path::Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap_or_default();
            found.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    found
}
