//! Any rules, any caller and any request, in every revision and by every way in that needs no socket: what comes of it is
//! what the model of the rules says, whatever the name by which something is asked for.
//!
//! The model is that of `src/policy/tests.rs`. Which thing a name means is decided here from what the documents say. Real
//! transports are in `tests/it/policy`.

#[path = "../../src/policy/tests/model.rs"]
mod model;

use crate::dice::Dice;
use mcp_manifold::App;
use mcp_manifold::app::Options;
use mcp_manifold::auth::caller::Caller;
use mcp_manifold::auth::caller::Identity;
use mcp_manifold::config;
use mcp_manifold::config::environment::Environment;
use mcp_manifold::config::model::Settings;
use mcp_manifold::config::model::access::Access;
use mcp_manifold::config::model::access::AgentRules;
use mcp_manifold::config::model::access::AgentSet;
use mcp_manifold::config::model::access::AgentTerms;
use mcp_manifold::config::model::access::Attachment;
use mcp_manifold::config::model::access::Level;
use mcp_manifold::config::model::access::ObjectKind;
use mcp_manifold::config::model::access::PolicyTerms;
use mcp_manifold::config::model::access::RuleTerms;
use mcp_manifold::config::model::access::Whom;
use mcp_manifold::downstream::connect::BoxFuture;
use mcp_manifold::downstream::connect::Connect;
use mcp_manifold::downstream::connect::Connection;
use mcp_manifold::downstream::connect::Order;
use mcp_manifold::downstream::error::StartError;
use mcp_manifold::downstream::stdio;
use mcp_manifold::front::program::Program;
use mcp_manifold::front::program::RequestError;
use mcp_manifold::gateway::Gateway;
use mcp_manifold::gateway::session::Session;
use mcp_manifold::policy::object::Object;
use mcp_manifold::policy::subject::Subject;
use mcp_manifold::wire::mailbox::Kind;
use mcp_manifold::wire::mailbox::mailbox;
use mcp_manifold::wire::message;
use mcp_manifold::wire::sink::Sink;
use model::reference;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::io::DuplexStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// Requests under the same rules.
pub const REQUESTS: u64 = 20;
/// With a prefix, without one, and with names that are too long; of both eras.
const CONFIG: &str = r#"{"mcpServers": {
    "a": { "command": "a" },
    "ab": { "command": "ab", "prefix": "", "era": "modern" },
    "b": { "command": "b", "prefix": "a-prefix-with-which-names-are-longer-than-they-may-be" }
}}"#;
const VERSIONS: [&str; 5] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
/// The server whose tools have a view of MCP Apps, which calls them by their own names.
const APP: &str = "b";
const MODERN: &str = "ab";
const ONLY_OF_THE_APP: &str = "zed";
/// The gateway's own tools, which only admins see.
const OWN: &str = "manifold";
const OWN_TOOLS: [&str; 2] = ["restart", "status"];
/// So deep may messages be.
const DEPTH: usize = 64;

thread_local! {
    static NAMES: Names = Names::learn();
}

/// What clients call things that have no rules.
struct Names {
    tools: BTreeMap<String, (String, String)>,
    prompts: BTreeMap<String, (String, String)>,
}

/// Connects every entry to a server that says who it is and what it was asked for.
#[derive(Default)]
struct Peers {
    running: Mutex<JoinSet<()>>,
    used: Arc<AtomicUsize>,
}

impl Connect for Peers {
    fn connect(&self, order: Order) -> BoxFuture<'static, Result<Connection, StartError>> {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let name = order.server.name.to_string();
        self.running.lock().expect("nobody panics").spawn(serve(theirs, name, Arc::clone(&self.used)));
        Box::pin(async move {
            let (reader, writer) = tokio::io::split(ours);
            stdio::open(&order, reader, writer, None).await
        })
    }
}

