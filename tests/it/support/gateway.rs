//! Starts the real binary in a folder of its own.
//!
//! It does not speak to it; see the clients.

use crate::support::eventually::patience;
use crate::support::eventually::within;
use crate::support::http_client::HttpClient;
use crate::support::processes;
use crate::support::stdio_client::StdioClient;
use crate::support::stdio_client::collect;
use crate::support::stdio_client::lock;
use crate::support::stdio_client::wait_for_exit;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use std::net::SocketAddr;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Output;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

/// A gateway about to be started.
pub struct Gateway {
    conf: Arc<TempConf>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    shared: bool,
}

impl Gateway {
    /// With this configuration, in a new folder.
    pub fn start(config: &Value) -> Self {
        let conf = TempConf::new();
        conf.write(config);
        Self::on(&conf)
    }

    /// In this folder.
    pub fn on(conf: &Arc<TempConf>) -> Self {
        Self { conf: Arc::clone(conf), args: Vec::new(), env: Vec::new(), shared: false }
    }

    /// More arguments after those of `serve`.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Clients of the folder share one gateway; otherwise each has its own.
    pub fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// One more variable in its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it as a stdio server; nothing was said yet.
    pub fn stdio(self) -> StdioClient {
        StdioClient::spawn(self.serve(&[]), Some(Arc::clone(&self.conf) as Arc<dyn Send + Sync>))
    }

    /// Starts it as an HTTP server on a free port, stdin at its end, and waits until it listens.
    pub fn http(self) -> HttpGateway {
        let mut command = self.serve(&["--http", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the gateway starts");
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        let stdout = collect(child.stdout.take().expect("stdout is piped"));
        let mut addr = None;
        within(patience(), || {
            addr = address(&lock(&stderr));
            addr.is_some() || child.try_wait().is_ok_and(|status| status.is_some())
        });
        let addr = addr.unwrap_or_else(|| {
            let _ = child.kill();
            panic!("the gateway does not listen; stderr: {}", lock(&stderr))
        });
        HttpGateway { child: Mutex::new(child), addr, stdout, stderr, conf: self.conf }
    }

    /// Another command of the binary, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bare();
        command.args(args);
        command
    }

    /// Runs another command of the binary to its end, stdin closed.
    pub fn run(self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = collect(child.stdout.take().expect("stdout is piped"));
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        let status = wait_for_exit(&mut child, patience()).unwrap_or_else(|| {
            let _ = child.kill();
            panic!("`{args:?}` does not end; stdout: {}; stderr: {}", lock(&stdout), lock(&stderr))
        });
        let all = |text: &Arc<Mutex<String>>| {
            within(patience(), || Arc::strong_count(text) == 1);
            lock(text).clone().into_bytes()
        };
        Output { status, stdout: all(&stdout), stderr: all(&stderr) }
    }

    /// The command that serves, with more arguments.
    pub fn serve(&self, more: &[&str]) -> Command {
        let mut command = self.bare();
        command.arg("serve").arg("--config").arg(self.conf.file()).arg("--cache-dir").arg(self.conf.cache());
        if !self.shared {
            command.arg("--standalone");
        }
        command.args(more).args(&self.args);
        command
    }

    /// The binary with an environment that holds nothing of the user's.
    fn bare(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-manifold"));
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.conf.dir());
        command.env("MCP_MANIFOLD_RUNTIME_DIR", self.conf.runtime());
        if self.shared {
            // What is started in the background ends with the folder.
            command.env(processes::MARK, self.conf.mark());
        }
        command.current_dir(self.conf.dir()).envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A running gateway with an HTTP front.
pub struct HttpGateway {
    child: Mutex<Child>,
    addr: SocketAddr,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    conf: Arc<TempConf>,
}

impl HttpGateway {
    /// A client that has said nothing yet.
    pub fn client(&self) -> HttpClient {
        HttpClient::new(self.addr)
    }

    /// A legacy client after its handshake.
    pub fn legacy(&self) -> HttpClient {
        let mut client = self.client();
        client.initialize();
        client
    }

    /// A modern client.
    pub fn modern(&self) -> HttpClient {
        self.client().modern()
    }

    /// A page for whoever runs it: status and JSON.
    pub fn page(&self, path: &str) -> (u16, Value) {
        let text = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.addr);
        let reply = self.client().raw(text.as_bytes()).head();
        let status = reply.status;
        let body = reply.body();
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path} is no JSON: {body}")))
    }

    /// What it says of itself.
    pub fn status(&self) -> Value {
        let (status, page) = self.page("/status");
        assert_eq!(status, 200, "{page}");
        page
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The folder it runs in.
    pub fn conf(&self) -> &Arc<TempConf> {
        &self.conf
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        lock(&self.child).id()
    }

    /// Everything written to stderr so far.
    pub fn stderr(&self) -> String {
        lock(&self.stderr).clone()
    }

    /// Everything written to stdout so far.
    pub fn stdout(&self) -> String {
        lock(&self.stdout).clone()
    }

    /// Waits for the end of the process.
    pub fn exit(&self) -> ExitStatus {
        let ended = wait_for_exit(&mut lock(&self.child), patience());
        ended.unwrap_or_else(|| panic!("it still runs; stderr: {}", self.stderr()))
    }

    /// Whether the process ended.
    pub fn has_exited(&self) -> bool {
        wait_for_exit(&mut lock(&self.child), Duration::ZERO).is_some()
    }
}

impl Drop for HttpGateway {
    fn drop(&mut self) {
        let mut child = lock(&self.child);
        if !matches!(child.try_wait(), Ok(Some(_))) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The address in the line that says where the gateway listens.
fn address(stderr: &str) -> Option<SocketAddr> {
    let (_, rest) = stderr.split_once("listening on http://")?;
    let (address, _) = rest.split_once("/mcp")?;
    address.parse().ok()
}
