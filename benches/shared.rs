//! What it costs to share a gateway: `cargo build --release --examples && cargo bench --bench shared`.
//!
//! A client through its pipe beside a client with a gateway of its own, and five of each over the same ten servers. The
//! numbers are ratios within one run; nothing is asserted, since a shared machine would fail it. Linux.
//!
//! Options after `--`: `--seconds S` for each run (2), `--runs N` of which the median counts (3).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its result")]
#![expect(clippy::disallowed_methods, reason = "real time is what is measured")]

#[expect(dead_code, reason = "other benchmarks need the rest")]
mod children;
mod programs;
mod rig;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

const CLIENTS: usize = 5;
const SERVERS: usize = 10;
const IN_FLIGHT: [usize; 2] = [1, 64];

fn main() -> ExitCode {
    if !rig::is_wanted() {
        println!("a benchmark: run it with `cargo bench --bench shared`");
        return ExitCode::SUCCESS;
    }
    let done = calls().and_then(|()| processes());
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Calls of 100 bytes through a gateway of one's own, and through a pipe into one that is shared.
fn calls() -> anyhow::Result<()> {
    let folder = folder(1)?;
    let keeper = Client::start(folder.path(), &[])?;
    let holder = holder(folder.path())?;
    println!(
        "| set-up | bytes × in flight | calls/s | CPU µs/call | of which the pipe | RSS of the pipe, MB |"
    );
    println!("|---|---|--:|--:|--:|--:|");
    for in_flight in IN_FLIGHT {
        let measure = |more: &[&str], pid: Option<u32>| -> anyhow::Result<Vec<Value>> {
            (0..rig::option("--runs", 3)).map(|_| load(folder.path(), in_flight, more, pid)).collect()
        };
        let middle = |reports: &[Value], key: &str| {
            rig::median(reports.iter().filter_map(|report| report[key].as_f64()).collect())
        };
        let (alone, pipe) = (measure(&["--standalone"], None)?, measure(&[], None)?);
        let behind = measure(&[], Some(holder))?;
        let (own, gateway) = (middle(&pipe, "cpuMicrosPerCall"), middle(&behind, "cpuMicrosPerCall"));
        let calls = middle(&alone, "callsPerSecond");
        let cpu = middle(&alone, "cpuMicrosPerCall");
        println!("| a gateway of its own | 100 × {in_flight} | {calls:.0} | {cpu:.2} | – | – |");
        let (calls, rss) = (middle(&pipe, "callsPerSecond"), middle(&pipe, "rssKb") / 1024.0);
        let all = own + gateway;
        println!("| shared | 100 × {in_flight} | {calls:.0} | {all:.2} | {own:.2} | {rss:.1} |");
    }
    keeper.end()
}

/// Five clients over the same ten servers, each of which was called once.
fn processes() -> anyhow::Result<()> {
    println!("\n| five clients over ten servers | processes | RSS MB | PSS MB |");
    println!("|---|--:|--:|--:|");
    for (name, more) in [("five gateways", &["--standalone"][..]), ("one shared gateway", &[])] {
        let folder = folder(SERVERS)?;
        let clients: Vec<Client> =
            (0..CLIENTS).map(|_| Client::start(folder.path(), more)).collect::<Result<_, _>>()?;
        for mut client in clients.iter().map(|client| client.0.borrow_mut()) {
            for server in 0..SERVERS {
                client.ask("tools/call", json!({"name": format!("s{server}__echo"), "arguments": {}}))?;
            }
        }
        let pids = marked(folder.path());
        let sum = |key: &str| pids.iter().map(|pid| memory(*pid, key)).sum::<f64>() / 1024.0;
        println!("| {name} | {} | {:.1} | {:.1} |", pids.len(), sum("Rss:"), sum("Pss:"));
        clients.into_iter().try_for_each(Client::end)?;
        let ended = Instant::now();
        while !marked(folder.path()).is_empty() && ended.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// A folder with a file of so many servers, a cache, and a place to meet.
fn folder(servers: usize) -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let echo = programs::example("bench-echo")?;
    let entries: serde_json::Map<_, _> = (0..servers)
        .map(|n| (format!("s{n}"), json!({"command": echo, "env": {"BENCH": folder.path()}})))
        .collect();
    let config = json!({"mcpServers": entries, "gateway": {"linger": "300ms"}});
    std::fs::write(folder.path().join("mcp.json"), config.to_string())?;
    Ok(folder)
}

fn serve(folder: &Path, more: &[&str]) -> Vec<std::ffi::OsString> {
    let mut words = vec!["serve".into()];
    for (option, name) in [("--config", "mcp.json"), ("--cache-dir", "cache"), ("--runtime-dir", "run")] {
        words.extend([option.into(), folder.join(name).into_os_string()]);
    }
    words.extend(more.iter().map(|word| word.into()));
    words
}

fn load(folder: &Path, in_flight: usize, more: &[&str], pid: Option<u32>) -> anyhow::Result<Value> {
    let seconds: f64 = rig::option("--seconds", 2.0);
    let mut load = Command::new(programs::example("bench-load")?);
    load.args(["--size", "100", "--in-flight", &in_flight.to_string()]);
    load.args(["--seconds", &seconds.to_string(), "--tool", "s0__echo"]);
    if let Some(pid) = pid {
        load.args(["--cpu-pid", &pid.to_string()]);
    }
    load.arg("--").arg(programs::GATEWAY).args(serve(folder, more));
    children::report(load)
}

/// The process of the gateway that is shared.
fn holder(folder: &Path) -> anyhow::Result<u32> {
    let words = serve(folder, &[]).into_iter().skip(1);
    let status = Command::new(programs::GATEWAY).arg("status").arg("--json").args(words).output()?;
    let status: Value = serde_json::from_slice(&status.stdout)?;
    status["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).context("no gateway is shared")
}

/// A client that stays.
struct Client(std::cell::RefCell<Open>);

struct Open {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    asked: u64,
}

impl Client {
    fn start(folder: &Path, more: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(programs::GATEWAY)
            .args(serve(folder, more))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut open = Open { child, output, asked: 0 };
        let client = json!({"name": "bench", "version": "1"});
        open.ask(
            "initialize",
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}),
        )?;
        open.ask("tools/list", json!({}))?;
        Ok(Self(std::cell::RefCell::new(open)))
    }

    fn end(self) -> anyhow::Result<()> {
        let Open { mut child, mut output, .. } = self.0.into_inner();
        drop(child.stdin.take());
        std::io::copy(&mut output, &mut std::io::sink())?;
        child.wait()?;
        Ok(())
    }
}

impl Open {
    fn ask(&mut self, method: &str, params: Value) -> anyhow::Result<()> {
        self.asked += 1;
        let message = json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params});
        let input = self.child.stdin.as_mut().context("no stdin")?;
        input.write_all(format!("{message}\n").as_bytes())?;
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line)? == 0 {
                bail!("it ended instead of answering `{method}`");
            }
            let message: Value = serde_json::from_str(&line)?;
            if message["id"] == self.asked && message.get("method").is_none() {
                return Ok(());
            }
        }
    }
}

/// All processes whose command line or environment names the folder, and those that watch over them.
fn marked(folder: &Path) -> Vec<u32> {
    let folder = folder.display().to_string();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let text = |pid: u32, of: &str| {
        let bytes = std::fs::read(format!("/proc/{pid}/{of}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let named = |pid: &u32| ["cmdline", "environ"].iter().any(|of| text(*pid, of).contains(&folder));
    let (mut found, others): (Vec<u32>, Vec<u32>) = pids.into_iter().partition(named);
    let parent = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok())
    };
    let watching = |pid: &u32| text(*pid, "cmdline").contains("reap");
    let watchers: Vec<u32> = others
        .into_iter()
        .filter(|pid| watching(pid) && parent(*pid).is_some_and(|parent| found.contains(&parent)))
        .collect();
    found.extend(watchers);
    found
}

/// A figure of the memory of a process, in KiB.
fn memory(pid: u32, key: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
