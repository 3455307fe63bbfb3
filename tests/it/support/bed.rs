//! One client in front of servers of both eras, reached in every way there is.
//!
//! What is tried on it, and what is expected, is the business of the tests.

use crate::support::driver::Driver;
use crate::support::driver::Era;
use crate::support::driver::Transport;
use crate::support::gateway::Gateway;
use crate::support::tempconf::HttpFake;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

/// One of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name in the file.
    pub name: &'static str,
    /// Its era.
    pub era: Era,
    /// How the gateway reaches it.
    pub behind: Transport,
}

/// The servers of a bed.
pub const PEERS: [Peer; 7] = [
    Peer { name: "lp", era: Era::Legacy, behind: Transport::Stdio },
    Peer { name: "lw", era: Era::Legacy, behind: Transport::Http },
    Peer { name: "mp", era: Era::Modern, behind: Transport::Stdio },
    Peer { name: "mw", era: Era::Modern, behind: Transport::Http },
    Peer { name: "le", era: Era::Legacy, behind: Transport::Sse },
    Peer { name: "ls", era: Era::Legacy, behind: Transport::Ws },
    Peer { name: "ms", era: Era::Modern, behind: Transport::Ws },
];

/// The clients of all beds.
pub const CLIENTS: [(Era, Transport); 6] = [
    (Era::Legacy, Transport::Stdio),
    (Era::Legacy, Transport::Shared),
    (Era::Modern, Transport::Shared),
    (Era::Legacy, Transport::Http),
    (Era::Modern, Transport::Stdio),
    (Era::Modern, Transport::Http),
];

impl Peer {
    /// The exposed name of one of its tools or prompts.
    pub fn name_of(&self, own: &str) -> String {
        format!("{}__{own}", self.name)
    }
}

/// The client and the servers.
pub struct Bed {
    /// The client.
    pub driver: Driver,
    /// The folder of everything.
    pub conf: Arc<TempConf>,
    _webs: Vec<HttpFake>,
}

impl Bed {
    /// Starts all of it; `args` are more arguments of a server.
    pub fn start(
        client: (Era, Transport),
        capabilities: Value,
        args: impl Fn(&TempConf, &Peer) -> Vec<String>,
    ) -> Self {
        let conf = TempConf::new();
        let (mut entries, mut webs) = (json!({}), Vec::new());
        for peer in &PEERS {
            let mut all =
                vec!["--era".to_owned(), if peer.era == Era::Modern { "modern" } else { "legacy" }.into()];
            all.extend(args(&conf, peer));
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            entries[peer.name] = match peer.behind {
                Transport::Stdio | Transport::Shared => conf.fake(peer.name).args(&all).json(),
                Transport::Http => {
                    webs.push(conf.http_fake(peer.name, &all));
                    webs[webs.len() - 1].entry().json()
                }
                Transport::Sse => {
                    webs.push(conf.web_fake(peer.name, "--old-sse", &all));
                    webs[webs.len() - 1].entry_for("sse", "http", "/sse").json()
                }
                Transport::Ws => {
                    webs.push(conf.web_fake(peer.name, "--ws", &all));
                    webs[webs.len() - 1].entry_for("ws", "ws", "/mcp").json()
                }
            };
        }
        conf.write(&json!({ "mcpServers": entries }));
        let driver = Driver::start(Gateway::on(&conf), client.0, client.1, capabilities);
        driver.request("tools/list", json!({})).result();
        Self { driver, conf, _webs: webs }
    }

    /// Where the raw answers of a server stand.
    pub fn script(conf: &TempConf, peer: &Peer) -> PathBuf {
        conf.dir().join(format!("{}.script", peer.name))
    }

    /// A server answers these methods with these members from now on.
    pub fn play(conf: &TempConf, peer: &Peer, answers: &Value) {
        let file = Self::script(conf, peer);
        let aside = file.with_extension("new");
        std::fs::write(&aside, answers.to_string()).expect("the folder is writable");
        std::fs::rename(&aside, &file).expect("the file can be replaced");
    }
}
