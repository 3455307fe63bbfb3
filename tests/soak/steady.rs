//! R21: calls at a steady rate, clients that come and go, now and then a kill and an edit; memory does not creep up.
//!
//! It is meant for hours (`SOAK_SECONDS=86400`); in a minute it only shows that nothing leaks fast.

use crate::figures::Figures;
use crate::ledger::Ledger;
use crate::ledger::Targets;
use crate::ledger::Totals;
use crate::load::Draw;
use crate::load::Era;
use crate::load::server;
use crate::plan::Plan;
use crate::plan::Ticker;
use crate::probe::Probe;
use crate::probe::is_marked;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::processes;
use crate::support::tempconf::TempConf;
use crate::web::Web;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// The last one is edited, the one before is killed.
const NAMES: [&str; 4] = ["s1", "s2", "killed", "edited"];
/// Each makes five calls a second.
const CONNECTIONS: usize = 20;
const PACE: Duration = Duration::from_millis(200);
/// Between two kills, and between two edits; sooner in a short run.
const RARELY: Duration = Duration::from_secs(60);

fn file(conf: &TempConf, version: u64) -> Value {
    let mut entries = serde_json::Map::new();
    for name in NAMES {
        let text = if name == "edited" { format!("version {version}") } else { String::new() };
        entries.insert(name.to_owned(), server(conf, name, &["--instructions", &text]).json());
    }
    // Sessions that were left are forgotten while the test runs.
    json!({ "mcpServers": entries, "gateway": { "http": { "sessionIdle": "5s" } } })
}

/// A client that comes, lists, calls and goes, every second one without a word; how many came.
fn come_and_go(gateway: &HttpGateway, ledger: &Arc<Ledger>, end: Instant) -> u64 {
    let mut ticker = Ticker::every(Duration::from_secs(1));
    let mut count = 0;
    while now() < end {
        ticker.wait_for_next();
        let visitor = gateway.legacy();
        for list in ["tools/list", "prompts/list", "resources/list"] {
            visitor.request(list, json!({})).result();
        }
        Web::connect(gateway, Era::Modern, &format!("v{count}"), ledger)
            .visit(count, Draw { target: 0, ms: 5 });
        if count % 2 == 0 {
            visitor.send("DELETE", &[]);
        }
        count += 1;
    }
    count
}

/// Kills and edits in turn until the end; how many kills.
fn disturb(conf: &TempConf, targets: &Targets, plan: &Plan, end: Instant) -> u64 {
    let mut ticker = Ticker::every(RARELY.min(plan.duration() / 5) / 2);
    let (mut round, mut kills) = (0, 0);
    while now() < end {
        ticker.wait_for_next();
        round += 1;
        let pid = targets.pid(2);
        if round % 2 == 0 {
            conf.write(&file(conf, round));
        } else if is_marked(pid, &conf.mark()) {
            processes::signal(pid, Signal::KILL);
            kills += 1;
        }
    }
    kills
}

#[test]
#[ignore = "load for SOAK_SECONDS; `.ci/run soak` runs it"]
fn nothing_creeps_up_while_clients_come_and_go() {
    let plan = Plan::take();
    let conf = TempConf::new();
    conf.write(&file(&conf, 0));
    let gateway = Gateway::on(&conf).http();
    let targets = Targets::new(NAMES);
    let ledgers = [0; 3].map(|_| Ledger::new(&targets));
    let clients = [
        Web::connect(&gateway, Era::Legacy, "l", &ledgers[0]),
        Web::connect(&gateway, Era::Modern, "m", &ledgers[1]),
    ];
    let probe = Probe::on(gateway.pid());
    let end = now() + plan.duration();
    let (visitors, kills) = std::thread::scope(|scope| {
        for place in 0..CONNECTIONS {
            let (client, mut random) = (&clients[place % clients.len()], plan.random(place as u64));
            let draw = move || Draw::any(&mut random, NAMES.len(), 0, 100);
            scope.spawn(move || client.keep_pace(Ticker::every(PACE), end, draw));
        }
        let visiting = scope.spawn(|| come_and_go(&gateway, &ledgers[2], end));
        let kills = disturb(&conf, &targets, &plan, end);
        (visiting.join().expect("clients come to the end"), kills)
    });
    let (change, slope) = (probe.change(plan.warm_up()), probe.slope(plan.warm_up()));
    drop(probe);
    let totals = Totals::of(&ledgers);
    Figures::of("steady", &plan)
        .with("calls", totals.sent)
        .with("lost", totals.lost)
        .with("dup", totals.dup)
        .with("wrong", totals.wrong)
        .with("unnamed", totals.unnamed)
        .with("errors", totals.errors())
        .with("visitors", visitors)
        .with("kills", kills)
        .with("latency", &totals.latency)
        .with("gateway", &change)
        .with("rss_slope_kib_per_minute", format!("{:.1}", slope * 60.0))
        .print();
    totals.check();
    let elsewhere: u64 =
        totals.failed.iter().filter(|(target, _)| **target != 2).map(|(_, count)| count).sum();
    assert_eq!(elsewhere, 0, "{:#?}", totals.reasons);
    assert!(kills > 0 && change.growth() < 10.0 && change.fds() <= 5, "{change}");
}
