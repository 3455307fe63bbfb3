//! R17: the file is edited twice a second while calls go to servers that no edit concerns.
//!
//! Ways of saving and broken files are in `tests/it/reload.rs`.

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
use crate::support::eventually::eventually;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::tempconf::TempConf;
use crate::web::Web;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

const KEPT: [&str; 4] = ["k1", "k2", "k3", "k4"];
/// Each has one call in flight at a time, and makes ten a second.
const CONNECTIONS: usize = 50;
const PACE: Duration = Duration::from_millis(100);
/// Between two edits.
const EDIT: Duration = Duration::from_millis(500);
/// A call to the server that is removed, which takes longer than the edits until then.
const LONG_CALL_MS: u64 = 1800;

/// What is in the file besides the servers under load.
#[derive(Default)]
struct File {
    extra: bool,
    other: u64,
    hidden: bool,
}

impl File {
    fn write(&self, conf: &TempConf) {
        let mut servers = serde_json::Map::new();
        for name in KEPT {
            servers.insert(name.to_owned(), server(conf, name, &[]).json());
        }
        let instructions = format!("version {}", self.other);
        let other = server(conf, "other", &["--instructions", &instructions]);
        let excluded = if self.hidden { json!(["load"]) } else { json!([]) };
        servers.insert("other".into(), other.set("excludeTools", excluded).json());
        if self.extra {
            let ledger = conf.dir().join("ledger").display().to_string();
            servers.insert("extra".into(), server(conf, "extra", &["--ledger", &ledger]).json());
        }
        conf.write(&json!({ "mcpServers": servers }));
    }
}

/// Edits until the end, while calls run on the server that is removed.
struct Editor<'a> {
    conf: &'a TempConf,
    gateway: &'a HttpGateway,
    passenger: Arc<Ledger>,
}

impl Editor<'_> {
    /// Adds a server, changes another, removes the first during a call, changes who may call what; again and again.
    /// How many edits, and how long an added tool was not listed at most.
    fn run(&self, end: Instant) -> (u64, Duration) {
        let (mut file, mut ticker) = (File::default(), Ticker::every(EDIT));
        let (mut edits, mut unseen) = (0, Duration::ZERO);
        let client = Web::connect(self.gateway, Era::Modern, "x", &self.passenger);
        // Whoever is removed has a call to finish: no round is begun that cannot be ended.
        while now() + EDIT * 6 < end {
            let calls = self.conf.ledger("call", "extra").len();
            ticker.wait_for_next();
            file.extra = true;
            file.write(self.conf);
            let began = now();
            let listed = self.gateway.modern();
            eventually("the new tool is listed", || {
                listed.request("tools/list", json!({})).tools().contains(&"extra__load".to_owned())
            });
            unseen = unseen.max(now().saturating_duration_since(began));
            std::thread::scope(|scope| {
                scope.spawn(|| client.wire().call(Draw { target: 0, ms: LONG_CALL_MS }));
                eventually("the call runs", || self.conf.ledger("call", "extra").len() > calls);
                for step in 0..3 {
                    ticker.wait_for_next();
                    match step {
                        0 => file.other += 1,
                        1 => file.extra = false,
                        _ => file.hidden = !file.hidden,
                    }
                    file.write(self.conf);
                }
            });
            edits += 4;
        }
        (edits, unseen)
    }
}

#[test]
#[ignore = "load for SOAK_SECONDS; `.ci/run soak` runs it"]
fn no_call_fails_and_no_process_changes_while_other_entries_are_edited() {
    let plan = Plan::take();
    let conf = TempConf::new();
    // The first list is to be whole.
    File { extra: true, ..File::default() }.write(&conf);
    let gateway = Gateway::on(&conf).http();
    let targets = Targets::new(KEPT);
    let passenger = Ledger::new(&Targets::new(["extra"]));
    let ledgers = [Ledger::new(&targets), Ledger::new(&targets)];
    let clients = [
        Web::connect(&gateway, Era::Legacy, "l", &ledgers[0]),
        Web::connect(&gateway, Era::Modern, "m", &ledgers[1]),
    ];
    File::default().write(&conf);
    let probe = Probe::on(gateway.pid());
    let end = now() + plan.duration();
    let editor = Editor { conf: &conf, gateway: &gateway, passenger: Arc::clone(&passenger) };
    let (edits, unseen) = std::thread::scope(|scope| {
        for place in 0..CONNECTIONS {
            let (client, mut random) = (&clients[place % clients.len()], plan.random(place as u64));
            let draw = move || Draw::any(&mut random, KEPT.len(), 0, 50);
            scope.spawn(move || client.keep_pace(Ticker::every(PACE), end, draw));
        }
        editor.run(end)
    });
    let change = probe.change(plan.warm_up());
    let zombies = probe.zombies();
    drop(probe);
    let (totals, removed) = (Totals::of(&ledgers), passenger.totals());
    Figures::of("reload", &plan)
        .with("calls", totals.sent)
        .with("per_second", totals.sent / plan.seconds)
        .with("lost", totals.lost)
        .with("dup", totals.dup)
        .with("wrong", totals.wrong)
        .with("errors", totals.errors())
        .with("edits", edits)
        .with("pid_changes", targets.changes())
        .with("removed_calls", removed.sent)
        .with("removed_errors", removed.errors())
        .with("listed_after_ms", unseen.as_millis())
        .with("latency", &totals.latency)
        .with("gateway", &change)
        .with("zombies", zombies)
        .print();
    totals.check();
    removed.check();
    assert_eq!((totals.errors(), removed.errors()), (0, 0), "{:#?} {:#?}", totals.reasons, removed.reasons);
    assert_eq!(targets.changes(), 0);
    assert!(edits > 0 && change.growth() < 10.0 && zombies == 0, "{change}");
}
