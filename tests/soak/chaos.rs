//! R1: children are killed and the file is rewritten while four clients have 200 calls in flight.
//!
//! How a child ends of its own is in `tests/it/crash.rs`.

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
use crate::plan::bound;
use crate::probe::Probe;
use crate::probe::is_marked;
use crate::probe::is_named;
use crate::random::Random;
use crate::support::eventually::now;
use crate::support::eventually::within;
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

/// Servers 1–4 are killed, 5–7 are left alone, 8 is edited.
const SERVERS: usize = 8;
const KILLED: usize = 4;
/// Calls in flight of each of the four clients.
const IN_FLIGHT: usize = 50;
/// How soon a killed server answers again, on a quiet machine.
const BACK_WITHIN: Duration = Duration::from_secs(2);

fn name(target: usize) -> String {
    format!("s{}", target + 1)
}

/// The file, whose last entry is another one each time.
fn file(conf: &TempConf, version: u64) -> Value {
    let entries = (0..SERVERS).map(|target| {
        let mut entry = server(conf, &name(target), &[]);
        if target == SERVERS - 1 {
            entry = entry.args(&["--instructions", &format!("version {version}")]);
        }
        (name(target), entry.json())
    });
    json!({ "mcpServers": entries.collect::<serde_json::Map<_, _>>() })
}

/// Rewrites the file every 500 ms until the end, in place and by renaming in turn; how often.
fn rewrite(conf: &TempConf, end: Instant) -> u64 {
    let mut ticker = Ticker::every(Duration::from_millis(500));
    let mut version = 0;
    while now() < end {
        ticker.wait_for_next();
        version += 1;
        let config = file(conf, version);
        match version % 2 {
            0 => conf.write(&config),
            _ => std::fs::write(conf.file(), format!("{config:#}\n")).expect("the file can be written"),
        }
    }
    version
}

/// What became of the servers that were killed.
#[derive(Default)]
struct Kills {
    count: u64,
    /// Of them those before the server was ready.
    at_start: u64,
    slowest: Duration,
    /// Those that did not answer in time.
    late: Vec<String>,
}

/// Kills one child of one gateway every second until the end, and waits for its successor to answer.
fn kill(conf: &TempConf, sides: &[Arc<Targets>], mut random: Random, end: Instant) -> Kills {
    let mut ticker = Ticker::every(Duration::from_secs(1));
    let mut kills = Kills::default();
    loop {
        ticker.wait_for_next();
        // A server that is killed at the very end has nobody who calls it.
        if now() + bound(BACK_WITHIN) > end {
            return kills;
        }
        let side = &sides[random.below(sides.len() as u64) as usize];
        let target = random.below(KILLED as u64) as usize;
        let pid = side.pid(target);
        if !is_marked(pid, &conf.mark()) {
            continue;
        }
        let others = processes::marked(&conf.mark());
        processes::signal(pid, Signal::KILL);
        if random.below(4) == 0 {
            kills.at_start += u64::from(kill_successor(conf, &name(target), &others));
        }
        let began = now();
        if !within(bound(BACK_WITHIN), || side.pid(target) != pid) {
            kills.late.push(format!("{} after kill {}", name(target), kills.count));
        }
        kills.count += 1;
        kills.slowest = kills.slowest.max(now().saturating_duration_since(began));
    }
}

/// Kills the process of a server that was not there before, as soon as there is one. False when none comes in time.
fn kill_successor(conf: &TempConf, name: &str, before: &[u32]) -> bool {
    let is_new = |pid: &u32| !before.contains(pid) && is_named(*pid, name);
    let mut found = None;
    within(BACK_WITHIN / 4, || {
        found = processes::marked(&conf.mark()).into_iter().find(is_new);
        found.is_some()
    });
    found.inspect(|pid| processes::signal(*pid, Signal::KILL)).is_some()
}

/// The gateways and clients of the test.
struct Rig {
    piped: Piped,
    web: [Web; 3],
}

