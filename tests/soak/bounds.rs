//! R13 and R5: one client that sends far too much, and one server that does not read, are bounded in what they cost.
//!
//! Sizes of single messages are in `tests/it/input.rs`.

use crate::figures::Figures;
use crate::ledger::Ledger;
use crate::ledger::Targets;
use crate::load::Draw;
use crate::load::Era;
use crate::load::server;
use crate::piped::Piped;
use crate::plan::Plan;
use crate::plan::Ticker;
use crate::probe::Probe;
use crate::probe::Sample;
use crate::support::eventually::eventually;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::json;
use std::time::Duration;

/// Calls sent at once, and how long each takes.
const PIPELINED: u64 = 20_000;
const EACH_MS: u64 = 300;
/// What the gateway may grow by meanwhile, in KiB.
const PIPELINED_GROWTH: u64 = 64 << 10;

/// Calls of a mebibyte for the server that does not read.
const LARGE: usize = 200;
const LARGE_BYTES: usize = 1 << 20;
const QUEUE_BYTES: u64 = 16 << 20;
/// What the gateway may grow by, in KiB: the queue of the process that is given up, that of the next one, and as much
/// again.
const LARGE_GROWTH: u64 = 3 * (QUEUE_BYTES >> 10);

#[test]
#[ignore = "thousands of calls at once; `.ci/run soak` runs it"]
fn twenty_thousand_calls_at_once_are_answered_and_cost_bounded_memory() {
    let plan = Plan::take();
    let conf = TempConf::with(|conf| servers([("s", server(conf, "s", &[]))]));
    let ledger = Ledger::new(&Targets::new(["s"]));
    let client = Piped::start(&Gateway::on(&conf), Era::Legacy, "p", &ledger);
    client.begin(Draw { target: 0, ms: 0 });
    client.settle();
    let base = Sample::of(client.pid()).rss;
    let probe = Probe::on(client.pid());
    let began = now();
    (0..PIPELINED).for_each(|_| client.begin(Draw { target: 0, ms: EACH_MS }));
    client.settle();
    let seconds = now().saturating_duration_since(began).as_secs_f64();
    let refused = ledger.totals().errors();
    for _ in 0..100 {
        client.begin(Draw { target: 0, ms: 0 });
        client.settle();
    }
    let change = probe.change(Duration::ZERO);
    let totals = ledger.totals();
    Figures::of("pipelined", &plan)
        .with("calls", totals.sent)
        .with("lost", totals.lost)
        .with("dup", totals.dup)
        .with("wrong", totals.wrong)
        .with("refused", refused)
        .with("errors_after", totals.errors() - refused)
        .with("took_s", format!("{seconds:.1}"))
        .with("latency", &totals.latency)
        .with("rss_base", base)
        .with("gateway", &change)
        .print();
    assert_eq!([totals.lost, totals.dup, totals.wrong], [0; 3], "{:#?}", totals.samples);
    assert_eq!(totals.errors(), refused, "{:#?}", totals.reasons);
    assert!(totals.reasons.keys().all(|text| text.contains("in flight")), "{:#?}", totals.reasons);
    assert!(change.most <= base + PIPELINED_GROWTH, "{change}");
}

#[test]
#[ignore = "hundreds of megabytes; `.ci/run soak` runs it"]
fn a_server_that_does_not_read_costs_no_more_than_its_queue() {
    let plan = Plan::take();
    let conf = TempConf::with(|conf| {
        let deaf = server(conf, "deaf", &["--deaf"]).set("callTimeoutMs", 8000);
        let mut config = servers([("good", server(conf, "good", &[])), ("deaf", deaf)]);
        config["gateway"] = json!({ "limits": { "serverQueueBytes": QUEUE_BYTES } });
        config
    });
    let ledger = Ledger::new(&Targets::new(["good", "deaf"]));
    let client = Piped::start(&Gateway::on(&conf), Era::Legacy, "p", &ledger);
    [0, 1].into_iter().for_each(|target| client.begin(Draw { target, ms: 0 }));
    client.settle();
    let pid = ledger.targets().pid(1);
    let base = Sample::of(client.pid()).rss;
    let probe = Probe::on(client.pid());
    (0..LARGE).for_each(|_| client.begin_padded(Draw { target: 1, ms: 0 }, LARGE_BYTES));
    client.keep_pace(Ticker::every(Duration::from_millis(10)), now() + Duration::from_secs(5), || Draw {
        target: 0,
        ms: 0,
    });
    eventually("every call is answered", || ledger.open() == 0);
    let refused = ledger.totals().errors();
    // It was given up, and another process answers.
    client.begin(Draw { target: 1, ms: 0 });
    eventually("every call is answered", || ledger.open() == 0);
    let (change, replaced) = (probe.change(Duration::ZERO), ledger.targets().pid(1) != pid);
    let totals = ledger.totals();
    Figures::of("deaf", &plan)
        .with("large_calls", LARGE)
        .with("refused", refused)
        .with("calls", totals.sent)
        .with("lost", totals.lost)
        .with("dup", totals.dup)
        .with("wrong", totals.wrong)
        .with("errors_good", totals.failed.get(&0).copied().unwrap_or_default())
        .with("replaced", replaced)
        .with("rss_base", base)
        .with("gateway", &change)
        .print();
    totals.check();
    assert_eq!(totals.failed.get(&0), None, "{:#?}", totals.reasons);
    // On a slow machine the next process may be there before all calls are, and answer one.
    assert!(replaced && refused > LARGE as u64 / 2, "{refused} refused");
    assert!(change.most <= base + LARGE_GROWTH, "{change}");
}
