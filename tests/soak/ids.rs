//! R4: fifty clients use the same ids, as numbers and as texts, and the same progress tokens; nobody hears what is
//! another's.
//!
//! Ids that are no ids are in `tests/it/input.rs`.

use crate::figures::Figures;
use crate::ledger::Ledger;
use crate::ledger::Targets;
use crate::ledger::Totals;
use crate::load::Draw;
use crate::load::Era;
use crate::load::server;
use crate::plan::Plan;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use crate::web::Web;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

const CLIENTS: usize = 50;
/// Connections of each client: calls that it has in flight at once.
const CONNECTIONS: usize = 2;
/// Calls of each client in ten minutes.
const CALLS: u64 = 10_000;
/// Of so many calls of a client with a session one has an id that is in flight, to be refused.
const DUPLICATES: u64 = 100;
/// How long those calls take.
const LONG_MS: u64 = 1000;

/// A number as an id: the same number stands for two ids.
fn id(number: u64) -> String {
    match number % 2 {
        0 => (number / 2).to_string(),
        _ => format!("\"{}\"", number / 2),
    }
}

/// One client and where it stands.
struct Client {
    web: Web,
    next: AtomicU64,
    refused: AtomicU64,
    expected: AtomicU64,
}

impl Client {
    /// Makes its calls over one connection.
    fn run(&self, calls: u64, mut draw: impl FnMut() -> Draw) {
        let mut wire = self.web.wire();
        loop {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            if number > calls {
                return;
            }
            let mut draw = draw();
            let twice = self.web.has_session() && number.is_multiple_of(DUPLICATES);
            if !twice {
                wire.call_as(&id(number), number, draw);
                continue;
            }
            draw.ms = LONG_MS;
            self.expected.fetch_add(1, Ordering::SeqCst);
            let refused = wire.call_twice(&id(number), number, draw);
            self.refused.fetch_add(refused.into(), Ordering::SeqCst);
        }
    }
}

#[test]
#[ignore = "load for SOAK_SECONDS; `.ci/run soak` runs it"]
fn ids_that_all_clients_use_never_cross() {
    let plan = Plan::take();
    let conf =
        TempConf::with(|conf| servers(["s1", "s2", "s3", "s4"].map(|name| (name, server(conf, name, &[])))));
    let gateway = Gateway::on(&conf).http();
    let targets = Targets::new(["s1", "s2", "s3", "s4"]);
    let ledgers: Vec<Arc<Ledger>> = (0..CLIENTS).map(|_| Ledger::new(&targets)).collect();
    let clients: Vec<Client> = ledgers
        .iter()
        .enumerate()
        .map(|(place, ledger)| {
            let era = if place % 2 == 0 { Era::Legacy } else { Era::Modern };
            let web = Web::connect(&gateway, era, &format!("c{place}"), ledger).with_progress();
            let [next, refused, expected] = [1, 0, 0].map(AtomicU64::new);
            Client { web, next, refused, expected }
        })
        .collect();
    let calls = plan.share_of(CALLS);
    let began = now();
    std::thread::scope(|scope| {
        for (place, client) in clients.iter().enumerate() {
            for wire in 0..CONNECTIONS {
                let mut random = plan.random((place * CONNECTIONS + wire) as u64);
                let draw = move || Draw::any(&mut random, 4, 0, 30);
                scope.spawn(move || client.run(calls, draw));
            }
        }
    });
    let seconds = now().saturating_duration_since(began).as_secs_f64();
    let sum = |of: fn(&Client) -> &AtomicU64| -> u64 {
        clients.iter().map(|client| of(client).load(Ordering::SeqCst)).sum()
    };
    let (refused, expected) = (sum(|client| &client.refused), sum(|client| &client.expected));
    let totals = Totals::of(&ledgers);
    Figures::of("ids", &plan)
        .with("clients", CLIENTS)
        .with("calls_each", calls)
        .with("scale", format!("{calls}/{CALLS}"))
        .with("calls", totals.sent)
        .with("lost", totals.lost)
        .with("dup", totals.dup)
        .with("wrong", totals.wrong)
        .with("errors", totals.errors())
        .with("progress", totals.progress)
        .with("same_id_refused", format!("{refused}/{expected}"))
        .with("took_s", format!("{seconds:.1}"))
        .with("latency", &totals.latency)
        .print();
    totals.check();
    assert_eq!((totals.errors(), refused), (0, expected), "{:#?}", totals.reasons);
    assert_eq!(totals.progress, totals.sent, "each call has one notification of progress");
}
