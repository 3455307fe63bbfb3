//! A gateway full of secrets: in its file, in its environment, at its servers, in the hands of its callers.
//!
//! It asks; what is searched and how is not decided here.

use crate::access::issuer::AUDIENCE;
use crate::access::issuer::Issuer;
use crate::access::issuer::now;
use crate::credentials::peer::Answer;
use crate::credentials::peer::Peer;
use crate::credentials::peer::mcp;
use crate::oauth::person::Person;
use crate::oauth::rig::Rig;
use crate::secrets::search::Canaries;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::tempconf::HttpFake;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::process::Output;
use std::sync::Arc;

/// Everything there is, of this program and of all others; `all` alone leaves the SDK as it was.
const LEVEL: &str = "trace,all=trace,rmcp=trace";
/// What a failing child prints: all it knows.
const BABBLE: &str = "env >&2; echo \"given $1\" >&2; exit 3";
/// Canaries that stand in the environment of the gateway.
const VARIABLES: [&str; 9] =
    ["env", "header", "bearer", "argument", "cookie", "query", "apikey", "basic", "phrase"];

/// The gateway, and who is around it.
pub struct Stage {
    pub canaries: Canaries,
    pub conf: Arc<TempConf>,
    pub gateway: HttpGateway,
    /// A token of an issuer that ended.
    pub ended: String,
    /// The id of the key of a caller.
    pub key_id: String,
    pub rig: Rig,
    /// Refuses whatever is shown.
    pub wall: Peer,
    /// Takes the secret that stands in a file, and answers with another one.
    pub service: Peer,
    /// Gives a token, and then none.
    pub grants: Peer,
    _web: HttpFake,
}

impl Stage {
    pub fn open() -> Self {
        let (mut canaries, conf) = (Canaries::default(), TempConf::new());
        let web = conf.http_fake("web", &["--bearer", canaries.of("header")]);
        let ends = (canaries.of("access").to_owned(), canaries.of("refresh").to_owned());
        let registered = canaries.of("registered").to_owned();
        let rig = Rig::with(|ways| {
            ways.ends = ends;
            ways.client_secret = Some(registered);
        });
        let (wall, service) = (Peer::mcp(|_| false), service(&canaries));
        let (grants, issuer) = (grants(canaries.of("granted")), Issuer::start());
        let mut file = entries(&conf, &web, &canaries);
        for (name, entry) in at_servers(&wall, &service, &grants, &rig, &canaries) {
            file["mcpServers"][name] = entry;
        }
        file["gateway"]["auth"]["jwt"] = json!([{ "issuer": issuer.name(), "audience": AUDIENCE }]);
        conf.write(&file);
        let made = command(&conf, &canaries, &["key", "create", "--json", "--name", "kim"]);
        let made: Value = serde_json::from_slice(&made.stdout).expect("a key is made");
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        canaries.learn("key", text("key"));
        canaries.learn("jwt", issuer.signer.token("EdDSA", json!({}), &issuer.claims()));
        let mut ended = issuer.claims();
        ended["exp"] = json!(now() - 1000);
        let ended = issuer.signer.token("EdDSA", json!({}), &ended);
        let gateway = start(&conf, &canaries).args(&["--log-level", LEVEL, "--log-json"]).http();
        let key_id = text("id");
        Self { canaries, conf, gateway, ended, key_id, rig, wall, service, grants, _web: web }
    }

    pub fn client(&self) -> HttpClient {
        HttpClient::new(self.gateway.addr())
    }

    /// A request with a body, as somebody who may.
    pub fn ask(&self, body: &str) -> String {
        self.ask_as(&format!("Bearer {}", self.canaries.of("bearer")), body)
    }

    /// A request of whoever shows this.
    fn ask_as(&self, shown: &str, body: &str) -> String {
        let more = [("authorization", shown), ("mcp-protocol-version", "2026-07-28")];
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
    pub fn call(&self, tool: &str, arguments: &Value) -> String {
        self.call_as(&format!("Bearer {}", self.canaries.of("bearer")), tool, arguments)
    }

    /// The same of whoever shows this.
    pub fn call_as(&self, shown: &str, tool: &str, arguments: &Value) -> String {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "s16", "version": "1" }
        });
        let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
        let text = self.ask_as(shown, &body);
        let is_result = text.contains("\"result\"") && !text.contains("\"error\"");
        if is_result { String::new() } else { text }
    }

    /// Runs a command over the same file.
    pub fn run(&self, args: &[&str]) -> String {
        let Output { stdout, stderr, .. } =
            command(&self.conf, &self.canaries, &[args, &["--log-level", LEVEL]].concat());
        format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr))
    }

    /// Somebody logs in at `login`: what the command shows and logs, without the address that a browser gets.
    pub fn logs_in(&self) -> String {
        let log = self.conf.dir().join("login.log");
        let more = ["login", "--log-level", LEVEL, "--log-file", &log.display().to_string()];
        let variables = variables(&self.canaries);
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (&**name, *value)).collect();
        let person = Person::with(&self.conf, &[&["--no-browser"], &more[..]].concat(), &variables);
        let ended = person.finishes();
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
        let log = std::fs::read_to_string(log).expect("there is a log");
        format!("{}{}{log}", ended.stdout, ended.stderr)
    }

    pub fn status(&self) -> String {
        let (host, bearer) = (self.gateway.addr(), self.canaries.of("bearer"));
        let head = format!(
            "GET /status HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {bearer}\r\nconnection: close\r\n\r\n"
        );
        self.client().raw(head.as_bytes()).head().expect(200).body()
    }
}

