//! R16: two hundred calls and ten open streams when the gateway is asked to end.
//!
//! Calls that outlast the drain, and second signals, are in `tests/it/shutdown.rs`.

use crate::figures::Figures;
use crate::ledger::Ledger;
use crate::ledger::Targets;
use crate::ledger::Totals;
use crate::load::Draw;
use crate::load::Era;
use crate::load::server;
use crate::piped::Piped;
use crate::plan::Plan;
use crate::support::eventually::eventually;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::Reply;
use crate::support::processes;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use crate::web::Web;
use rustix::process::Signal;
use serde_json::json;
use std::sync::Arc;

const CALLS: usize = 200;
/// Streams of each kind.
const STREAMS: usize = 5;
const NAMES: [&str; 2] = ["s1", "s2"];
/// The calls are to run when the end is asked for, and to be over before the drain is.
const LEAST_MS: u64 = 1500;
const MOST_MS: u64 = 5000;

fn conf() -> Arc<TempConf> {
    TempConf::with(|conf| {
        let ledger = conf.dir().join("ledger").display().to_string();
        servers(NAMES.map(|name| (name, server(conf, name, &["--ledger", &ledger]))))
    })
}

/// Waits until the servers have got all calls.
fn all_run(conf: &TempConf) {
    eventually("all calls run", || {
        NAMES.iter().map(|name| conf.ledger("call", name).len()).sum::<usize>() == CALLS
    });
}

/// Streams that stay open: those of sessions, and those of modern clients that listen.
fn streams(gateway: &HttpGateway) -> Vec<Reply> {
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    let mut open = Vec::new();
    for _ in 0..STREAMS {
        open.push(gateway.legacy().send("GET", &[("accept", "text/event-stream")]).expect(200));
        let mut listening = gateway.modern().begin("subscriptions/listen", wanted.clone()).head().expect(200);
        listening.wait("acknowledged", |message| message.method().ends_with("acknowledged"));
        open.push(listening);
    }
    open
}

/// How many of the streams came to an end of their own, not by a broken connection.
fn ended(streams: Vec<Reply>) -> usize {
    let ends = |mut stream: Reply| loop {
        match stream.try_next() {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    };
    streams.into_iter().map(ends).filter(|ended| *ended).count()
}

/// The figures of one way to end.
fn figures(plan: &Plan, how: &str, totals: &Totals, seconds: f64) -> Figures {
    Figures::of("drain", plan)
        .with("by", how)
        .with("calls", totals.sent)
        .with("lost", totals.lost)
        .with("dup", totals.dup)
        .with("wrong", totals.wrong)
        .with("errors", totals.errors())
        .with("took_s", format!("{seconds:.1}"))
}

#[test]
#[ignore = "calls that take seconds; `.ci/run soak` runs it"]
fn sigterm_lets_two_hundred_calls_finish_and_ends_streams() {
    let plan = Plan::take();
    let conf = conf();
    let gateway = Gateway::on(&conf).http();
    let targets = Targets::new(NAMES);
    let ledgers = [Ledger::new(&targets), Ledger::new(&targets)];
    let clients = [
        Web::connect(&gateway, Era::Legacy, "l", &ledgers[0]),
        Web::connect(&gateway, Era::Modern, "m", &ledgers[1]),
    ];
    let open = streams(&gateway);
    let (mut began, mut late) = (now(), Ok(String::new()));
    std::thread::scope(|scope| {
        for place in 0..CALLS {
            let (client, mut random) = (&clients[place % 2], plan.random(place as u64));
            scope.spawn(move || {
                client.wire().call(Draw::any(&mut random, NAMES.len(), LEAST_MS, MOST_MS));
            });
        }
        all_run(&conf);
        processes::signal(gateway.pid(), Signal::TERM);
        began = now();
        eventually("it ends", || gateway.page("/readyz").0 == 503);
        late = clients[1].wire().status_of_a_call(Draw { target: 0, ms: 0 });
    });
    let exit = gateway.exit();
    let seconds = now().saturating_duration_since(began).as_secs_f64();
    let ended = ended(open);
    let totals = Totals::of(&ledgers);
    let late = late.unwrap_or_else(|error| error.to_string());
    figures(&plan, "SIGTERM", &totals, seconds)
        .with("streams_ended", ended)
        .with("late_call", format!("\"{late}\""))
        .print();
    totals.check();
    assert_eq!((totals.errors(), ended), (0, 2 * STREAMS), "{:#?}", totals.reasons);
    assert!(exit.success(), "{exit:?}: {}", gateway.stderr());
    assert!(late.contains(" 503 "), "a late call got {late:?}");
    eventually("no process is left", || conf.processes().is_empty());
}

#[test]
#[ignore = "calls that take seconds; `.ci/run soak` runs it"]
fn the_end_of_stdin_lets_two_hundred_calls_finish() {
    let plan = Plan::take();
    let conf = conf();
    let ledger = Ledger::new(&Targets::new(NAMES));
    let client = Piped::start(&Gateway::on(&conf), Era::Modern, "p", &ledger);
    let mut random = plan.random(0);
    (0..CALLS).for_each(|_| client.begin(Draw::any(&mut random, NAMES.len(), LEAST_MS, MOST_MS)));
    all_run(&conf);
    let began = now();
    let exit = client.finish();
    let seconds = now().saturating_duration_since(began).as_secs_f64();
    client.settle();
    let totals = ledger.totals();
    figures(&plan, "stdin", &totals, seconds).print();
    totals.check();
    assert_eq!(totals.errors(), 0, "{:#?}", totals.reasons);
    assert!(exit.success(), "{exit:?}: {}", client.stderr());
    eventually("no process is left", || conf.processes().is_empty());
}
