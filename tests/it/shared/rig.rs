//! A folder whose clients share a gateway.

use crate::support::eventually::patience;
use crate::support::eventually::within;
use crate::support::gateway::Gateway;
use crate::support::processes;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use rustix::process::Pid;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// The folder.
pub struct Shared {
    conf: Arc<TempConf>,
}

impl Shared {
    /// With this configuration.
    pub fn start(build: impl FnOnce(&TempConf) -> Value) -> Arc<Self> {
        Arc::new(Self { conf: TempConf::with(build) })
    }

    /// With servers `s0`, `s1`, …; the gateway stays for `linger` after its last client.
    pub fn with_servers(count: usize, linger: &str) -> Arc<Self> {
        Self::start(|conf| {
            let entries = (0..count).map(|n| (format!("s{n}"), conf.fake(&format!("s{n}")).json()));
            let entries: serde_json::Map<String, Value> = entries.collect();
            json!({ "mcpServers": entries, "gateway": { "linger": linger } })
        })
    }

    /// The folder itself.
    pub fn conf(&self) -> &Arc<TempConf> {
        &self.conf
    }

    /// A gateway that is shared, about to be started.
    pub fn gateway(&self) -> Gateway {
        Gateway::on(&self.conf).shared()
    }

    /// A legacy client that is attached.
    pub fn client(&self) -> StdioClient {
        StdioClient::spawn(self.command(&[]), Some(Arc::clone(&self.conf) as Arc<dyn Send + Sync>)).legacy()
    }

    /// The command of a client, in a process group of its own.
    pub fn command(&self, more: &[&str]) -> Command {
        let mut command = self.gateway().serve(more);
        command.process_group(0);
        command
    }

    /// What `status` says; `null` when there is no gateway.
    pub fn status(&self) -> Value {
        let file = self.conf.file().display().to_string();
        let output = self.gateway().run(&["status", "--json", "--config", &file]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// The process of the gateway, if one runs.
    pub fn pid(&self) -> Option<u32> {
        self.status()["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
    }

    /// Runs a command for this file to its end: exit code, stdout, stderr.
    pub fn run(&self, words: &[&str]) -> (i32, String, String) {
        let file = self.conf.file().display().to_string();
        let output = self.gateway().run(&[words, &["--config", &file]].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    /// The socket of the gateway, which must run.
    pub fn socket(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.conf.runtime()).expect("the runtime folder").flatten();
        let socket =
            entries.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "sock"));
        socket.expect("a socket")
    }

    /// Names of what is in the runtime folder, by ending.
    pub fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.conf.runtime()).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter_map(|name| Some(name.rsplit_once('.')?.1.to_owned())).collect()
    }
}

/// The process of the gateway that a client said last it is attached to.
pub fn attached_to(client: &StdioClient) -> u32 {
    const ATTACHED: &str = "attached to the shared gateway, pid ";
    // It said so before it was answered, and what it says is read beside the answers.
    within(patience(), || client.stderr().contains(ATTACHED));
    let stderr = client.stderr();
    let found = stderr.rsplit_once(ATTACHED).map(|(_, rest)| rest);
    let digits = found.and_then(|rest| rest.split(',').next());
    digits.and_then(|pid| pid.parse().ok()).unwrap_or_else(|| panic!("it is not attached: {stderr}"))
}

/// Ends a client as a terminal does: with its whole process group.
pub fn kill_group(client: &StdioClient) {
    let pid = i32::try_from(client.pid()).ok().and_then(Pid::from_raw).expect("a process id");
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    processes::signal(client.pid(), Signal::KILL);
}
