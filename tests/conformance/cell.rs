//! One way from the suite to the server: directly or through a gateway, with the eras of both hops.
//!
//! It does not run the suite; see `suite.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::processes;
use crate::support::stdio_client::collect;
use crate::support::stdio_client::lock;
use crate::support::tempconf::TempConf;
use serde_json::json;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;

/// The requirements the suite has, and the era in which the server is to speak for them.
const LEGACY: Side = Side { revision: "2025-11-25", era: "legacy" };
const MODERN: Side = Side { revision: "2026-07-28", era: "modern" };

/// One era, by its revision and by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Side {
    revision: &'static str,
    era: &'static str,
}

/// What stands between the suite and the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Direct,
    Stdio,
    Http,
}

/// One way.
pub struct Cell {
    way: Way,
    client: Side,
    server: Side,
}

impl Cell {
    /// All ways, or those asked for.
    #[expect(clippy::disallowed_methods, reason = "who runs a part of it says so in the environment")]
    pub fn wanted() -> Vec<Self> {
        let words = std::env::var("MCP_MANIFOLD_CONFORMANCE_CELLS").unwrap_or_default();
        let mut cells = Vec::new();
        for side in [LEGACY, MODERN] {
            cells.push(Self { way: Way::Direct, client: side, server: side });
        }
        for way in [Way::Stdio, Way::Http] {
            for (client, server) in [(LEGACY, LEGACY), (MODERN, MODERN), (LEGACY, MODERN), (MODERN, LEGACY)] {
                cells.push(Self { way, client, server });
            }
        }
        cells.retain(|cell| words.split(',').any(|word| cell.name().contains(word)));
        cells
    }

    /// What it is called in the baseline.
    pub fn name(&self) -> String {
        let way = match self.way {
            Way::Direct => "direct",
            Way::Stdio => "stdio",
            Way::Http => "http",
        };
        let year = |side: Side| &side.revision[..4];
        match self.client == self.server {
            true => format!("{way}-{}", year(self.client)),
            false => format!("{way}-{}-to-{}", year(self.client), year(self.server)),
        }
    }

    /// The requirements the suite is to test.
    pub fn revision(&self) -> &'static str {
        self.client.revision
    }

    /// Starts the server, and the gateway if there is one.
    pub fn start(&self) -> Running {
        let conf = TempConf::new();
        if self.way == Way::Direct {
            let server = Server::start(&conf, self.server.era);
            return Running { server: Some(server), gateway: None, _conf: conf };
        }
        let server = (self.way == Way::Http).then(|| Server::start(&conf, self.server.era));
        let mut entry = match &server {
            Some(server) => json!({ "url": server.url() }),
            None => json!({
                "command": program(),
                "args": ["--era", self.server.era],
                "env": { processes::MARK: conf.mark() }
            }),
        };
        entry["prefix"] = json!("");
        entry["era"] = json!(self.server.era);
        conf.write(&json!({ "mcpServers": { "conformance": entry } }));
        let gateway = Gateway::on(&conf).args(&["--log-level", "debug"]).http();
        Running { server, gateway: Some(gateway), _conf: conf }
    }
}

/// The gateway as a client of the suite's servers: what it is called in the baseline, and the revision.
#[expect(clippy::disallowed_methods, reason = "who runs a part of it says so in the environment")]
pub fn wanted_clients() -> Vec<(&'static str, &'static str)> {
    let words = std::env::var("MCP_MANIFOLD_CONFORMANCE_CELLS").unwrap_or_default();
    let mut all = vec![("client-2025", LEGACY.revision), ("client-2026", MODERN.revision)];
    all.retain(|(name, _)| words.split(',').any(|word| name.contains(word)));
    all
}

/// The program with that gateway.
pub fn client() -> PathBuf {
    example("conformance_client")
}

/// The processes of a way, which end with it.
pub struct Running {
    server: Option<Server>,
    gateway: Option<HttpGateway>,
    /// Everything started from it ends with it.
    _conf: Arc<TempConf>,
}

impl Running {
    /// Where the suite is to connect.
    pub fn url(&self) -> String {
        match (&self.gateway, &self.server) {
            (Some(gateway), _) => format!("http://{}/mcp", gateway.addr()),
            (None, Some(server)) => server.url(),
            (None, None) => unreachable!("one of them is always started"),
        }
    }

    /// Writes what the gateway logged beside what the suite saw.
    pub fn save_log(&self, folder: &Path) {
        let text = self.gateway.as_ref().map(HttpGateway::stderr).unwrap_or_default();
        std::fs::write(folder.join("gateway.log"), text).expect("the folder of results is writable");
    }
}

/// The example, serving HTTP.
struct Server {
    child: Child,
    stderr: Arc<Mutex<String>>,
}

impl Server {
    fn start(conf: &TempConf, era: &str) -> Self {
        let mut command = Command::new(program());
        command.args(["--http", "127.0.0.1:0", "--era", era]).env(processes::MARK, conf.mark());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        let server = Self { child, stderr };
        eventually("the server listens", || server.announced().is_some());
        server
    }

    fn url(&self) -> String {
        self.announced().expect("it listens")
    }

    fn announced(&self) -> Option<String> {
        let stderr = lock(&self.stderr);
        let (line, _) = stderr.split_once("listening at ")?.1.split_once('\n')?;
        Some(line.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> PathBuf {
    example("conformance_server")
}

/// An example, which cargo builds beside the binary under test.
fn example(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_mcp-manifold")).with_file_name("examples").join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --example {name}`", path.display());
    path
}
