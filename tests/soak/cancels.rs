//! R15: calls are cancelled, and clients hang up, at any moment; nothing that was given out for them stays taken.
//!
//! Its servers take hardly more calls at once than there are: a place that is not given back soon leads to refusals. What
//! a server hears of a cancellation is in `tests/it/cancel.rs`.

use crate::figures::Figures;
use crate::ledger::Ledger;
use crate::ledger::Targets;
use crate::ledger::Totals;
use crate::load::Draw;
use crate::load::Era;
use crate::load::server;
use crate::piped::Piped;
use crate::plan::Plan;
use crate::plan::Ticker;
use crate::probe::Probe;
use crate::random::Random;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::web::Web;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

const NAMES: [&str; 2] = ["s1", "s2"];
/// Calls of one round on pipes, of which half are cancelled.
const ROUND: usize = 50;
/// Connections that hang up instead of reading their answer, in turn with those that read it.
const CONNECTIONS: usize = 20;
const LONGEST_MS: u64 = 200;
/// What each server, and each client, may have in flight: all of the above, and few more.
const ROOM: usize = 60;

fn conf() -> Arc<TempConf> {
    TempConf::with(|conf| {
        let entries =
            NAMES.map(|name| (name.to_owned(), server(conf, name, &[]).set("maxInFlight", ROOM).json()));
        let entries: serde_json::Map<_, _> = entries.into_iter().collect();
        json!({ "mcpServers": entries, "gateway": { "limits": { "inFlightPerClient": ROOM } } })
    })
}

/// Rounds of calls, half of them cancelled at any moment, until the end; how many were cancelled.
fn cancel(client: &Piped, mut random: Random, end: Instant) -> u64 {
    let mut cancelled = 0;
    while now() < end {
        (0..ROUND).for_each(|_| client.begin(Draw::any(&mut random, NAMES.len(), 1, LONGEST_MS)));
        let mut ticker = Ticker::every(Duration::from_millis(LONGEST_MS) / ROUND as u32 * 2);
        for _ in 0..ROUND / 2 {
            ticker.wait();
            cancelled += u64::from(client.cancel_any(&mut random));
        }
        client.settle();
    }
    cancelled
}

/// Calls whose client reads the answer or hangs up at any moment, until the end; how many hung up.
fn hang_up(client: &Web, mut random: Random, end: Instant) -> u64 {
    let mut hung_up = 0;
    while now() < end {
        let draw = Draw::any(&mut random, NAMES.len(), 1, LONGEST_MS);
        if random.below(2) == 0 {
            client.wire().call(draw);
        } else {
            hung_up += 1;
            client.wire().call_and_leave(draw, Duration::from_millis(random.below(LONGEST_MS)));
        }
    }
    hung_up
}

#[test]
#[ignore = "load for SOAK_SECONDS; `.ci/run soak` runs it"]
fn calls_that_are_given_up_give_back_their_places() {
    let plan = Plan::take();
    let conf = conf();
    let sides = [Targets::new(NAMES), Targets::new(NAMES)];
    let ledgers = [0, 1, 1].map(|side: usize| Ledger::new(&sides[side]));
    let http = Gateway::on(&conf).http();
    let piped = Piped::start(&Gateway::on(&conf), Era::Legacy, "p", &ledgers[0]);
    let clients = [
        Web::connect(&http, Era::Legacy, "l", &ledgers[1]),
        Web::connect(&http, Era::Modern, "m", &ledgers[2]),
    ];
    let probes = [Probe::on(piped.pid()), Probe::on(http.pid())];
    let end = now() + plan.duration() / 3;
    let (cancelled, hung_up) = std::thread::scope(|scope| {
        let leaving: Vec<_> = (0..CONNECTIONS)
            .map(|place| {
                let (client, random) = (&clients[place % 2], plan.random(1 + place as u64));
                scope.spawn(move || hang_up(client, random, end))
            })
            .collect();
        let cancelled = cancel(&piped, plan.random(0), end);
        (cancelled, leaving.into_iter().map(|one| one.join().expect("it ends")).sum::<u64>())
    });
    let changes = probes.each_ref().map(|probe| probe.change(plan.warm_up() / 2));
    drop(probes);
    let totals = Totals::of(&ledgers);
    Figures::of("cancels", &plan)
        .with("calls", totals.sent)
        .with("cancelled", cancelled)
        .with("hung_up", hung_up)
        .with("crossed", totals.crossed)
        .with("lost", totals.lost)
        .with("dup", totals.dup)
        .with("wrong", totals.wrong)
        .with("errors", totals.errors())
        .with("stdio", &changes[0])
        .with("http", &changes[1])
        .print();
    assert_eq!([totals.lost, totals.dup, totals.wrong], [0; 3], "{:#?}", totals.samples);
    assert_eq!(totals.errors(), 0, "{:#?}", totals.reasons);
    assert!(cancelled > 0 && hung_up > 0);
    for change in changes {
        assert!(change.growth() < 10.0, "{change}");
    }
    assert!(piped.finish().success(), "{}", piped.stderr());
}
