//! R10: many first calls to one server make one start, and first calls to many servers start a few at a time.
//!
//! What lists and idle stops start is in `tests/it/lazy.rs`.

use crate::figures::Figures;
use crate::ledger::Ledger;
use crate::ledger::Targets;
use crate::load::Draw;
use crate::load::Era;
use crate::load::server;
use crate::piped::Piped;
use crate::plan::Plan;
use crate::plan::bound;
use crate::support::eventually::now;
use crate::support::eventually::within;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use serde_json::json;
use std::time::Duration;

const SERVERS: usize = 64;
const CALLERS: usize = 100;
/// `startsAtOnce` by default.
const AT_ONCE: usize = 8;
const SLOW_START_MS: &str = "100";
/// All are up, on a quiet machine.
const UP_WITHIN: Duration = Duration::from_secs(30);

fn name(place: usize) -> String {
    format!("s{place}")
}

/// How many servers were starting at most: spawned, and not called yet. Calls come a moment after a start.
fn most_at_once(conf: &TempConf, from: usize) -> usize {
    let (mut starting, mut most) = (0usize, 0);
    for line in conf.ledger_lines().iter().skip(from) {
        match line.split(' ').next() {
            Some("spawn") => starting += 1,
            Some("call") => starting = starting.saturating_sub(1),
            _ => {}
        }
        most = most.max(starting);
    }
    most
}

#[test]
#[ignore = "64 servers; `.ci/run soak` runs it"]
fn many_first_calls_make_one_start_and_many_servers_start_a_few_at_a_time() {
    let plan = Plan::take();
    let conf = TempConf::with(|conf| {
        let ledger = conf.dir().join("ledger").display().to_string();
        let more = ["--ledger", &ledger, "--slow-start", SLOW_START_MS];
        let entries = (0..SERVERS).map(|place| (name(place), server(conf, &name(place), &more).json()));
        let entries: serde_json::Map<_, _> = entries.collect();
        json!({ "mcpServers": entries, "gateway": { "listTimeout": "30s" } })
    });
    let ledger = Ledger::new(&Targets::new((0..SERVERS).map(name)));
    let gateway = Gateway::on(&conf);
    // Fills the catalog, so that the next one starts nothing to list.
    assert!(Piped::start(&gateway, Era::Legacy, "f", &ledger).finish().success());
    let client = Piped::start(&gateway, Era::Legacy, "p", &ledger);
    let known = conf.ledger_lines().len();
    (0..CALLERS).for_each(|_| client.begin(Draw { target: 0, ms: 0 }));
    client.settle();
    let lines = conf.ledger_lines();
    let spawns = lines[known..].iter().filter(|line| line.starts_with("spawn")).count();
    let known = lines.len();
    let began = now();
    (1..SERVERS).for_each(|target| client.begin(Draw { target, ms: 0 }));
    let up = within(bound(UP_WITHIN), || ledger.open() == 0);
    let seconds = now().saturating_duration_since(began).as_secs_f64();
    let most = most_at_once(&conf, known);
    let totals = ledger.totals();
    Figures::of("starts", &plan)
        .with("callers", CALLERS)
        .with("spawns", spawns)
        .with("servers", SERVERS)
        .with("starting_at_once", most)
        .with("all_up_s", format!("{seconds:.1}"))
        .with("calls", totals.sent)
        .with("lost", totals.lost)
        .with("dup", totals.dup)
        .with("wrong", totals.wrong)
        .with("errors", totals.errors())
        .print();
    totals.check();
    assert!(up && totals.errors() == 0, "{:#?}", totals.reasons);
    assert_eq!(spawns, 1);
    assert!(most <= 2 * AT_ONCE, "{most} at once");
    assert!(client.finish().success(), "{}", client.stderr());
}
