//! How soon the gateway is there: `cargo build --release --examples && cargo bench --bench start`.
//!
//! From the spawn to the last page of `tools/list`, with a saved catalog (no server may be started) and without one
//! (all of them are). The numbers are printed; nothing is asserted, since a shared machine would fail it.
//!
//! Options after `--`: `--runs N` of which the median counts (20).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its result")]
#![expect(clippy::disallowed_methods, reason = "real time is what is measured")]

mod programs;
mod rig;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

const TOOLS_EACH: usize = 10;

/// A gateway that was just started, and the pipes to it.
struct Gateway {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    started: Instant,
    asked: u64,
}

/// One start.
struct Start {
    elapsed: Duration,
    /// How often the list had to be asked for until it was complete.
    lists: usize,
    children: usize,
    rss_kb: f64,
}

fn main() -> ExitCode {
    if !rig::is_wanted() {
        println!("a benchmark: run it with `cargo bench --bench start`");
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let runs = rig::option("--runs", 20);
    let folder = tempfile::tempdir()?;
    println!("| start | to `initialize` + all tools, ms | lists asked | children | RSS MB |");
    println!("|---|--:|--:|--:|--:|");
    let fifty = config(folder.path(), 50)?;
    let cache = folder.path().join("warm");
    start(&fifty, &cache, 50)?;
    let warm: Vec<Start> = (0..runs).map(|_| start(&fifty, &cache, 50)).collect::<Result<_, _>>()?;
    print("50 servers, warm catalog", &warm);
    let attached = {
        let run = folder.path().join("run");
        let shared = ["--runtime-dir".as_ref(), run.as_os_str()];
        let _keeper = Gateway::spawn(&fifty, &cache, &shared)?;
        start_with(&fifty, &cache, 50, &shared)?;
        (0..runs).map(|_| start_with(&fifty, &cache, 50, &shared)).collect::<Result<Vec<_>, _>>()?
    };
    print("50 servers, warm catalog, attached to a gateway that runs", &attached);
    let ten = config(folder.path(), 10)?;
    let cold = |run: usize| start(&ten, &folder.path().join(format!("cold-{run}")), 10);
    let cold: Vec<Start> = (0..runs).map(cold).collect::<Result<_, _>>()?;
    print("10 servers, cold", &cold);
    Ok(())
}

fn config(folder: &Path, servers: usize) -> anyhow::Result<std::path::PathBuf> {
    let echo = programs::example("bench-echo")?;
    let entry = json!({"command": echo, "args": ["--tools", TOOLS_EACH.to_string()]});
    let servers: serde_json::Map<_, _> = (0..servers).map(|n| (format!("s{n}"), entry.clone())).collect();
    let path = folder.join(format!("{}.json", servers.len()));
    std::fs::write(&path, json!({"mcpServers": servers, "gateway": {"linger": "300ms"}}).to_string())?;
    Ok(path)
}

fn print(name: &str, starts: &[Start]) {
    let middle = |of: fn(&Start) -> f64| rig::median(starts.iter().map(of).collect());
    println!(
        "| {name} | {:.1} | {} | {} | {:.1} |",
        middle(|start| start.elapsed.as_secs_f64() * 1000.0),
        middle(|start| start.lists as f64),
        middle(|start| start.children as f64),
        middle(|start| start.rss_kb / 1024.0),
    );
}

/// Starts the gateway and asks until it shows the tools of all servers.
fn start(config: &Path, cache: &Path, servers: usize) -> anyhow::Result<Start> {
    start_with(config, cache, servers, &["--standalone".as_ref()])
}

fn start_with(config: &Path, cache: &Path, servers: usize, more: &[&OsStr]) -> anyhow::Result<Start> {
    let mut gateway = Gateway::spawn(config, cache, more)?;
    let client = json!({"name": "bench-start", "version": "1"});
    gateway.ask(
        "initialize",
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}),
    )?;
    gateway.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
    let deadline = gateway.started + Duration::from_secs(60);
    let mut lists = 0;
    loop {
        lists += 1;
        let tools = gateway.count_tools()?;
        if tools == servers * TOOLS_EACH {
            break;
        }
        if Instant::now() > deadline {
            bail!("the list has {tools} tools instead of {}", servers * TOOLS_EACH);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let elapsed = gateway.started.elapsed();
    let pid = gateway.child.id();
    let done = Start { elapsed, lists, children: children(pid), rss_kb: rss_kb(pid) };
    gateway.stop()?;
    Ok(done)
}

impl Gateway {
    fn spawn(config: &Path, cache: &Path, more: &[&OsStr]) -> anyhow::Result<Self> {
        let started = Instant::now();
        let mut child = Command::new(programs::GATEWAY)
            .arg("serve")
            .arg("--config")
            .arg(config)
            .arg("--cache-dir")
            .arg(cache)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = child.stdin.take().context("no stdin")?;
        let output = BufReader::with_capacity(1 << 20, child.stdout.take().context("no stdout")?);
        Ok(Self { child, input, output, started, asked: 0 })
    }

    fn send(&mut self, message: &Value) -> std::io::Result<()> {
        self.input.write_all(format!("{message}\n").as_bytes())
    }

    fn ask(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line)? == 0 {
                bail!("the gateway ended instead of answering `{method}`");
            }
            let mut message: Value = serde_json::from_str(&line)?;
            if message["id"] == id && message.get("method").is_none() {
                return match message.get_mut("result") {
                    Some(result) => Ok(result.take()),
                    None => bail!("`{method}` was refused: {line}"),
                };
            }
        }
    }

    fn count_tools(&mut self) -> anyhow::Result<usize> {
        let (mut count, mut params) = (0, json!({}));
        loop {
            let page = self.ask("tools/list", params)?;
            count += page["tools"].as_array().map_or(0, Vec::len);
            match page.get("nextCursor") {
                Some(cursor) => params = json!({"cursor": cursor}),
                None => return Ok(count),
            }
        }
    }

    fn stop(self) -> anyhow::Result<()> {
        let Self { mut child, input, mut output, .. } = self;
        drop(input);
        std::io::copy(&mut output, &mut std::io::sink())?;
        child.wait()?;
        Ok(())
    }
}

/// How many processes name `pid` as their parent.
fn children(pid: u32) -> usize {
    let stats = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    stats
        .filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok())
        .filter(|stat| {
            // After the name, which is in parentheses and may hold anything: the state, then the parent.
            let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
            parent == Some(&pid.to_string())
        })
        .count()
}

fn rss_kb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