async fn serve(stream: DuplexStream, server: String, used: Arc<AtomicUsize>) {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        let Some(id) = message.get("id") else { continue };
        let mut result = replied(&server, &message, &used);
        result["resultType"] = json!("complete");
        let text = json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string() + "\n";
        if writer.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn replied(server: &str, message: &Value, used: &AtomicUsize) -> Value {
    let params = &message["params"];
    let said = |of: &Value| {
        used.fetch_add(1, Ordering::Relaxed);
        format!("{server}/{}", of.as_str().unwrap_or_default())
    };
    let capabilities =
        json!({ "tools": {}, "prompts": {}, "resources": { "subscribe": true }, "completions": {} });
    let info = json!({ "name": server, "version": "1" });
    let cache = |mut list: Value| {
        list["ttlMs"] = json!(0);
        list["cacheScope"] = json!("public");
        list
    };
    match message["method"].as_str().unwrap_or_default() {
        "initialize" => {
            json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": info })
        }
        "server/discover" => cache(
            json!({ "supportedVersions": ["2026-07-28"], "capabilities": capabilities, "serverInfo": info }),
        ),
        "tools/list" => {
            let mut own = model::NAMES.to_vec();
            own.extend((server == APP).then_some(ONLY_OF_THE_APP));
            let tool = |name| {
                let mut tool = json!({ "name": name, "inputSchema": { "type": "object" } });
                if server == APP {
                    tool["_meta"] = json!({ "ui": { "resourceUri": "ui://b/view" } });
                }
                tool
            };
            cache(json!({ "tools": own.into_iter().map(tool).collect::<Vec<_>>() }))
        }
        "prompts/list" => cache(json!({ "prompts": [{ "name": "x" }, { "name": "y" }] })),
        "resources/list" => {
            cache(json!({ "resources": listed(server).map(|uri| json!({ "name": "r", "uri": uri })) }))
        }
        "resources/templates/list" => cache(json!({ "resourceTemplates": [] })),
        "tools/call" => json!({ "content": [{ "type": "text", "text": said(&params["name"]) }] }),
        "prompts/get" => {
            let content = json!({ "type": "text", "text": said(&params["name"]) });
            json!({ "messages": [{ "role": "user", "content": content }] })
        }
        "resources/read" => {
            json!({ "contents": [{ "uri": params["uri"], "text": said(&params["uri"]) }] })
        }
        "completion/complete" => json!({ "completion": { "values": [said(&params["ref"]["name"])] } }),
        _ => json!({}),
    }
}

/// Each server has a scheme of its own.
fn listed(server: &str) -> [String; 2] {
    [format!("x{server}:r"), format!("x{server}:y")]
}

fn app(settings: Settings) -> (App, Arc<AtomicUsize>) {
    let environment = Environment::new([("A", "1")], "/");
    let mut config =
        config::parse(CONFIG, "mcp.json".as_ref(), &environment).expect("a configuration").config;
    (config.settings.access, config.settings.rules) = (settings.access, settings.rules);
    let peers = Arc::new(Peers::default());
    let used = Arc::clone(&peers.used);
    (App::from_config(config, Options { cache: None, connector: peers }), used)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(future)
}

impl Names {
    /// From what a client sees without rules: each thing says whose it is.
    fn learn() -> Self {
        block_on(async {
            let (app, _) = app(Settings::default());
            app.gateway().settle().await;
            let client = Way::Legacy(VERSIONS[3]);
            let mut names = Self { tools: BTreeMap::new(), prompts: BTreeMap::new() };
            for (kind, list, get) in
                [("tools", "tools/list", "tools/call"), ("prompts", "prompts/list", "prompts/get")]
            {
                let answer = client.ask(app.gateway(), &Caller::Local, list, json!({})).await;
                for item in answer["result"][kind].as_array().expect("a list") {
                    let name = item["name"].as_str().expect("a name");
                    let params = json!({ "name": name, "arguments": {} });
                    let said = client.ask(app.gateway(), &Caller::Local, get, params).await;
                    let of =
                        text_of(&said).and_then(|text| text.split_once('/')).expect("it says what it is");
                    let of = (of.0.to_owned(), of.1.to_owned());
                    if kind == "tools" {
                        names.tools.insert(name.to_owned(), of)
                    } else {
                        names.prompts.insert(name.to_owned(), of)
                    };
                }
            }
            app.close().await;
            assert_eq!((names.tools.len(), names.prompts.len()), (13, 6), "{:?}", names.tools);
            names
        })
    }

    /// What a tool of this name is for somebody who sees these. A view's name that several have is nobody's.
    fn tool(&self, name: &str, sees: impl Fn(&(String, String)) -> bool) -> Option<(String, String)> {
        let exposed = self.tools.get(name);
        let of_view = (APP.to_owned(), name.to_owned());
        let of_view = self.tools.values().find(|of| **of == of_view);
        let all = [exposed, of_view.filter(|of| Some(*of) != exposed)];
        let seen: Vec<_> = all.into_iter().flatten().filter(|of| sees(of)).collect();
        // Of several the one that clients see under this very name.
        seen.first().map(|of| (*of).clone())
    }
}

/// How a request gets in.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// A session of this revision, with its handshake.
    Legacy(&'static str),
    /// The same, in a batch.
    Batch,
    /// A request that stands for itself.
    Modern,
    /// The same, on a connection that lasts.
    ModernOnALine,
    /// A program that embeds the gateway.
    Program,
}

impl Way {
    fn any(dice: &mut Dice) -> Self {
        match VERSIONS[dice.below(5)] {
            "2026-07-28" if dice.once_in(2) => Self::ModernOnALine,
            "2026-07-28" => Self::Modern,
            "2025-03-26" if dice.once_in(2) => Self::Batch,
            "2025-11-25" if dice.once_in(2) => Self::Program,
            version => Self::Legacy(version),
        }
    }

    /// The answer to one request.
    async fn ask(self, gateway: &Gateway, caller: &Caller, method: &str, mut params: Value) -> Value {
        if matches!(self, Self::Program) {
            let program = Program::new(gateway.clone(), caller.clone());
            return match program.request(method, &params.to_string()).await {
                Ok(raw) => json!({ "result": serde_json::from_str::<Value>(raw.get()).expect("JSON") }),
                Err(RequestError::Answered { raw, .. }) => {
                    json!({ "error": serde_json::from_str::<Value>(&raw).expect("JSON") })
                }
                Err(why) => panic!("no answer: {why}"),
            };
        }
        let session = match self {
            Self::Modern => gateway.lone_session(caller.clone()),
            _ => gateway.open_session(caller.clone()),
        };
        match self {
            Self::Modern | Self::ModernOnALine => {
                params["_meta"] = json!({
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                });
            }
            Self::Legacy(version) => greet(gateway, &session, version).await,
            Self::Batch | Self::Program => greet(gateway, &session, "2025-03-26").await,
        }
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let answer = if matches!(self, Self::Batch) {
            let batch = format!("[{request}]");
            let all = exchange(gateway, &session, &batch).await;
            all[0].clone()
        } else {
            exchange(gateway, &session, &request).await
        };
        gateway.close_session(&session, "it is done");
        answer
    }
}

async fn greet(gateway: &Gateway, session: &Arc<Session>, version: &str) {
    let info = json!({ "name": "rig", "version": "1" });
    let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": info });
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }).to_string();
    let answer = exchange(gateway, session, &hello).await;
    assert_eq!(answer["result"]["protocolVersion"], version);
}