fn command(conf: &Arc<TempConf>, canaries: &Canaries, args: &[&str]) -> Output {
    let (file, cache) = (conf.file().display().to_string(), conf.cache().display().to_string());
    start(conf, canaries).run(&[args, &["--config", &file, "--cache-dir", &cache]].concat())
}

fn start(conf: &Arc<TempConf>, canaries: &Canaries) -> Gateway {
    let variables = variables(canaries);
    variables.iter().fold(Gateway::on(conf), |gateway, (name, value)| gateway.env(name, value))
}

fn variables(canaries: &Canaries) -> Vec<(String, &str)> {
    VARIABLES.iter().map(|name| (format!("S16_{name}"), canaries.of(name))).collect()
}

/// Admits who shows the secret of the file, and answers calls with a secret of its own.
fn service(canaries: &Canaries) -> Peer {
    let wanted = format!("Bearer {}", canaries.of("kept"));
    let result = json!(canaries.of("result")).to_string();
    Peer::start(move |request| match request.method().as_str() {
        _ if request.header("authorization") != Some(&*wanted) => Answer(401, "{}".into()),
        "tools/call" => {
            let Answer(status, body) = mcp(request);
            Answer(status, body.replacen("\"text\":\"", &format!("\"structured\":{result},\"text\":\""), 1))
        }
        _ => mcp(request),
    })
}

/// One token at `/token`, none elsewhere.
fn grants(token: &str) -> Peer {
    let given = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 }).to_string();
    Peer::start(move |request| match request.head.starts_with("POST /token ") {
        true => Answer(200, given.clone()),
        false => Answer(400, r#"{"error":"invalid_client","error_description":"no"}"#.into()),
    })
}

/// Entries whose secrets go nowhere or to a server that fails, and the settings of the gateway.
fn entries(conf: &Arc<TempConf>, web: &HttpFake, canaries: &Canaries) -> Value {
    let put = |name: &str, text: String| std::fs::write(conf.dir().join(name), text).expect("it is writable");
    put("secret.env", format!("FROM_FILE='{}'\n", canaries.of("file")));
    put("kept", format!("{}\n", canaries.of("kept")));
    let helper = format!("Bearer {}", canaries.of("helper"));
    put("helper.json", json!({ "Authorization": helper, "X-Own": canaries.of("helper") }).to_string());
    put("garbled.json", format!("{helper}\n"));
    let secret = json!({ "S16": "${S16_env}", "INLINE_TOKEN": canaries.of("inline") });
    let mut faulty = conf.fake("faulty").set("callTimeout", "400ms").json();
    // It fails in every way there is, one after the other.
    faulty["breaker"] = json!({ "failures": 0 });
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
            "steady": conf.fake("steady").json(),
            "babbler": babbler,
            "web": { "type": "http", "url": format!("{}?key=${{S16_query}}", web.url()), "headers": bearer },
            "refused": { "type": "http", "url": web.url(), "headers": refused },
            "nobody": { "type": "http", "url": "http://127.0.0.1:1/mcp?key=${S16_query}", "headers": refused },
            "userinfo": { "type": "http", "url": format!("http://u:{}@127.0.0.1:1/mcp", canaries.of("userinfo")) },
            "typo": { "command": "no-such-command-anywhere", "args": ["${S16_argument}"], "env": secret },
        },
        "gateway": {
            "http": { "bearerTokens": ["${S16_bearer}"] },
            "auth": {
                "keysFile": "keys.json",
                "basic": [{ "user": "ann", "password": "${S16_phrase}" }],
                "failuresPerMinute": 1_000_000,
            },
            "audit": { "file": "logs/audit.log" },
            "startTimeout": "5s",
            "listTimeout": "3s",
        }
    })
}

/// Entries that show something by their `auth`.
fn at_servers(
    wall: &Peer,
    service: &Peer,
    grants: &Peer,
    rig: &Rig,
    canaries: &Canaries,
) -> Vec<(&'static str, Value)> {
    let at = |peer: &Peer, auth: Value| json!({ "type": "http", "url": peer.url("/mcp"), "auth": auth });
    let client = |path: &str| {
        let (secret, url) = (canaries.of("client"), grants.url(path));
        json!({ "type": "oauth2", "tokenUrl": url, "clientId": "c", "clientSecret": secret })
    };
    let helper = |file: &str| json!({ "type": "headersHelper", "command": ["cat", file], "timeout": "5s" });
    vec![
        ("keyed", at(wall, json!({ "type": "apiKey", "key": "${S16_apikey}" }))),
        ("basic", at(wall, json!({ "type": "basic", "user": "u", "password": "${S16_basic}" }))),
        ("service", at(service, json!({ "type": "bearer", "token": "${file:kept}" }))),
        ("granted", at(wall, client("/token"))),
        ("ungranted", at(wall, client("/other"))),
        ("helped", at(wall, helper("helper.json"))),
        ("garbled", at(wall, helper("garbled.json"))),
        ("login", rig.entry()),
    ]
}
