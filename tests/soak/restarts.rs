//! R8: a server that ends after each answer is started again and again, and nothing piles up.
//!
//! Servers that do not even start are in `tests/it/crash.rs`.

use crate::figures::Figures;
use crate::ledger::Ledger;
use crate::ledger::Targets;
use crate::load::Draw;
use crate::load::Era;
use crate::load::server;
use crate::piped::Piped;
use crate::plan::Plan;
use crate::probe::Sample;
use crate::support::eventually::eventually;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::processes;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;

/// As many as the statement says; fewer when the time is up before.
const CYCLES: u64 = 1000;
/// What comes before the figures are taken: the allocator has seen a few starts.
const FIRST: u64 = 20;

#[test]
#[ignore = "load for SOAK_SECONDS; `.ci/run soak` runs it"]
fn a_thousand_restarts_leave_nothing_behind() {
    let plan = Plan::take();
    let conf = TempConf::with(|conf| servers([("once", server(conf, "once", &["--exit-after-call"]))]));
    let targets = Targets::new(["once"]);
    let ledger = Ledger::new(&targets);
    let client = Piped::start(&Gateway::on(&conf), Era::Legacy, "p", &ledger);
    let end = now() + plan.duration();
    let mut before = Sample::default();
    let mut cycles = 0;
    while cycles < CYCLES && (now() < end || cycles <= FIRST) {
        let last = targets.pid(0);
        client.begin(Draw { target: 0, ms: 0 });
        eventually("an answer", || ledger.open() == 0);
        eventually("the server has ended", || !processes::is_alive(targets.pid(0)));
        // A call that came while it ended is one that it did not answer.
        cycles += u64::from(targets.pid(0) != last);
        if cycles == FIRST {
            before = Sample::of(client.pid());
        }
    }
    let mut after = Sample::default();
    eventually("what the last server left is gone", || {
        after = Sample::of(client.pid());
        after.zombies == 0 && after.fds.abs_diff(before.fds) <= 2
    });
    let growth = (after.rss as f64 / before.rss as f64 - 1.0) * 100.0;
    let totals = ledger.totals();
    Figures::of("restarts", &plan)
        .with("cycles", cycles)
        .with("calls", totals.sent)
        .with("lost", totals.lost)
        .with("dup", totals.dup)
        .with("wrong", totals.wrong)
        .with("errors_while_it_ended", totals.errors())
        .with("rss", format!("{}->{}KiB({growth:+.1}%)", before.rss, after.rss))
        .with("fds", format!("{}->{}", before.fds, after.fds))
        .with("threads", format!("{}->{}", before.threads, after.threads))
        .with("zombies", after.zombies)
        .with("latency", &totals.latency)
        .print();
    totals.check();
    assert!(growth < 10.0 && after.threads.abs_diff(before.threads) <= 1, "{before:?} {after:?}");
    assert!(client.finish().success());
    eventually("no process is left", || conf.processes().is_empty());
}