/// Sends a text, and waits for the one answer.
async fn exchange(gateway: &Gateway, session: &Arc<Session>, text: &str) -> Value {
    let (mailbox, mut letters) = mailbox(1 << 20);
    let sink = Sink::Mail(mailbox);
    if text.starts_with('[') {
        gateway.accept_batch(session, text.as_bytes(), DEPTH, &sink).expect("a batch");
    } else {
        gateway.accept(session, &message::parse(text.as_bytes(), DEPTH).expect("a message"), &sink);
    }
    drop(sink);
    while let Some(letter) = letters.next().await {
        if letter.kind != Kind::Notice {
            return serde_json::from_slice(&letter.bytes).expect("an answer is JSON");
        }
    }
    panic!("no answer to {text}")
}

/// What the server said that was asked, wherever it stands.
fn text_of(answer: &Value) -> Option<&str> {
    let result = &answer["result"];
    ["/content/0/text", "/messages/0/content/text", "/contents/0/text", "/completion/values/0"]
        .iter()
        .find_map(|place| result.pointer(place)?.as_str())
}

/// One set of rules, and some requests of some callers.
pub fn case(dice: &mut Dice) {
    // They are learnt in a runtime of their own.
    NAMES.with(|_| ());
    let mut rules = model::Dice(dice.any());
    let settings = model::settings(&mut rules);
    block_on(async {
        let (app, used) = app(Settings {
            access: settings.access.clone(),
            rules: settings.rules.clone(),
            ..Settings::default()
        });
        app.gateway().settle().await;
        for _ in 0..REQUESTS {
            let subject = model::subject(&mut rules);
            let one = One { gateway: app.gateway(), settings: &settings, subject, way: Way::any(dice) };
            NAMES.with(|names| Wish::any(names, dice)).check(&one, &used).await;
        }
        app.close().await;
    });
}

/// Who asks, by which way, under which rules.
struct One<'a> {
    gateway: &'a Gateway,
    settings: &'a Settings,
    subject: Subject,
    way: Way,
}