impl Rig {
    /// All clients have their calls in flight until the end.
    fn run(&self, conf: &TempConf, plan: &Plan, sides: &[Arc<Targets>; 2]) -> (Kills, u64) {
        let end = now() + plan.duration();
        let draw = |stream| {
            let mut random = plan.random(stream);
            move || Draw::any(&mut random, SERVERS, 20, 300)
        };
        std::thread::scope(|scope| {
            scope.spawn(|| self.piped.keep_busy(IN_FLIGHT, end, draw(0)));
            for (place, web) in self.web.iter().enumerate() {
                for wire in 0..IN_FLIGHT {
                    let draw = draw((1 + place * IN_FLIGHT + wire) as u64);
                    scope.spawn(move || web.keep_busy(end, draw));
                }
            }
            let rewriting = scope.spawn(|| rewrite(conf, end));
            let kills = kill(conf, sides, plan.random(1000), end);
            (kills, rewriting.join().expect("the file is rewritten to the end"))
        })
    }
}

#[test]
#[ignore = "load for SOAK_SECONDS; `.ci/run soak` runs it"]
fn every_call_has_one_answer_while_servers_are_killed_and_the_file_is_rewritten() {
    let plan = Plan::take();
    let conf = TempConf::new();
    conf.write(&file(&conf, 0));
    let sides = [Targets::new((0..SERVERS).map(name)), Targets::new((0..SERVERS).map(name))];
    let ledgers = [0, 1, 1, 1].map(|side: usize| Ledger::new(&sides[side]));
    let http = Gateway::on(&conf).http();
    let rig = Rig {
        piped: Piped::start(&Gateway::on(&conf), Era::Legacy, "p", &ledgers[0]),
        web: [
            Web::connect(&http, Era::Legacy, "l", &ledgers[1]),
            Web::connect(&http, Era::Modern, "m", &ledgers[2]),
            Web::connect(&http, Era::Modern, "n", &ledgers[3]),
        ],
    };
    let probes = [Probe::on(rig.piped.pid()), Probe::on(http.pid())];
    let (kills, rewrites) = rig.run(&conf, &plan, &sides);
    let changes = probes.each_ref().map(|probe| probe.change(plan.warm_up()));
    rig.piped.settle();
    let zombies = probes.each_ref().map(Probe::zombies);
    drop(probes);
    let totals = Totals::of(&ledgers);
    let of = |targets: std::ops::Range<usize>| -> u64 {
        targets.filter_map(|target| totals.failed.get(&target)).sum()
    };
    let strays = end(&conf, &rig.piped, &http);
    Figures::of("chaos", &plan)
        .with("calls", totals.sent)
        .with("lost", totals.lost)
        .with("dup", totals.dup)
        .with("wrong", totals.wrong)
        .with("unnamed", totals.unnamed)
        .with("kills", kills.count)
        .with("kills_at_start", kills.at_start)
        .with("errors_killed", of(0..KILLED))
        .with("errors_untouched", of(KILLED..SERVERS - 1))
        .with("errors_edited", of(SERVERS - 1..SERVERS))
        .with("back_ms", kills.slowest.as_millis())
        .with("rewrites", rewrites)
        .with("latency", &totals.latency)
        .with("stdio", &changes[0])
        .with("http", &changes[1])
        .with("zombies", zombies.iter().sum::<u64>())
        .with("strays", strays)
        .print();
    totals.check();
    assert_eq!(of(KILLED..SERVERS), 0, "{:#?}", totals.reasons);
    assert_eq!(kills.late, [""; 0], "not back within {:?}", bound(BACK_WITHIN));
    assert!(kills.count > 0);
    assert_eq!((zombies, strays), ([0, 0], 0));
    for change in changes {
        assert!(change.growth() < 10.0 && change.fds() <= 5, "{change}");
    }
}

/// Ends both gateways; how many processes they leave behind.
fn end(conf: &TempConf, piped: &Piped, http: &HttpGateway) -> usize {
    processes::signal(http.pid(), Signal::TERM);
    assert!(http.exit().success(), "{}", http.stderr());
    assert!(piped.finish().success(), "{}", piped.stderr());
    within(Duration::from_secs(5), || conf.processes().is_empty());
    conf.processes().len()
}
