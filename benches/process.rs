//! The gateway between real processes: `cargo build --release --examples && cargo bench --bench process`.
//!
//! A raw load generator and a raw echo server, each a process of its own, with nothing, the gateway, or a typed relay
//! between them. The numbers are ratios within one run; nothing is asserted, since a shared machine would fail it.
//!
//! Options after `--`: `--seconds S` for each run (2), `--runs N` of which the median counts (3), `--only TEXT`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its result")]

mod children;
mod programs;
mod rig;

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::bail;
use serde_json::{Value, json};

/// What stands between the load generator and the echo server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SetUp {
    Direct,
    Gateway,
    GatewayHttp,
    Relay,
}

const SET_UPS: [(SetUp, &str); 4] = [
    (SetUp::Direct, "direct, stdio"),
    (SetUp::Gateway, "gateway, stdio"),
    (SetUp::GatewayHttp, "gateway, HTTP in front"),
    (SetUp::Relay, "rmcp relay, stdio"),
];

/// Bytes of the payload, calls in flight.
const LOADS: [(usize, usize); 3] = [(100, 1), (100, 32), (100_000, 1)];

/// The programs, and a folder for the gateway's files.
struct Bench {
    load: PathBuf,
    echo: PathBuf,
    relay: PathBuf,
    folder: tempfile::TempDir,
}

/// Medians of the runs of one set-up under one load.
struct Row {
    calls: f64,
    cpu: f64,
    p50: f64,
    p99: f64,
    rss: f64,
    errors: f64,
}

fn main() -> ExitCode {
    if !rig::is_wanted() {
        println!("a benchmark: run it with `cargo bench --bench process`");
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
        let (relay, folder) = (programs::example("rmcp-relay")?, tempfile::tempdir()?);
        let config = json!({"mcpServers": {"bench": {"command": &echo}}});
        std::fs::write(folder.path().join("mcp.json"), config.to_string())?;
        Ok(Self { load, echo, relay, folder })
    }

    fn run(&self) -> anyhow::Result<()> {
        let (runs, only): (usize, String) = (rig::option("--runs", 3), rig::option("--only", String::new()));
        println!(
            "| set-up | bytes × in flight | calls/s | of direct | CPU µs/call | p50 µs | p99 µs | RSS MB |"
        );
        println!("|---|---|--:|--:|--:|--:|--:|--:|");
        let mut failed = 0;
        for (size, in_flight) in LOADS {
            let mut direct = None;
            let mut reports = SET_UPS.map(|_| Vec::new());
            // In turns, so that whatever else the machine does falls on all of them.
            for _ in 0..runs {
                for ((set_up, name), reports) in SET_UPS.iter().zip(&mut reports) {
                    if !name.contains(&only) && *set_up != SetUp::Direct {
                        continue;
                    }
                    match self.measure(*set_up, size, in_flight) {
                        Ok(report) => reports.push(report),
                        Err(error) => {
                            failed += 1;
                            eprintln!("{name}, {size} × {in_flight}: {error:#}");
                        }
                    }
                }
            }
            for ((set_up, name), reports) in SET_UPS.iter().zip(reports).filter(|(_, done)| !done.is_empty())
            {
                let row = Row::of(&reports);
                let direct = *direct.get_or_insert(row.calls);
                println!("{}", row.line(name, size, in_flight, row.calls / direct, *set_up));
            }
        }
        if failed > 0 {
            bail!("{failed} runs failed and are not in the table");
        }
        Ok(())
    }

    fn measure(&self, set_up: SetUp, size: usize, in_flight: usize) -> anyhow::Result<Value> {
        let seconds: f64 = rig::option("--seconds", 2.0);
        let mut load = Command::new(&self.load);
        load.args(["--size", &size.to_string(), "--in-flight", &in_flight.to_string()])
            .args(["--seconds", &seconds.to_string()])
            .args(["--tool", if set_up.is_gateway() { "bench__echo" } else { "echo" }]);
        match set_up {
            SetUp::Direct => load.arg("--").arg(&self.echo),
            SetUp::Relay => load.arg("--").args([&self.relay, &self.echo]),
            SetUp::Gateway => load.arg("--").arg(programs::GATEWAY).args(self.serve()),
            SetUp::GatewayHttp => return self.measure_http(load),
        };
        children::report(load)
    }

    fn measure_http(&self, mut load: Command) -> anyhow::Result<Value> {
        let mut gateway = Command::new(programs::GATEWAY)
            .args(self.serve())
            .args(["--http", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let measured = children::address(&mut gateway).and_then(|address| {
            load.args(["--url", &format!("http://{address}/mcp"), "--cpu-pid", &gateway.id().to_string()]);
            children::report(load)
        });
        children::stop(gateway);
        measured
    }

    fn serve(&self) -> [std::ffi::OsString; 6] {
        let path = |name: &str| self.folder.path().join(name).into_os_string();
        [
            "serve".into(),
            "--standalone".into(),
            "--config".into(),
            path("mcp.json"),
            "--cache-dir".into(),
            path("cache"),
        ]
    }
}

impl SetUp {
    fn is_gateway(self) -> bool {
        matches!(self, Self::Gateway | Self::GatewayHttp)
    }
}

impl Row {
    fn of(reports: &[Value]) -> Self {
        let middle = |pointer: &str| {
            rig::median(reports.iter().filter_map(|report| report.pointer(pointer)?.as_f64()).collect())
        };
        Self {
            calls: middle("/callsPerSecond"),
            cpu: middle("/cpuMicrosPerCall"),
            p50: middle("/latencyMicros/p50"),
            p99: middle("/latencyMicros/p99"),
            rss: middle("/rssKb") / 1024.0,
            errors: middle("/errors"),
        }
    }

    fn line(&self, name: &str, size: usize, in_flight: usize, ratio: f64, set_up: SetUp) -> String {
        // Without a process in between there is nothing to blame.
        let own = |text: String| if set_up == SetUp::Direct { "–".to_owned() } else { text };
        let errors = if self.errors > 0.0 { format!(" ({} errors)", self.errors) } else { String::new() };
        format!(
            "| {name}{errors} | {size} × {in_flight} | {:.0} | {ratio:.2} | {} | {:.0} | {:.0} | {} |",
            self.calls,
            own(format!("{:.2}", self.cpu)),
            self.p50,
            self.p99,
            own(format!("{:.1}", self.rss)),
        )
    }
}
