//! The client that the official conformance suite starts: a gateway in front of the suite's server, and a client in the
//! same process that uses everything there is. What the suite scores is how the gateway behaves towards servers.
//!
//! ```text
//! MCP_CONFORMANCE_PROTOCOL_VERSION=2026-07-28 conformance_client http://127.0.0.1:4000/mcp
//! ```
//!
//! It checks nothing; the suite does.
#![expect(clippy::print_stderr, reason = "the suite keeps what its client complains about")]

mod login;

use crate::login::FILE;
use crate::login::Person;
use anyhow::Context as _;
use mcp_manifold::App;
use mcp_manifold::app::Options;
use mcp_manifold::auth::caller::Caller;
use mcp_manifold::auth::oauth::logins::Logins;
use mcp_manifold::config;
use mcp_manifold::config::environment::Environment;
use mcp_manifold::downstream::connector::Connector;
use mcp_manifold::gateway::Gateway;
use mcp_manifold::gateway::session::Session;
use mcp_manifold::wire::mailbox::mailbox;
use mcp_manifold::wire::message;
use mcp_manifold::wire::sink::Sink;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Larger than anything the suite sends.
const QUEUE: usize = 16 << 20;
/// Deeper than anything the suite sends.
const DEPTH: usize = 128;
/// Most logins for one request; a server that never has enough must not be asked for ever.
const LOGINS: usize = 3;
/// How long the gateway may take to notice a login.
const NOTICED: Duration = Duration::from_secs(10);

/// One client of either era.
struct Client {
    gateway: Gateway,
    session: Arc<Session>,
    modern: bool,
    next: AtomicU64,
    person: Person,
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "the suite says what it wants in the environment")]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("the URL of a server is missing"))?;
    let revision = std::env::var("MCP_CONFORMANCE_PROTOCOL_VERSION").unwrap_or_default();
    let told: Value = serde_json::from_str(&std::env::var("MCP_CONFORMANCE_CONTEXT").unwrap_or_default())
        .unwrap_or_default();
    // The suite gives arguments that its schemas do not allow, to see what becomes of them.
    let entry = json!({ "url": url, "prefix": "", "auth": login::auth(&url, &told).await?, "validateArguments": false });
    let file = json!({ "mcpServers": { "suite": entry } }).to_string();
    let none: [(&str, &str); 0] = [];
    let environment = Environment::new(none, std::env::current_dir()?);
    let loaded = config::parse(&file, FILE.as_ref(), &environment)?;
    let state = tempfile::tempdir()?;
    let person = Person::new(&loaded.config, state.path())?;
    let connector = Connector::default().with_logins(Logins::new(state.path(), FILE.as_ref()));
    let options = Options { connector: Arc::new(connector), ..Options::default() };
    let app = App::from_config(loaded.config, options);
    let gateway = app.gateway().clone();
    let session = gateway.open_session(Caller::Local);
    let (modern, next) = (revision == "2026-07-28", AtomicU64::new(1));
    let client = Client { gateway, session, modern, next, person };
    let used = client.use_everything(&told).await;
    client.gateway.close_session(&client.session, "done");
    app.close().await;
    used
}

impl Client {
    async fn use_everything(&self, told: &Value) -> anyhow::Result<()> {
        if self.modern {
            self.request("server/discover", json!({})).await?;
        } else {
            let client = json!({ "name": "conformance", "version": env!("CARGO_PKG_VERSION") });
            let params = json!({
                "protocolVersion": "2025-11-25", "capabilities": capabilities(), "clientInfo": client
            });
            self.request("initialize", params).await?;
            self.send(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        }
        let mut tools = self.request("tools/list", json!({})).await?;
        for _ in 0..LOGINS {
            let Some((why, starts)) = self.missing_login() else { break };
            self.person.log_in(&why).await?;
            self.noticed(starts).await?;
            tools = self.request("tools/list", json!({})).await?;
        }
        let tools = tools["tools"].as_array().cloned().unwrap_or_default();
        let calls: Vec<Value> = match told["toolCalls"].as_array() {
            Some(calls) => calls.clone(),
            None => tools.iter().map(|tool| call_of(tool, &tools)).collect(),
        };
        for call in calls {
            self.try_to("tools/call", call).await;
        }
        let prompts = self.request("prompts/list", json!({})).await?;
        for prompt in prompts["prompts"].as_array().into_iter().flatten() {
            self.try_to("prompts/get", json!({ "name": prompt["name"] })).await;
        }
        let resources = self.request("resources/list", json!({})).await?;
        for resource in resources["resources"].as_array().into_iter().flatten() {
            self.try_to("resources/read", json!({ "uri": resource["uri"] })).await;
        }
        Ok(())
    }

    /// Why the server has no lists, when that is for want of a login; and how often it was started.
    fn missing_login(&self) -> Option<(String, u64)> {
        let snapshot = self.gateway.snapshot();
        let status = snapshot.servers.values().next()?.status();
        Some((status.reason.filter(|_| status.needs_login)?, status.starts))
    }

    /// Waits until the gateway has tried the login; it was started `before` times without.
    async fn noticed(&self, before: u64) -> anyhow::Result<()> {
        let there = async {
            loop {
                let snapshot = self.gateway.snapshot();
                let Some(server) = snapshot.servers.values().next() else { return };
                let status = server.status();
                if status.starts > before && (server.lists().is_some() || status.needs_login) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(NOTICED, there).await.context("the login was not noticed")
    }

    /// An error is an answer like any other here.
    async fn try_to(&self, method: &str, params: Value) {
        if let Err(error) = self.request(method, params.clone()).await {
            eprintln!("{method} {params}: {error}");
        }
    }

    /// The result of a request; questions on the way are answered.
    async fn request(&self, method: &str, mut params: Value) -> anyhow::Result<Value> {
        if self.modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "conformance", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": capabilities(),
            });
        }
        let mut logins = 0;
        loop {
            let result = match self.ask(method, &params).await? {
                Ok(result) => result,
                Err(error) if error["data"]["authorization"] == "needed" && logins < LOGINS => {
                    logins += 1;
                    self.person.log_in(error["message"].as_str().unwrap_or_default()).await?;
                    continue;
                }
                Err(error) => anyhow::bail!("{error}"),
            };
            if result["resultType"] != "input_required" {
                return Ok(result);
            }
            let asked = result["inputRequests"].as_object().cloned().unwrap_or_default();
            let answers: Map<String, Value> =
                asked.iter().map(|(key, one)| (key.clone(), answer(one))).collect();
            params["inputResponses"] = Value::Object(answers);
            match result.get("requestState") {
                Some(state) => params["requestState"] = state.clone(),
                None => drop(params.as_object_mut().and_then(|params| params.remove("requestState"))),
            }
        }
    }

