//! R13: a thousand calls wait for a server that does not answer, and seven others go on as before.
//!
//! What becomes of a call at its deadline is in `tests/it/crash.rs`.

use crate::figures::Figures;
use crate::latency::Latency;
use crate::ledger::Ledger;
use crate::ledger::Targets;
use crate::load::Draw;
use crate::load::Era;
use crate::load::server;
use crate::piped::Piped;
use crate::plan::Plan;
use crate::plan::Ticker;
use crate::probe::Sample;
use crate::support::eventually::eventually;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use serde_json::json;
use std::time::Duration;

/// Servers that answer; the hung one comes after them.
const HEALTHY: usize = 7;
/// Calls a second of each.
const RATE: u32 = 100;
const WAITING: usize = 1000;
/// How often they begin to wait and are cancelled.
const ROUNDS: u32 = 8;
/// A call that nobody sees the end of.
const FOR_EVER_MS: u64 = 24 * 3_600_000;

fn names() -> Vec<String> {
    (1..=HEALTHY).map(|n| format!("h{n}")).chain(["hung".to_owned()]).collect()
}

fn conf() -> std::sync::Arc<TempConf> {
    TempConf::with(|conf| {
        let mut entries = serde_json::Map::new();
        for name in names() {
            let ledger = conf.dir().join("ledger").display().to_string();
            let more: &[&str] = if name == "hung" { &["--ledger", &ledger] } else { &[] };
            let entry = server(conf, &name, more).set("maxInFlight", WAITING);
            entries.insert(name, entry.json());
        }
        let limits = json!({ "inFlightPerClient": 4 * WAITING });
        json!({ "mcpServers": entries, "gateway": { "limits": limits } })
    })
}

#[test]
#[ignore = "load for SOAK_SECONDS; `.ci/run soak` runs it"]
fn a_thousand_calls_that_wait_for_one_server_do_not_slow_the_others() {
    let plan = Plan::take();
    let conf = conf();
    let ledger = Ledger::new(&Targets::new(names()));
    let client = Piped::start(&Gateway::on(&conf), Era::Legacy, "p", &ledger);
    let mut turn = 0;
    let mut phase = |duration: Duration| {
        let ticker = Ticker::every(Duration::from_secs(1) / (RATE * HEALTHY as u32));
        client.keep_pace(ticker, now() + duration, || {
            turn = (turn + 1) % HEALTHY;
            Draw { target: turn, ms: 0 }
        });
        ledger.take_latency()
    };
    phase(plan.warm_up() / 2);
    // In turn, so that what else the machine does falls on both.
    let part = plan.duration() / (4 * ROUNDS);
    let (mut usual, mut with_hung) = (Latency::default(), Latency::default());
    let mut ratios = Vec::new();
    let (mut base, mut hung, mut waited) = (Sample::default(), Sample::default(), WAITING);
    for round in 1..=ROUNDS as usize {
        let before = phase(part);
        base = Sample::of(client.pid());
        (0..WAITING).for_each(|_| client.begin(Draw { target: HEALTHY, ms: FOR_EVER_MS }));
        eventually("all of them wait", || conf.ledger("call", "hung").len() == round * WAITING);
        ledger.take_latency();
        let during = phase(part);
        ratios.push(during.quantile(0.99) / before.quantile(0.99));
        usual.merge(&before);
        with_hung.merge(&during);
        hung = Sample::of(client.pid());
        waited = waited.min(ledger.open_of(HEALTHY));
        client.cancel(HEALTHY);
    }
    client.settle();
    ratios.sort_by(f64::total_cmp);
    let totals = ledger.totals();
    Figures::of("hung", &plan)
        .with("waiting", waited)
        .with("calls", totals.sent)
        .with("lost", totals.lost)
        .with("dup", totals.dup)
        .with("wrong", totals.wrong)
        .with("errors", totals.errors())
        .with("p50/p99/max", &usual)
        .with("with_hung", &with_hung)
        .with("p99_ratio", format!("{:.2}", with_hung.quantile(0.99) / usual.quantile(0.99)))
        .with("median_ratio", format!("{:.2}", ratios[ratios.len() / 2]))
        .with("rss", format!("{}->{}KiB", base.rss, hung.rss))
        .print();
    assert_eq!((waited, totals.errors()), (WAITING, 0), "{:#?}", totals.reasons);
    assert_eq!([totals.lost, totals.dup, totals.wrong], [0; 3], "{:#?}", totals.samples);
    assert!(client.finish().success(), "{}", client.stderr());
}
