//! One process for several clients: the library with real children, and clients with folders and variables of their own.
//!
//! How clients of other processes come to it is not its business.

use crate::support::eventually::patience;
use crate::support::message::Message;
use crate::support::processes::MARK;
use crate::support::tempconf::TempConf;
use mcp_manifold::App;
use mcp_manifold::app::Fronts;
use mcp_manifold::app::Options;
use mcp_manifold::config::environment::Environment;
use mcp_manifold::front::stdio;
use mcp_manifold::reload::views::View;
use mcp_manifold::reload::views::Views;
use serde_json::Value;
use serde_json::json;
use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::io::DuplexStream;
use tokio::io::WriteHalf;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The process.
pub struct Rig {
    pub views: Views,
    pub gateway: mcp_manifold::gateway::Gateway,
    shutdown: CancellationToken,
    running: JoinSet<()>,
}

/// A client of it.
pub struct Client {
    write: WriteHalf<DuplexStream>,
    heard: Arc<Mutex<Vec<Message>>>,
    pub misplaced: CancellationToken,
    tasks: JoinSet<()>,
    next: u64,
}

impl Rig {
    /// Started by somebody with these variables.
    pub async fn start(conf: &Arc<TempConf>, vars: &[(&str, &str)]) -> Self {
        let own = [("PATH", "/usr/bin"), ("CLAUDE_PROJECT_DIR", "/first")];
        let environment = Environment::new(own.iter().chain(vars).copied(), conf.dir()).for_everybody();
        let options = Options { cache: Some(conf.cache()), ..Options::default() };
        let app = App::from_file(&conf.file(), environment, options).await.expect("a configuration");
        let (gateway, views) = (app.gateway().clone(), app.views().expect("a file").clone());
        let (shutdown, mut running) = (CancellationToken::new(), JoinSet::new());
        running.spawn(app.run(Fronts::default(), shutdown.clone()));
        Self { views, gateway, shutdown, running }
    }

    /// A client with these variables, which has said hello.
    pub async fn client(&self, folder: &str, vars: &[(&str, &str)]) -> Client {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let view = self.views.of(folder.into(), vars).expect("a configuration");
        let mut client = Client::of(view);
        let info = json!({ "name": "rig", "version": "1" });
        let capabilities = json!({ "elicitation": {} });
        let hello =
            json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": info });
        client.request("initialize", hello).await.result();
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        client.request("tools/list", json!({})).await.result();
        client
    }

    /// The status as others read it.
    pub fn status(&self) -> Value {
        serde_json::to_value(self.gateway.status()).expect("JSON")
    }

    /// Ends it.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        soon("the end", async { while self.running.join_next().await.is_some() {} }).await;
    }
}

impl Client {
    fn of(view: View) -> Self {
        let (near, far) = tokio::io::duplex(1 << 20);
        let (read, write) = tokio::io::split(near);
        let (theirs_in, theirs_out) = tokio::io::split(far);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (misplaced, mut tasks) = (view.misplaced().clone(), JoinSet::new());
        let over = misplaced.clone();
        tasks.spawn(async move { stdio::run(view.gateway().clone(), theirs_in, theirs_out, over).await });
        let inbox = Arc::clone(&heard);
        tasks.spawn(async move {
            let mut lines = BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                inbox.lock().unwrap_or_else(PoisonError::into_inner).push(Message::new(line));
            }
        });
        Self { write, heard, misplaced, tasks, next: 0 }
    }

    pub async fn send(&mut self, message: &Value) {
        self.write.write_all(format!("{message}\n").as_bytes()).await.expect("it is read");
    }

    /// All messages so far.
    pub fn heard(&self) -> Vec<Message> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The notifications and questions of one method.
    pub fn told(&self, method: &str) -> Vec<Message> {
        self.heard().into_iter().filter(|message| message.method() == method).collect()
    }

    pub async fn begin(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = json!(self.next);
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        id
    }

    pub async fn answer(&self, id: &Value) -> Message {
        let mut found = None;
        eventually("an answer", || {
            found = self.heard().into_iter().find(|message| message.answers(id));
            found.is_some()
        })
        .await;
        found.expect("it was found")
    }

    pub async fn request(&mut self, method: &str, params: Value) -> Message {
        let id = self.begin(method, params).await;
        self.answer(&id).await
    }

    pub async fn begin_call(&mut self, tool: &str, arguments: Value) -> Value {
        self.begin("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    pub async fn call(&mut self, tool: &str, arguments: Value) -> Message {
        let id = self.begin_call(tool, arguments).await;
        self.answer(&id).await
    }

    /// The process that this client reaches under a name.
    pub async fn pid(&mut self, server: &str) -> u32 {
        let answer = self.call(&format!("{server}__pid"), json!({})).await;
        answer.text().parse().unwrap_or_else(|_| panic!("no pid: {}", answer.raw))
    }

    /// A variable of that process.
    pub async fn var(&mut self, server: &str, name: &str) -> Option<String> {
        let answer = self.call(&format!("{server}__env"), json!({})).await;
        let line = answer.text().lines().find(|line| line.starts_with(&format!("{name}=")));
        line.map(|line| line[name.len() + 1..].to_owned())
    }

    /// The servers whose tools it sees.
    pub async fn servers(&mut self) -> Vec<String> {
        let tools = self.request("tools/list", json!({})).await.tools();
        let pids = tools.iter().filter_map(|tool| tool.strip_suffix("__pid").map(str::to_owned));
        pids.collect()
    }

    /// Leaves.
    pub async fn leave(self) {
        let Self { mut write, mut tasks, .. } = self;
        let _ = write.shutdown().await;
        drop(write);
        soon("the end of a client", async { while tasks.join_next().await.is_some() {} }).await;
    }
}

/// Waits until `condition` holds.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let held = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(what, held).await;
}

async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(patience(), work).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// A file with a server `all` that everybody shares, and more entries with these variables.
pub fn file(conf: &TempConf, more: &[(&str, Value)]) {
    let mut entries = serde_json::Map::new();
    entries.insert("all".into(), conf.fake("all").set("sharing", "shared").json());
    for (name, env) in more {
        let mut vars = env.clone();
        vars[MARK] = json!(conf.mark());
        entries.insert((*name).into(), conf.fake(name).set("env", vars).json());
    }
    conf.write(&json!({ "mcpServers": entries }));
}

/// A folder with such a file.
pub fn conf(more: &[(&str, Value)]) -> Arc<TempConf> {
    let conf = TempConf::new();
    file(&conf, more);
    conf
}