    /// The result, or the error.
    async fn ask(&self, method: &str, params: &Value) -> anyhow::Result<Result<Value, Value>> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sink, mut letters) = mailbox(QUEUE);
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        let request = message::parse(request.as_bytes(), DEPTH)?;
        self.gateway.accept(&self.session, &request, &Sink::Mail(sink));
        while let Some(letter) = letters.next().await {
            let said: Value = serde_json::from_slice(&letter.bytes)?;
            if said["method"].is_string() {
                if said.get("id").is_some() {
                    self.send(json!({ "jsonrpc": "2.0", "id": said["id"], "result": answer(&said) }));
                }
                continue;
            }
            return Ok(match said.get("error") {
                Some(error) => Err(error.clone()),
                None => Ok(said["result"].clone()),
            });
        }
        anyhow::bail!("no answer came")
    }

    /// A message that is not answered.
    fn send(&self, said: Value) {
        let (sink, _letters) = mailbox(QUEUE);
        match message::parse(said.to_string().as_bytes(), DEPTH) {
            Ok(message) => self.gateway.accept(&self.session, &message, &Sink::Mail(sink)),
            Err(why) => eprintln!("{said}: {why}"),
        }
    }
}

fn capabilities() -> Value {
    json!({ "elicitation": { "form": { "applyDefaults": true }, "url": {} }, "sampling": {}, "roots": {} })
}

/// What somebody answers who agrees to everything and fills in what a form suggests.
fn answer(question: &Value) -> Value {
    match question["method"].as_str() {
        Some("elicitation/create") => {
            let fields = question["params"]["requestedSchema"]["properties"].as_object().cloned();
            let fields = fields.unwrap_or_default();
            let content: Map<String, Value> =
                fields.iter().map(|(name, schema)| (name.clone(), value_for(schema))).collect();
            json!({ "action": "accept", "content": content })
        }
        Some("sampling/createMessage") => {
            let content = json!({ "type": "text", "text": "yes" });
            json!({ "role": "assistant", "content": content, "model": "none", "stopReason": "endTurn" })
        }
        _ => json!({ "roots": [] }),
    }
}

/// The call of a tool with something for each argument it has.
fn call_of(tool: &Value, all: &[Value]) -> Value {
    let properties = tool["inputSchema"]["properties"].as_object().cloned().unwrap_or_default();
    let arguments: Map<String, Value> = properties
        .iter()
        .map(|(name, schema)| {
            // A tool that wants a schema gets that of another tool, as it was listed.
            let other = all.iter().find(|other| other["name"] != tool["name"]);
            let schema_of_other =
                other.filter(|_| name == "schema").map(|other| other["inputSchema"].clone());
            (name.clone(), schema_of_other.unwrap_or_else(|| value_for(schema)))
        })
        .collect();
    json!({ "name": tool["name"], "arguments": arguments })
}

fn value_for(schema: &Value) -> Value {
    if let Some(default) = schema.get("default") {
        return default.clone();
    }
    match schema["type"].as_str() {
        Some("number" | "integer") => json!(3),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => schema["enum"].get(0).cloned().unwrap_or_else(|| json!("text")),
    }
}
