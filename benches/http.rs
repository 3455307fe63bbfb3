//! The gateway over HTTP: `cargo build --release --examples && cargo bench --bench http`.
//!
//! A raw load generator over HTTP/1.1, with an axum handler that returns a canned answer (`examples/bench-canned`), or the
//! gateway, with a stdio server or that handler behind it; all are processes of their own. CPU is that of one process only:
//! the handler's where it is called directly, else the gateway's. Then 10,000 sessions are opened and left idle. The numbers
//! are printed; nothing is asserted, since a shared machine would fail it.
//!
//! Options after `--`: `--seconds S` for each run (2), `--runs N` of which the median counts (3), `--sessions N` (10000).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its result")]

mod children;
mod programs;
mod rig;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// Bytes of the payload, calls in flight.
const SIZE: usize = 100;
const IN_FLIGHT: usize = 64;

/// What is called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// The handler itself.
    Nothing,
    Stdio,
    Http,
}

const SET_UPS: [(&str, bool, Behind); 6] = [
    ("axum handler, legacy", false, Behind::Nothing),
    ("axum handler, modern", true, Behind::Nothing),
    ("HTTP → gateway → stdio, legacy", false, Behind::Stdio),
    ("HTTP → gateway → stdio, modern", true, Behind::Stdio),
    ("HTTP → gateway → HTTP, legacy", false, Behind::Http),
    ("HTTP → gateway → HTTP, modern", true, Behind::Http),
];

struct Bench {
    load: PathBuf,
    echo: PathBuf,
    canned: PathBuf,
}

fn main() -> ExitCode {
    if !rig::is_wanted() {
        println!("a benchmark: run it with `cargo bench --bench http`");
        return ExitCode::SUCCESS;
    }
    match Bench::new().and_then(|bench| bench.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Bench {
    fn new() -> anyhow::Result<Self> {
        let (load, echo) = (programs::example("bench-load")?, programs::example("bench-echo")?);
        Ok(Self { load, echo, canned: programs::example("bench-canned")? })
    }

    fn run(&self) -> anyhow::Result<()> {
        let runs: usize = rig::option("--runs", 3);
        println!("{SIZE} B × {IN_FLIGHT}");
        println!();
        println!("| set-up | calls/s | CPU µs/call | of the handler's | p50 µs | p99 µs | RSS MB |");
        println!("|---|--:|--:|--:|--:|--:|--:|");
        let mut reports = SET_UPS.map(|_| Vec::new());
        // In turns, so that whatever else the machine does falls on all of them.
        for _ in 0..runs {
            for ((name, modern, behind), reports) in SET_UPS.iter().zip(&mut reports) {
                reports.push(self.measure(*modern, *behind).with_context(|| (*name).to_owned())?);
            }
        }
        let handler = [middle(&reports[0], "/cpuMicrosPerCall"), middle(&reports[1], "/cpuMicrosPerCall")];
        for ((name, modern, _), reports) in SET_UPS.iter().zip(&reports) {
            let cpu = middle(reports, "/cpuMicrosPerCall");
            println!(
                "| {name} | {:.0} | {cpu:.2} | {:.2} | {:.0} | {:.0} | {:.1} |",
                middle(reports, "/callsPerSecond"),
                cpu / handler[usize::from(*modern)],
                middle(reports, "/latencyMicros/p50"),
                middle(reports, "/latencyMicros/p99"),
                middle(reports, "/rssKb") / 1024.0,
            );
        }
        println!();
        self.idle_sessions()
    }

    fn measure(&self, modern: bool, behind: Behind) -> anyhow::Result<Value> {
        let folder = tempfile::tempdir()?;
        let mut handler = (behind != Behind::Stdio).then(|| self.handler()).transpose()?;
        let measured = match (&mut handler, behind) {
            (Some((handler, address)), Behind::Nothing) => self.call(address, "echo", modern, handler.id()),
            (handler, _) => {
                let server = match handler {
                    Some((_, address)) => json!({"url": format!("http://{address}/mcp"), "type": "http"}),
                    None => json!({"command": &self.echo}),
                };
                gateway(&folder, &server, &json!({}), |address, gateway| {
                    self.call(address, "bench__echo", modern, gateway.id())
                })
            }
        };
        if let Some((handler, _)) = handler {
            children::stop(handler);
        }
        measured
    }

    fn handler(&self) -> anyhow::Result<(Child, String)> {
        let mut handler = Command::new(&self.canned)
            .arg(SIZE.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("the handler does not start")?;
        let mut address = String::new();
        BufReader::new(handler.stdout.take().context("no stdout")?).read_line(&mut address)?;
        Ok((handler, address.trim().to_owned()))
    }

    fn call(&self, address: &str, tool: &str, modern: bool, pid: u32) -> anyhow::Result<Value> {
        let seconds: f64 = rig::option("--seconds", 2.0);
        let mut load = Command::new(&self.load);
        load.args(["--url", &format!("http://{address}/mcp"), "--cpu-pid", &pid.to_string()])
            .args(["--size", &SIZE.to_string(), "--in-flight", &IN_FLIGHT.to_string()])
            .args(["--seconds", &seconds.to_string(), "--tool", tool]);
        if modern {
            load.arg("--modern");
        }
        children::report(load)
    }

    fn idle_sessions(&self) -> anyhow::Result<()> {
        let sessions: u32 = rig::option("--sessions", 10_000);
        let folder = tempfile::tempdir()?;
        let settings = json!({"http": {"maxSessions": sessions + 1000}});
        let report = gateway(&folder, &json!({"command": &self.echo}), &settings, |address, gateway| {
            let mut load = Command::new(&self.load);
            load.args(["--url", &format!("http://{address}/mcp"), "--cpu-pid", &gateway.id().to_string()]);
            load.args(["--sessions", &sessions.to_string()]);
            children::report(load)
        })?;
        let mb = |name: &str| report[name].as_f64().unwrap_or_default() / 1024.0;
        println!("| idle legacy sessions | RSS before, MB | after, MB | KB per session |");
        println!("|--:|--:|--:|--:|");
        println!(
            "| {sessions} | {:.1} | {:.1} | {:.2} |",
            mb("rssKbBefore"),
            mb("rssKbAfter"),
            report["bytesPerSession"].as_f64().unwrap_or_default() / 1024.0
        );
        Ok(())
    }
}

/// A gateway over HTTP with one server, for as long as `work` takes.
fn gateway(
    folder: &tempfile::TempDir,
    server: &Value,
    settings: &Value,
    work: impl FnOnce(&str, &Child) -> anyhow::Result<Value>,
) -> anyhow::Result<Value> {
    let path = |name: &str| folder.path().join(name);
    let config = json!({"mcpServers": {"bench": server}, "gateway": settings});
    std::fs::write(path("mcp.json"), config.to_string())?;
    let mut gateway = Command::new(programs::GATEWAY)
        .arg("serve")
        .arg("--standalone")
        .arg("--config")
        .arg(path("mcp.json"))
        .arg("--cache-dir")
        .arg(path("cache"))
        .args(["--http", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let done = children::address(&mut gateway).and_then(|address| work(&address, &gateway));
    children::stop(gateway);
    match done {
        Ok(report) if report["errors"].as_u64().unwrap_or_default() > 0 => {
            bail!("{} calls failed", report["errors"])
        }
        done => done,
    }
}

fn middle(reports: &[Value], pointer: &str) -> f64 {
    rig::median(reports.iter().filter_map(|report| report.pointer(pointer)?.as_f64()).collect())
}