impl One<'_> {
    fn level(&self, kind: ObjectKind, of: &(String, String)) -> Level {
        if self.settings.access.is_none() && self.settings.rules.is_none() {
            return Level::Execute;
        }
        reference::level(self.settings, &self.subject, &Object { kind, server: &of.0, name: &of.1 })
    }

    fn sees(&self, kind: ObjectKind, of: &(String, String)) -> bool {
        self.level(kind, of) >= Level::Read
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        let Subject { name, principal, team, organisation, agent, claims } = self.subject.clone();
        let identity = Identity { team, organisation, agent, claims, ..Identity::new(principal, name) };
        self.way.ask(self.gateway, &Caller::from(identity), method, params).await
    }
}

/// A request.
enum Wish {
    List(&'static str, &'static str, &'static str),
    Call(String),
    Prompt(String),
    Complete(String),
    Read(String),
    Subscribe(String),
}

impl Wish {
    fn any(names: &Names, dice: &mut Dice) -> Self {
        let own = [model::NAMES.as_slice(), &[ONLY_OF_THE_APP, "never"]].concat();
        let tools: Vec<&str> = names.tools.keys().map(String::as_str).chain(own).collect();
        let prompts: Vec<&str> = names.prompts.keys().map(String::as_str).chain(["xy", "never"]).collect();
        let mut uris: Vec<String> = model::SERVERS.iter().flat_map(|server| listed(server)).collect();
        uris.extend(["xa:other", "xb:other", "never:r"].map(str::to_owned));
        match dice.below(9) {
            0 => Self::List("tools/list", "tools", "name"),
            1 => Self::List("prompts/list", "prompts", "name"),
            2 => Self::List("resources/list", "resources", "uri"),
            3 => Self::Prompt((*dice.pick(&prompts)).to_owned()),
            4 => Self::Complete((*dice.pick(&prompts)).to_owned()),
            5 => Self::Read(dice.pick(&uris).clone()),
            6 => Self::Subscribe(dice.pick(&uris).clone()),
            _ => Self::Call((*dice.pick(&tools)).to_owned()),
        }
    }

