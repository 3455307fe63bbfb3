//! The load generator of the benchmarks: calls one tool as fast as the other side allows, and measures.
//!
//! ```text
//! bench-load [--tool NAME] [--size BYTES] [--in-flight N] [--seconds S] -- COMMAND [ARG…]
//! bench-load … --url http://127.0.0.1:8808/mcp --cpu-pid PID [--modern]
//! bench-load --sessions N --url http://127.0.0.1:8808/mcp --cpu-pid PID
//! ```
//!
//! It prints one line of JSON. It is raw on purpose (no rmcp, no code of the gateway), checks every answer, and follows
//! only as much of the protocol as a legacy client needs to call a tool.

mod calls;
mod http;
mod process;
mod sessions;
#[cfg(unix)]
mod stdio;
#[cfg(not(unix))]
mod stdio {
    pub fn run(_: crate::Plan, _: &[String], _: Option<u32>, _: usize) -> anyhow::Result<crate::Report> {
        anyhow::bail!("calls over pipes are measured on Unix only; use --url")
    }
}

mod text;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use serde_json::json;

use crate::calls::{Plan, Tally};
use crate::process::Usage;

/// Calls one tool as fast as the other side allows, and prints what it measured as JSON
#[derive(Parser)]
struct Cli {
    /// The tool to call: it must answer with the text it was given
    #[arg(long, default_value = "echo")]
    tool: String,
    /// The argument that takes the text
    #[arg(long, default_value = "text")]
    argument: String,
    /// Length of that text, in bytes
    #[arg(long, default_value_t = 100)]
    size: usize,
    /// Calls in flight; over HTTP as many connections
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    in_flight: u32,
    /// How long to measure
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How long to call before measuring
    #[arg(long, default_value_t = 0.3)]
    warm_up: f64,
    /// Stop measuring after this many calls
    #[arg(long)]
    calls: Option<u64>,
    /// How many requests are written at once, at most (stdio)
    #[arg(long, default_value_t = 8)]
    flush: usize,
    /// Call over Streamable HTTP instead of starting a command
    #[arg(long, conflicts_with = "command", required_unless_present = "command")]
    url: Option<String>,
    /// Speak 2026-07-28 instead of 2025-11-25 (HTTP)
    #[arg(long, requires = "url")]
    modern: bool,
    /// Open this many sessions and leave them idle, instead of calling (HTTP)
    #[arg(long, requires = "url", requires = "cpu_pid", conflicts_with = "modern")]
    sessions: Option<u32>,
    /// The process whose CPU time and memory to report (default: the command)
    #[arg(long)]
    cpu_pid: Option<u32>,
    /// The server to start
    #[arg(last = true)]
    command: Vec<String>,
}

/// What was measured.
struct Report {
    tally: Tally,
    elapsed: Duration,
    usage: Option<Usage>,
}

#[expect(clippy::print_stderr, reason = "a command line program says what went wrong")]
fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    if let (Some(sessions), Some(url), Some(pid)) = (cli.sessions, &cli.url, cli.cpu_pid) {
        return print(&sessions::run(sessions, url, pid)?);
    }
    let plan = Plan::new(cli);
    let report = match &cli.url {
        Some(url) => http::run(plan, url, cli.modern.then_some(&*cli.tool), cli.cpu_pid)?,
        None => stdio::run(plan, &cli.command, cli.cpu_pid, cli.flush)?,
    };
    print(&report.to_json())
}

fn print(report: &serde_json::Value) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(report)?;
    line.push('\n');
    std::io::stdout().write_all(line.as_bytes()).context("cannot write the result")
}

impl Report {
    fn to_json(&self) -> serde_json::Value {
        let Self { tally, elapsed, usage } = self;
        let per_call = |cpu: Duration| micros(cpu) / (tally.answered.max(1) as f64);
        json!({
            "calls": tally.answered,
            "errors": tally.errors,
            "seconds": elapsed.as_secs_f64(),
            "callsPerSecond": (tally.answered as f64 / elapsed.as_secs_f64()).round(),
            "latencyMicros": {
                "mean": tally.latency.mean(),
                "p50": tally.latency.percentile(50.0),
                "p99": tally.latency.percentile(99.0),
            },
            "cpuMicrosPerCall": usage.as_ref().map(|usage| per_call(usage.cpu)),
            "cpuSeconds": usage.as_ref().map(|usage| usage.cpu.as_secs_f64()),
            "rssKb": usage.as_ref().map(|usage| usage.rss_kb),
            "peakRssKb": usage.as_ref().map(|usage| usage.peak_rss_kb),
        })
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
