//! S18: what costs a stranger next to nothing costs the gateway bounded memory, and the others nothing: sessions that are
//! opened and left, wrong keys, connections that say nothing.
//!
//! Single slow headers and bodies are in `tests/it/limits.rs`.

use crate::figures::Figures;
use crate::latency::Latency;
use crate::ledger::Ledger;
use crate::ledger::Targets;
use crate::load::Draw;
use crate::load::Era;
use crate::load::server;
use crate::plan::Plan;
use crate::plan::Ticker;
use crate::probe::Probe;
use crate::probe::Sample;
use crate::support::eventually::eventually;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use crate::web::Web;
use serde_json::json;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Duration;

/// What the gateway may grow by, in KiB.
const GROWTH: u64 = 64 << 10;
/// Strangers at once.
const STRANGERS: usize = 4;
/// Requests of each, for ten minutes of load.
const EACH: u64 = 25_000;
/// Connections that say nothing; as many again are opened than the gateway takes.
const SILENT: usize = 200;
/// So many who come then are told that there are too many, which takes each of them a second at most.
const TOLD: u64 = 64;
/// Files that the gateway may open meanwhile for something else.
const OTHERS: u64 = 20;
const TOKEN: &str = "a-token-that-is-long-enough";
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"stranger","version":"1"}}}"#;

/// Somebody whose connection is kept.
struct Stranger {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
}

impl Stranger {
    fn come(host: SocketAddr) -> Self {
        let stream = TcpStream::connect(host).expect("it listens");
        Self { stream: BufReader::new(stream), host }
    }

    /// The status of the answer.
    fn ask(&mut self, more: &str) -> u16 {
        let (host, length) = (self.host, INITIALIZE.len());
        let text = format!(
            "POST /mcp HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             accept: application/json, text/event-stream\r\n{more}\r\n{INITIALIZE}"
        );
        let answer = self.stream.get_mut().write_all(text.as_bytes()).and_then(|()| self.answer());
        answer.unwrap_or_else(|_| {
            *self = Self::come(self.host);
            0
        })
    }

    fn answer(&mut self) -> std::io::Result<u16> {
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap_or_default();
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap_or_default();
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(status)
    }
}

/// All strangers ask at once; how often each status came.
fn crowd(host: SocketAddr, each: u64, more: &str) -> Vec<(u16, u64)> {
    let one = || {
        let mut stranger = Stranger::come(host);
        (0..each).map(|_| stranger.ask(more)).collect::<Vec<_>>()
    };
    let all: Vec<u16> = std::thread::scope(|scope| {
        let crowd: Vec<_> = (0..STRANGERS).map(|_| scope.spawn(one)).collect();
        crowd.into_iter().flat_map(|stranger| stranger.join().expect("it does not panic")).collect()
    });
    let mut counted: Vec<(u16, u64)> = Vec::new();
    for status in all {
        match counted.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => counted.push((status, 1)),
        }
    }
    counted
}

/// How fast a client is answered meanwhile.
fn good(client: &Web, ledger: &std::sync::Arc<Ledger>, duration: Duration) -> Latency {
    client.keep_pace(Ticker::every(Duration::from_millis(5)), now() + duration, || Draw { target: 0, ms: 0 });
    ledger.take_latency()
}

#[test]
#[ignore = "tens of thousands of requests; `.ci/run soak` runs it"]
fn strangers_cost_bounded_memory() {
    let plan = Plan::take();
    let conf = TempConf::with(|conf| {
        let mut config = servers([("s", server(conf, "s", &[]))]);
        config["gateway"] = json!({ "http": { "maxConnections": SILENT } });
        config
    });
    let gateway = Gateway::on(&conf).http();
    let (host, pid) = (gateway.addr(), gateway.pid());
    let ledger = Ledger::new(&Targets::new(["s"]));
    let client = Web::connect(&gateway, Era::Modern, "g", &ledger);
    let before = good(&client, &ledger, Duration::from_secs(2));
    let base = Sample::of(pid);
    let probe = Probe::on(pid);

    let each = plan.share_of(EACH);
    let (opened, during) = std::thread::scope(|scope| {
        let crowd = scope.spawn(|| crowd(host, each, ""));
        let during = good(&client, &ledger, Duration::from_secs(2));
        (crowd.join().expect("it does not panic"), during)
    });
    let silent: Vec<TcpStream> = (0..SILENT * 2).filter_map(|_| TcpStream::connect(host).ok()).collect();
    let open = || Sample::of(pid).fds.saturating_sub(base.fds);
    let most = (0..50).map(|_| open()).max().unwrap_or_default();
    let connected = silent.len();
    eventually("those who were told are gone", || open() <= SILENT as u64 + OTHERS);
    let held = open();
    drop(silent);
    eventually("the silent ones are gone", || Sample::of(pid).fds < base.fds + 20);
    let after = good(&client, &ledger, Duration::from_secs(1));
    let change = probe.change(Duration::ZERO);
    let totals = ledger.totals();
    Figures::of("strangers", &plan)
        .with("initialize", each * STRANGERS as u64)
        .with("answers", format!("{opened:?}"))
        .with("silent", connected)
        .with("held_most", most)
        .with("held", held)
        .with("p50/p99/max_before", &before)
        .with("during", &during)
        .with("after", &after)
        .with("rss_base", base.rss)
        .with("gateway", &change)
        .print();
    totals.check();
    assert_eq!(totals.errors(), 0, "{:#?}", totals.reasons);
    assert!(held <= SILENT as u64 + OTHERS, "{held} connections are held");
    assert!(most <= SILENT as u64 + TOLD + OTHERS, "{most} connections were held");
    assert!(opened.iter().all(|(status, _)| matches!(status, 200 | 503)), "{opened:?}");
    assert!(change.most <= base.rss + GROWTH, "{} KiB grew to {} KiB", base.rss, change.most);
}

#[test]
#[ignore = "tens of thousands of requests; `.ci/run soak` runs it"]
fn wrong_keys_cost_bounded_memory_and_are_never_let_in() {
    let plan = Plan::take();
    let conf = TempConf::with(|conf| {
        let mut config = servers([("s", server(conf, "s", &[]))]);
        config["gateway"] = json!({ "http": { "bearerTokens": [TOKEN] } });
        config
    });
    let gateway = Gateway::on(&conf).http();
    let (host, pid) = (gateway.addr(), gateway.pid());
    let good = format!("authorization: Bearer {TOKEN}\r\n");
    assert_eq!(Stranger::come(host).ask(&good), 200);
    let base = Sample::of(pid);
    let probe = Probe::on(pid);
    let each = plan.share_of(EACH);
    let refused = crowd(host, each, "authorization: Bearer a-token-that-is-long-but-wrong\r\n");
    let lines = gateway.stderr().lines().count();
    let change = probe.change(Duration::ZERO);
    Figures::of("wrong_keys", &plan)
        .with("requests", each * STRANGERS as u64)
        .with("answers", format!("{refused:?}"))
        .with("log_lines", lines)
        .with("rss_base", base.rss)
        .with("gateway", &change)
        .print();
    assert!(refused.iter().all(|(status, _)| matches!(status, 0 | 401 | 429)), "{refused:?}");
    assert!(change.most <= base.rss + GROWTH, "{} KiB grew to {} KiB", base.rss, change.most);
    assert!(lines < 200, "{lines} lines in the log");
}
