//! A folder with everything the five servers work on, a file that names them, and a way to each of them without the
//! gateway.
//!
//! It does not install them; see `install`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::processes;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// The servers in the order of the file, and how many tools each has for a client that can do everything.
pub const SERVERS: [(&str, usize); 5] =
    [("everything", 17), ("filesystem", 14), ("memory", 9), ("git", 12), ("time", 2)];

/// All that can be declared and relayed.
const CAPABILITIES: &str =
    r#"{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{"listChanged":true}}"#;

/// Where `install` put the packages.
#[expect(clippy::disallowed_methods, reason = "only who installed them knows where they are")]
pub fn installed() -> PathBuf {
    let folder = std::env::var("MCP_MANIFOLD_REAL").unwrap_or_default();
    let folder = PathBuf::from(folder);
    assert!(
        folder.join("installed").exists(),
        "set MCP_MANIFOLD_REAL to the folder given to tests/real/install"
    );
    folder
}

/// The folder of the packages from npm.
pub fn modules() -> PathBuf {
    installed().join("node/node_modules")
}

/// A Node that all of them run on.
pub fn node() -> PathBuf {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    modules().join(format!("node-linux-{arch}/bin/node"))
}

/// The five servers, their file and what they work on.
pub struct Bed {
    conf: Arc<TempConf>,
    config: Value,
}

impl Bed {
    /// A new folder; nothing runs yet.
    pub fn new() -> Self {
        let conf = TempConf::new();
        let dir = conf.dir();
        let files = dir.join("files");
        std::fs::create_dir_all(files.join("inner")).expect("the folder is writable");
        std::fs::write(files.join("a.txt"), "first\nsecond \u{2028}é \"quoted\"\n").expect("it is writable");
        std::fs::write(files.join("inner/b.txt"), "b").expect("it is writable");
        repository(&dir.join("repo"));
        let config = config(&conf);
        conf.write(&config);
        Self { conf, config }
    }

    /// The same with one more member in the entries of these servers.
    pub fn set(mut self, servers: &[&str], key: &str, value: &str) -> Self {
        for server in servers {
            self.config["mcpServers"][server][key] = json!(value);
        }
        self.conf.write(&self.config);
        self
    }

    /// A folder whose catalog is warm and where nothing runs.
    pub fn warm() -> Self {
        let bed = Self::new();
        let client = bed.gateway().stdio().legacy();
        let all: usize = SERVERS.iter().map(|(_, tools)| tools).sum();
        eventually("everything is listed", || client.request("tools/list", json!({})).tools().len() == all);
        client.close();
        assert_eq!(client.exit().code(), Some(0), "{}", client.stderr());
        eventually("the servers are gone", || bed.conf.processes().is_empty());
        bed
    }

    /// A gateway over all five.
    pub fn gateway(&self) -> Gateway {
        Gateway::on(&self.conf)
    }

    /// The folder.
    pub fn conf(&self) -> &Arc<TempConf> {
        &self.conf
    }

    /// A path inside the folder, as text.
    pub fn path(&self, inside: &str) -> String {
        self.conf.dir().join(inside).display().to_string()
    }

    /// What the memory server remembers is forgotten, so that the same calls have the same answers.
    pub fn forget(&self) {
        let _ = std::fs::remove_file(self.path("memory.jsonl"));
    }

    /// A legacy client of one server, without the gateway, that declares everything.
    pub fn direct(&self, server: &str) -> Direct {
        Direct::greet(self.alone(server))
    }

    /// A raw client of one server, without the gateway, that has said nothing yet.
    pub fn alone(&self, server: &str) -> StdioClient {
        let entry = &self.config["mcpServers"][server];
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let mut command = Command::new(text(&entry["command"]));
        command.args(entry["args"].as_array().expect("args are a list").iter().map(text));
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.conf.dir());
        let env = entry["env"].as_object().expect("there is a mark");
        command.envs(env.iter().map(|(name, value)| (name, text(value)))).current_dir(self.conf.dir());
        StdioClient::spawn(command, Some(Arc::clone(&self.conf) as Arc<dyn Send + Sync>))
    }
}

/// A server asked directly.
pub struct Direct {
    client: StdioClient,
}

impl Direct {
    fn greet(client: StdioClient) -> Self {
        let capabilities: Value = serde_json::from_str(CAPABILITIES).expect("a literal");
        let info = json!({ "name": "rig", "version": "1" });
        let params =
            json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": info });
        client.request("initialize", params).result();
        client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        Self { client }
    }

    /// The names of all tools, once there are as many as there must be.
    pub fn tools(&self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        eventually(&format!("{count} tools"), || {
            names = self.request("tools/list", &json!({})).tools();
            names.len() == count
        });
        names
    }

    /// Sends a request and waits for its answer; says that there are no roots when it is asked meanwhile.
    pub fn request(&self, method: &str, params: &Value) -> Message {
        let answer = self.client.request(method, params.clone());
        for question in self.client.notifications("roots/list") {
            let none = json!({ "jsonrpc": "2.0", "id": question.id(), "result": { "roots": [] } });
            self.client.send(&none.to_string());
        }
        answer
    }
}

/// The file. Paths are absolute: the gateway runs with an environment that holds nothing of the user's.
fn config(conf: &TempConf) -> Value {
    let script = |name: &str| modules().join(format!("@modelcontextprotocol/{name}/dist/index.js"));
    let inside = |name: &str| conf.dir().join(name);
    let python = |name: &str| installed().join("python/bin").join(name);
    let env = json!({ processes::MARK: conf.mark() });
    let mut memory = env.clone();
    memory["MEMORY_FILE_PATH"] = json!(inside("memory.jsonl"));
    json!({
        "mcpServers": {
            "everything": { "command": node(), "args": [script("server-everything"), "stdio"], "env": env },
            "filesystem": {
                "command": node(), "args": [script("server-filesystem"), inside("files")], "env": env
            },
            "memory": { "command": node(), "args": [script("server-memory")], "env": memory },
            "git": { "command": python("mcp-server-git"), "args": ["--repository", inside("repo")], "env": env },
            "time": { "command": python("mcp-server-time"), "args": ["--local-timezone", "UTC"], "env": env },
        },
        // Five cold starts at once on a busy machine take longer than a person would wait.
        "gateway": { "listTimeout": "60s" }
    })
}

/// A repository with one commit and one change.
fn repository(dir: &Path) {
    std::fs::create_dir(dir).expect("the folder is writable");
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.args(args).current_dir(dir).env("HOME", dir).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "rig").env(format!("GIT_{who}_EMAIL"), "rig@example.org");
        }
        let output = command.output().expect("git is installed");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "--quiet", "--initial-branch", "main"]);
    std::fs::write(dir.join("kept.txt"), "one\n").expect("it is writable");
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "first"]);
    std::fs::write(dir.join("kept.txt"), "one\ntwo\n").expect("it is writable");
    std::fs::write(dir.join("new.txt"), "new\n").expect("it is writable");
}
