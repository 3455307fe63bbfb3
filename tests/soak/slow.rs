//! R14: clients that do not read what a server floods them with cost a bounded amount of memory, and the others nothing.
//!
//! A client on pipes that does not read is in `tests/it/limits.rs`.

use crate::figures::Figures;
use crate::latency::Latency;
use crate::ledger::Ledger;
use crate::ledger::Targets;
use crate::ledger::Totals;
use crate::load::Draw;
use crate::load::Era;
use crate::load::server;
use crate::plan::Plan;
use crate::plan::Ticker;
use crate::probe::Probe;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::Sent;
use crate::support::tempconf::TempConf;
use crate::web::Web;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Clients that read, and their connections.
const CONNECTIONS: usize = 40;
const PACE: Duration = Duration::from_millis(100);
/// Clients that do not.
const SLOW: usize = 20;
/// What the server tells each of them: 10 MB a second altogether.
const NOTICE_BYTES: u64 = 8192;
const NOTICES_A_SECOND: u64 = 64;
/// What may wait for each of them.
const QUEUE_BYTES: u64 = 1 << 20;
/// What the gateway may grow by, in KiB: the queues twice, and as much again for what else a connection costs.
const GROWTH: u64 = 4 * SLOW as u64 * (QUEUE_BYTES >> 10);

const NAMES: [&str; 4] = ["s1", "s2", "s3", "s4"];

/// Calls that are told much, by clients that read nothing.
fn flood(gateway: &HttpGateway, seconds: u64) -> Vec<Sent> {
    let arguments = json!({
        "tag": "slow", "flood": seconds * NOTICES_A_SECOND, "size": NOTICE_BYTES, "a_second": NOTICES_A_SECOND,
    });
    let clients = (0..SLOW).map(|place| match place % 2 {
        0 => gateway.legacy(),
        _ => gateway.modern(),
    });
    let call = |token: usize| json!({ "name": "flood__load", "arguments": arguments, "_meta": { "progressToken": token } });
    clients.enumerate().map(|(place, client)| client.begin("tools/call", call(place))).collect()
}

/// How many of these were given up by the gateway before their answer.
fn cut_off(slow: Vec<Sent>) -> usize {
    let answered = |sent: Sent| {
        let mut reply = sent.try_head()?;
        std::iter::from_fn(|| reply.try_next().ok().flatten()).find(|message| message.method().is_empty())
    };
    slow.into_iter().map(answered).filter(Option::is_none).count()
}

#[test]
#[ignore = "load for SOAK_SECONDS; `.ci/run soak` runs it"]
fn clients_that_do_not_read_harm_nobody_else() {
    let plan = Plan::take();
    let conf = TempConf::with(|conf| {
        let mut entries = serde_json::Map::new();
        for name in NAMES.into_iter().chain(["flood"]) {
            entries.insert(name.to_owned(), server(conf, name, &[]).json());
        }
        let limits = json!({ "clientQueueBytes": QUEUE_BYTES });
        json!({ "mcpServers": entries, "gateway": { "limits": limits } })
    });
    let gateway = Gateway::on(&conf).http();
    let targets = Targets::new(NAMES);
    let ledgers = [Ledger::new(&targets), Ledger::new(&targets)];
    let clients = [
        Web::connect(&gateway, Era::Legacy, "l", &ledgers[0]),
        Web::connect(&gateway, Era::Modern, "m", &ledgers[1]),
    ];
    let phase = |stream: u64, duration: Duration| -> Latency {
        let end = now() + duration;
        std::thread::scope(|scope| {
            for place in 0..CONNECTIONS {
                let (client, mut random) = (&clients[place % 2], plan.random(stream * 1000 + place as u64));
                let draw = move || Draw::any(&mut random, NAMES.len(), 0, 0);
                scope.spawn(move || client.keep_pace(Ticker::every(PACE), end, draw));
            }
        });
        merged(&ledgers)
    };
    let probe = Probe::on(gateway.pid());
    phase(0, plan.warm_up());
    let before = phase(1, plan.duration() / 6);
    let base = probe.last();
    let seconds = plan.seconds * 2 / 3;
    let slow = flood(&gateway, seconds);
    let during = phase(2, Duration::from_secs(seconds));
    let change = probe.change(plan.warm_up());
    drop(probe);
    let cut = cut_off(slow);
    let totals = Totals::of(&ledgers);
    Figures::of("slow", &plan)
        .with("slow_clients", SLOW)
        .with("flood_mb_each", (seconds * NOTICES_A_SECOND * NOTICE_BYTES) >> 20)
        .with("cut_off", cut)
        .with("calls", totals.sent)
        .with("lost", totals.lost)
        .with("dup", totals.dup)
        .with("wrong", totals.wrong)
        .with("errors", totals.errors())
        .with("p50/p99/max_before", &before)
        .with("with_slow", &during)
        .with("p99_ratio", format!("{:.2}", during.quantile(0.99) / before.quantile(0.99)))
        .with("rss_base", base.rss)
        .with("gateway", &change)
        .print();
    totals.check();
    assert_eq!(totals.errors(), 0, "{:#?}", totals.reasons);
    assert!(change.most <= base.rss + GROWTH, "{} KiB grew to {} KiB", base.rss, change.most);
}

fn merged(ledgers: &[Arc<Ledger>]) -> Latency {
    ledgers.iter().fold(Latency::default(), |mut sum, ledger| {
        sum.merge(&ledger.take_latency());
        sum
    })
}
