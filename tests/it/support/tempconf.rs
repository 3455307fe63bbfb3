//! A folder of its own for one test: the file under test, the cache, the ledger of the fake servers.
//!
//! It does not start gateways; see `gateway.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::processes;
use crate::support::stdio_client::StdioClient;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use tempfile::TempDir;

/// The folder. Everything started in it dies with it.
pub struct TempConf {
    dir: TempDir,
}

impl TempConf {
    /// An empty folder.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            dir: tempfile::Builder::new().prefix("mcpm-").tempdir().expect("a temporary folder"),
        })
    }

    /// A folder whose file has these servers.
    pub fn with(build: impl FnOnce(&Self) -> Value) -> Arc<Self> {
        let conf = Self::new();
        conf.write(&build(&conf));
        conf
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The configuration file.
    pub fn file(&self) -> PathBuf {
        self.dir().join("mcp.json")
    }

    /// The folder of the saved catalog.
    pub fn cache(&self) -> PathBuf {
        self.dir().join("cache")
    }

    /// Where clients of this folder meet their shared gateway.
    pub fn runtime(&self) -> PathBuf {
        self.dir().join("run")
    }

    /// What marks every server started from here.
    pub fn mark(&self) -> String {
        self.dir().display().to_string()
    }

    /// Starts a gateway here over stdio, with a legacy client that has listed the tools.
    pub fn legacy(self: &Arc<Self>) -> StdioClient {
        let client = Gateway::on(self).stdio().legacy();
        client.request("tools/list", json!({})).result();
        client
    }

    /// Starts a gateway here over stdio, with a modern client that has listed the tools.
    pub fn modern(self: &Arc<Self>) -> StdioClient {
        let client = Gateway::on(self).stdio().modern();
        client.request("tools/list", json!({})).result();
        client
    }

    /// Ids of all processes started from here.
    pub fn processes(&self) -> Vec<u32> {
        processes::marked(&self.mark())
    }

    /// Replaces the file by renaming over it.
    pub fn write(&self, config: &Value) {
        self.write_text(&format!("{config:#}\n"));
    }

    /// Replaces the file by renaming over it.
    pub fn write_text(&self, text: &str) {
        let aside = self.dir().join("mcp.json.new");
        std::fs::write(&aside, text).expect("the folder is writable");
        std::fs::rename(&aside, self.file()).expect("the file can be replaced");
    }

    /// An entry that starts the fake server over stdio.
    pub fn fake(&self, name: &str) -> Fake {
        let ledger = self.ledger_file().display().to_string();
        let args = ["--name", name, "--ledger", &ledger].map(str::to_owned).to_vec();
        let mut entry = json!({ "command": fake_mcp(), "env": { processes::MARK: self.mark() } });
        entry["args"] = json!(args);
        Fake { entry }
    }

    /// Starts the fake server over HTTP.
    pub fn http_fake(&self, name: &str, args: &[&str]) -> HttpFake {
        self.web_fake(name, "--http", args)
    }

    /// Starts the fake server with a port of its own; `how` is `--http`, `--old-sse` or `--ws`.
    pub fn web_fake(&self, name: &str, how: &str, args: &[&str]) -> HttpFake {
        let port_file = self.dir().join(format!("{name}.port"));
        let _ = std::fs::remove_file(&port_file);
        let mut command = Command::new(fake_mcp());
        command.args(["--name", name, how, "127.0.0.1:0", "--port-file"]).arg(&port_file);
        command.arg("--ledger").arg(self.ledger_file()).args(args).env(processes::MARK, self.mark());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("the fake server starts");
        let fake = HttpFake { child, port_file };
        eventually("the fake server listens", || fake.port().is_some());
        fake
    }

    /// The lines of the ledger that begin with these words; `*` stands for the pid.
    pub fn ledger(&self, what: &str, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.ledger_file()).unwrap_or_default();
        let lines = text.lines().map(str::to_owned);
        lines
            .filter(|line| {
                let mut words = line.split(' ');
                words.next() == Some(what) && words.nth(1) == Some(name)
            })
            .collect()
    }

    /// How often a server was started.
    pub fn spawns(&self, name: &str) -> usize {
        self.ledger("spawn", name).len()
    }

    /// All lines of the ledger.
    pub fn ledger_lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.ledger_file()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn ledger_file(&self) -> PathBuf {
        self.dir().join("ledger")
    }
}

impl Drop for TempConf {
    fn drop(&mut self) {
        for pid in self.processes() {
            processes::signal(pid, Signal::KILL);
        }
    }
}

/// An entry of the file under construction.
#[derive(Clone)]
pub struct Fake {
    entry: Value,
}

impl Fake {
    /// More arguments for the fake server.
    pub fn args(mut self, more: &[&str]) -> Self {
        self.entry["args"].as_array_mut().expect("args are a list").extend(more.iter().map(|arg| json!(arg)));
        self
    }

    /// A server of the modern era.
    pub fn modern(self) -> Self {
        self.args(&["--era", "modern"])
    }

    /// A server that offers only these tools.
    pub fn tools(self, names: &[&str]) -> Self {
        names.iter().fold(self, |entry, name| entry.args(&["--tool", name]))
    }

    /// Another member of the entry.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.entry[key] = value.into();
        self
    }

    /// The entry.
    pub fn json(self) -> Value {
        self.entry
    }
}

impl From<Fake> for Value {
    fn from(fake: Fake) -> Self {
        fake.entry
    }
}

/// A configuration with these entries.
pub fn servers<const N: usize>(entries: [(&str, Fake); N]) -> Value {
    let entries: serde_json::Map<String, Value> =
        entries.into_iter().map(|(name, fake)| (name.to_owned(), fake.json())).collect();
    json!({ "mcpServers": entries })
}

/// A running fake server with an HTTP endpoint.
pub struct HttpFake {
    child: Child,
    port_file: PathBuf,
}

impl HttpFake {
    /// Its endpoint.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port().expect("it listens"))
    }

    /// An entry of this type, which the entry does not say when it is empty, for a path of it.
    pub fn entry_for(&self, kind: &str, scheme: &str, path: &str) -> Fake {
        let port = self.port().expect("it listens");
        let mut entry = json!({ "url": format!("{scheme}://127.0.0.1:{port}{path}") });
        if !kind.is_empty() {
            entry["type"] = json!(kind);
        }
        Fake { entry }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An entry that connects to it.
    pub fn entry(&self) -> Fake {
        Fake { entry: json!({ "type": "http", "url": self.url() }) }
    }

    fn port(&self) -> Option<u16> {
        std::fs::read_to_string(&self.port_file).ok()?.parse().ok()
    }
}

impl Drop for HttpFake {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The fake server, which cargo builds beside the binary under test.
pub fn fake_mcp() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_mcp-manifold")).with_file_name("examples").join("fake-mcp");
    assert!(path.exists(), "{} is missing: run `cargo build --example fake-mcp`", path.display());
    path
}