    async fn check(self, one: &One<'_>, used: &AtomicUsize) {
        let before = used.load(Ordering::Relaxed);
        let calls = || used.load(Ordering::Relaxed) - before;
        match self {
            Self::List(method, member, key) => {
                let answer = one.ask(method, json!({})).await;
                let listed =
                    answer["result"][member].as_array().unwrap_or_else(|| panic!("no list: {answer}"));
                let listed: Vec<&str> = listed.iter().filter_map(|item| item[key].as_str()).collect();
                assert_eq!(listed, expected(one, member), "{method}: {}", told(one));
                assert_eq!(calls(), 0);
            }
            Self::Call(name) => {
                let of = NAMES.with(|names| names.tool(&name, |of| one.sees(ObjectKind::Tool, of)));
                let answer = one.ask("tools/call", json!({ "name": name, "arguments": {} })).await;
                decided(one, ObjectKind::Tool, &name, of, &answer, calls());
            }
            Self::Prompt(name) => {
                let of = NAMES.with(|names| names.prompts.get(&name).cloned());
                let answer = one.ask("prompts/get", json!({ "name": name })).await;
                decided(one, ObjectKind::Prompt, &name, of, &answer, calls());
            }
            Self::Complete(name) => {
                let of = NAMES.with(|names| names.prompts.get(&name).cloned());
                let reference = json!({ "type": "ref/prompt", "name": name });
                let params = json!({ "ref": reference, "argument": { "name": "n", "value": "" } });
                let answer = one.ask("completion/complete", params).await;
                decided(one, ObjectKind::Prompt, &name, of, &answer, calls());
            }
            Self::Read(uri) => {
                let answer = one.ask("resources/read", json!({ "uri": uri })).await;
                decided_about(one, &uri, &answer, calls());
            }
            Self::Subscribe(uri) => {
                // There is no such request in the modern era, and the server of that era tells of nothing.
                let is_modern = matches!(one.way, Way::Modern | Way::ModernOnALine);
                if !is_modern && !uri.starts_with(&format!("x{MODERN}:")) {
                    let answer = one.ask("resources/subscribe", json!({ "uri": uri })).await;
                    assert_eq!(calls(), 0);
                    subscribed(one, &uri, &answer);
                }
            }
        }
    }
}

/// The server with the scheme of `uri`.
fn owner(uri: &str) -> Option<(String, String)> {
    let scheme = uri.split(':').next()?;
    let server = model::SERVERS.iter().find(|server| scheme == format!("x{server}"))?;
    Some(((*server).to_owned(), uri.to_owned()))
}

/// What is read is what the server with the scheme has, where it may be; where nothing of it may be seen, another may have it.
fn decided_about(one: &One<'_>, uri: &str, answer: &Value, calls: usize) {
    let level = |of: &(String, String)| one.level(ObjectKind::Resource, of);
    let own = owner(uri).map_or(Level::Deny, |of| level(&of));
    let what = || format!("`{uri}`: {own:?}, {answer}\n{}", told(one));
    let Some(said) = text_of(answer) else {
        assert!(own < Level::Execute && calls == 0, "{}", what());
        let may_be_listed = answer.to_string().contains("may be listed but not used");
        assert!(own != Level::Read || may_be_listed, "{}", what());
        return;
    };
    let (server, asked) = said.split_once('/').expect("it says what it is");
    let is_own = owner(uri).is_some_and(|(own, _)| own == server);
    assert!(asked == uri && calls == 1, "{}", what());
    assert!(level(&(server.to_owned(), uri.to_owned())) >= Level::Execute, "{}", what());
    assert!(is_own || own == Level::Deny, "{}", what());
}

fn subscribed(one: &One<'_>, uri: &str, answer: &Value) {
    let level = |server: &str| one.level(ObjectKind::Resource, &(server.to_owned(), uri.to_owned()));
    let own = owner(uri).map_or(Level::Deny, |(server, _)| level(&server));
    let what = || format!("`{uri}`: {own:?}, {answer}\n{}", told(one));
    let is_taken = answer.get("result").is_some();
    assert!(own < Level::Execute || is_taken, "{}", what());
    assert!(own != Level::Read || !is_taken, "{}", what());
    assert!(!is_taken || model::SERVERS.iter().any(|server| level(server) >= Level::Execute), "{}", what());
}

fn expected(one: &One<'_>, member: &str) -> Vec<String> {
    let named = |all: &BTreeMap<String, (String, String)>, kind| {
        all.iter().filter(|(_, of)| one.sees(kind, of)).map(|(name, _)| name.clone()).collect()
    };
    match member {
        "tools" => {
            let mut seen: Vec<String> = NAMES.with(|names| named(&names.tools, ObjectKind::Tool));
            let own = OWN_TOOLS.iter().map(|name| (OWN.to_owned(), (*name).to_owned()));
            let own = own.filter(|of| one.level(ObjectKind::Tool, of) == Level::Admin);
            seen.extend(own.map(|(server, name)| format!("{server}__{name}")));
            seen.sort();
            seen
        }
        "prompts" => NAMES.with(|names| named(&names.prompts, ObjectKind::Prompt)),
        _ => {
            let of = |server: &&str| listed(server).map(|uri| ((*server).to_owned(), uri));
            let all = model::SERVERS.iter().flat_map(of);
            let mut seen: Vec<String> =
                all.filter(|of| one.sees(ObjectKind::Resource, of)).map(|(_, uri)| uri).collect();
            seen.sort();
            seen
        }
    }
}

/// The answer is what the level of `of` makes it.
fn decided(
    one: &One<'_>,
    kind: ObjectKind,
    name: &str,
    of: Option<(String, String)>,
    answer: &Value,
    calls: usize,
) {
    let level = of.as_ref().map_or(Level::Deny, |of| one.level(kind, of));
    let what = || format!("{kind:?} `{name}` is {of:?}: {level:?}, {answer}\n{}", told(one));
    if level >= Level::Execute {
        let (server, own) = of.as_ref().expect("it has a level");
        assert_eq!(text_of(answer), Some(&*format!("{server}/{own}")), "{}", what());
        assert_eq!(calls, 1, "{}", what());
        return;
    }
    assert_eq!(calls, 0, "{}", what());
    let error = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("no error: {}", what()));
    let may_be_listed = error.contains("may be listed but not used");
    assert_eq!(may_be_listed, level == Level::Read, "{}", what());
    if level == Level::Deny {
        // It names nothing but what was asked for, and perhaps something that the caller sees.
        let named: Vec<&str> = error.split('`').skip(1).step_by(2).collect();
        let fine =
            |one_of: &&&str| **one_of == name || seen_names(one, kind).iter().any(|seen| seen == **one_of);
        let strange: Vec<_> = named.iter().filter(|named| !fine(named)).collect();
        assert!(strange.is_empty(), "{strange:?}: {}", what());
    }
}

/// What an error may suggest.
fn seen_names(one: &One<'_>, kind: ObjectKind) -> Vec<String> {
    match kind {
        ObjectKind::Tool => expected(one, "tools"),
        ObjectKind::Prompt => expected(one, "prompts"),
        ObjectKind::Resource => Vec::new(),
    }
}

fn told(one: &One<'_>) -> String {
    format!("{:?}\n{:#?}\n{:#?}\n{:?}", one.way, one.settings.access, one.settings.rules, one.subject)
}
