//! Runs every set-up under every load, in turns, and prints what came out.
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use mcp_manifold::wire::tasks::Tasks;

use crate::load::{Load, Measured};
use crate::payload::Payload;
use crate::rig;
use crate::set_up::SetUp;

const WARM_UP: Duration = Duration::from_millis(150);

/// What is called with, how many calls are in flight, and what is aimed at.
const LOADS: [(Payload, usize, Goal); 8] = [
    (Payload::Text(100), 1, Goal::NONE),
    (Payload::Text(100), 64, Goal { rate: Some(6.0), cpu: Some(6.0) }),
    (Payload::Text(100_000), 1, Goal::NONE),
    (Payload::Text(100_000), 64, Goal::NONE),
    (Payload::Structured(1_000_000), 1, Goal { rate: None, cpu: Some(15.0) }),
    (Payload::Structured(1_000_000), 64, Goal { rate: None, cpu: Some(15.0) }),
    (Payload::List(1_000), 1, Goal::NONE),
    (Payload::List(1_000), 64, Goal::NONE),
];

/// How many times better than the typed relay the gateway is to be.
struct Goal {
    rate: Option<f64>,
    cpu: Option<f64>,
}

impl Goal {
    const NONE: Self = Self { rate: None, cpu: None };
}

pub fn run() -> anyhow::Result<()> {
    let (runs, only): (usize, String) = (rig::option("--runs", 3), rig::option("--only", String::new()));
    println!("| set-up | payload × in flight | calls/s | CPU µs/call | net CPU µs/call |");
    println!("|---|---|--:|--:|--:|");
    let mut compared = Vec::new();
    for (payload, in_flight, goal) in LOADS {
        let load = format!("{} × {in_flight}", payload.name());
        if !load.contains(&only) {
            continue;
        }
        let mut measured = SetUp::ALL.map(|_| Vec::new());
        // In turns, so that whatever else the machine does falls on all of them.
        for _ in 0..runs {
            for (set_up, measured) in SetUp::ALL.iter().zip(&mut measured) {
                let done = measure(*set_up, payload, in_flight);
                measured.push(done.with_context(|| format!("{}, {load}", set_up.name()))?);
            }
        }
        let [direct, gateway, typed] = measured.map(|runs| middle(&runs));
        for (set_up, row) in SetUp::ALL.iter().zip([direct, gateway, typed]) {
            let net = match set_up {
                SetUp::Direct => "–".to_owned(),
                _ => format!("{:.2}", row.cpu_per_call - direct.cpu_per_call),
            };
            let (name, rate, cpu) = (set_up.name(), row.calls_per_second, row.cpu_per_call);
            println!("| {name} | {load} | {rate:.0} | {cpu:.2} | {net} |");
        }
        let net = |row: Measured| row.cpu_per_call - direct.cpu_per_call;
        compared.push((
            load,
            gateway.calls_per_second / typed.calls_per_second,
            net(typed) / net(gateway),
            goal,
        ));
    }
    println!("\n| gateway : rmcp relay | calls/s | goal | net CPU | goal |");
    println!("|---|--:|--:|--:|--:|");
    let shown = |goal: Option<f64>| goal.map_or("–".to_owned(), |goal| format!("{goal:.0}×"));
    let fraction = |goal: Option<f64>| goal.map_or("–".to_owned(), |goal| format!("1/{goal:.0}"));
    for (load, rate, cpu, goal) in compared {
        println!("| {load} | {rate:.1}× | {} | 1/{cpu:.1} | {} |", shown(goal.rate), fraction(goal.cpu));
    }
    Ok(())
}

/// One run, in a runtime of its own.
fn measure(set_up: SetUp, payload: Payload, in_flight: usize) -> anyhow::Result<Measured> {
    let seconds = Duration::from_secs_f64(rig::option("--seconds", 0.6));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let tasks = Arc::new(Tasks::default());
        let side = set_up.start(payload.tools(), &tasks)?;
        let measured = Load::new(side, payload, set_up.tool(), in_flight).run(WARM_UP, seconds).await;
        tasks.abort_all();
        measured
    })
}

fn middle(runs: &[Measured]) -> Measured {
    let of = |value: fn(&Measured) -> f64| rig::median(runs.iter().map(value).collect());
    Measured { calls_per_second: of(|run| run.calls_per_second), cpu_per_call: of(|run| run.cpu_per_call) }
}
