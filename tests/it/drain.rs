//! The end of a busy gateway: what runs is finished or answered, what comes new is told, and then nothing is left.
//!
//! That processes of servers end, and how, is in `shutdown.rs`.

use crate::support::eventually::eventually;
use crate::support::eventually::now;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::http_client::Sent;
use crate::support::message::Message;
use crate::support::processes;
use crate::support::stdio_client::with_modern_meta;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// Beyond the drain: for processes to end and answers to be written, on a slow machine.
const SLACK: Duration = Duration::from_secs(10);

/// A folder with the server `a`; calls have this long to finish.
fn conf(drain: &str) -> Arc<TempConf> {
    TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a"))]);
        config["gateway"] = json!({ "drainTimeout": drain });
        config
    })
}

/// Asks it to end, and waits until it says so.
fn terminate(gateway: &HttpGateway) {
    assert_eq!(gateway.page("/readyz"), (200, json!({ "status": "ready" })));
    processes::signal(gateway.pid(), Signal::TERM);
    let ending = json!({ "status": "not ready", "reason": "the gateway is shutting down" });
    eventually("it ends", || gateway.page("/readyz") == (503, ending.clone()));
}

/// The one answer to a call.
fn the_answer(sent: Sent) -> Message {
    let mut answers = sent.head().expect(200).messages();
    answers.retain(|message| message.json.get("id").is_some());
    assert_eq!(answers.len(), 1, "one call has one answer");
    answers.remove(0)
}

/// A call that is refused because the gateway ends.
fn is_turned_away(client: &HttpClient, method: &str, params: Value) {
    let reply = client.begin(method, params).head().expect(503);
    assert_eq!(reply.header("retry-after"), Some("1"));
    let answer = Message::new(reply.body());
    assert!(answer.error_text().contains("shutting down"), "{}", answer.raw);
    assert!(answer.json["id"].is_number(), "it names the request: {}", answer.raw);
}

#[test]
fn at_the_end_calls_in_flight_are_answered_once_streams_end_well_and_new_calls_are_turned_away() {
    let conf = conf("60s");
    let gateway = Gateway::on(&conf).http();
    let sessions: Vec<HttpClient> = (0..10).map(|_| gateway.legacy()).collect();
    let modern = gateway.modern();
    let clients: Vec<&HttpClient> = sessions.iter().chain((0..10).map(|_| &modern)).collect();
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    let streams: Vec<_> = (0..5)
        .flat_map(|n| {
            let told = sessions[n].send("GET", &[("accept", "text/event-stream")]).expect(200);
            let mut listening = modern.begin("subscriptions/listen", wanted.clone()).head();
            assert!(listening.next().is_some_and(|message| message.method().ends_with("acknowledged")));
            [(false, told), (true, listening)]
        })
        .collect();
    let calls: Vec<_> = (0..200)
        .map(|n| {
            let params = json!({ "name": "a__sleep", "arguments": { "ms": n * 31 % 1500 + 500 } });
            clients[n % clients.len()].begin("tools/call", params)
        })
        .collect();
    // It holds the end until everything was looked at.
    let hang = json!({ "name": "a__hang", "arguments": {} });
    let holds =
        json!({ "jsonrpc": "2.0", "id": "holds", "method": "tools/call", "params": hang }).to_string();
    let holds = sessions[9].start("POST", &[], &holds);
    eventually("all calls run", || conf.ledger("call", "a").len() == 201);

    terminate(&gateway);
    let call = json!({ "name": "a__pid", "arguments": {} });
    is_turned_away(&sessions[0], "tools/call", call.clone());
    is_turned_away(&modern, "tools/call", call);
    is_turned_away(&modern, "subscriptions/listen", wanted);
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "rig", "version": "1" } });
    is_turned_away(&gateway.client(), "initialize", hello);
    assert_eq!(gateway.page("/healthz").0, 200);
    assert_eq!(gateway.status()["state"], "the gateway is shutting down");

    for (answers, stream) in streams {
        let last = stream.whole().pop();
        let said = last.is_some_and(|last| last.json["result"]["resultType"] == "complete");
        assert_eq!(said, answers, "a subscription is a request, the stream of a session is none");
    }
    for sent in calls {
        let answer = the_answer(sent);
        assert!(answer.json.get("result").is_some(), "{}", answer.raw);
        assert_eq!(answer.text(), "slept");
    }
    let over =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "holds" } });
    sessions[9].post(&over.to_string(), &[]).expect(202);
    assert!(
        holds.head().messages().iter().all(|message| message.json.get("id").is_none()),
        "it was cancelled"
    );
    assert_eq!(gateway.exit().code(), Some(0), "{}", gateway.stderr());
    eventually("the server is gone", || conf.processes().is_empty());
    assert_eq!(conf.ledger("call", "a").len(), 201, "nothing that was turned away was run");
}

#[test]
fn calls_that_outlast_the_drain_get_one_error_each() {
    let conf = conf("500ms");
    let gateway = Gateway::on(&conf).http();
    let (session, modern) = (gateway.legacy(), gateway.modern());
    let hang = json!({ "name": "a__hang", "arguments": {} });
    let calls: Vec<_> =
        (0..8).map(|n| [&session, &modern][n % 2].begin("tools/call", hang.clone())).collect();
    eventually("all calls run", || conf.ledger("call", "a").len() == calls.len());
    let begun = now();
    processes::signal(gateway.pid(), Signal::TERM);
    for sent in calls {
        let answer = the_answer(sent);
        assert!(answer.error_text().contains("stopped"), "{}", answer.raw);
    }
    assert_eq!(gateway.exit().code(), Some(0), "{}", gateway.stderr());
    assert!(begun.elapsed() < SLACK, "it took {:?}", begun.elapsed());
    eventually("the server is gone", || conf.processes().is_empty());
}

#[test]
fn a_second_signal_ends_it_at_once_and_leaves_nothing() {
    for second in [Signal::TERM, Signal::INT] {
        let conf = conf("1h");
        let gateway = Gateway::on(&conf).http();
        let hangs = gateway.legacy().begin("tools/call", json!({ "name": "a__hang", "arguments": {} }));
        eventually("the call runs", || conf.ledger("call", "a").len() == 1);
        terminate(&gateway);
        assert!(!gateway.has_exited());
        processes::signal(gateway.pid(), second);
        assert_eq!(gateway.exit().code(), Some(130), "{}", gateway.stderr());
        drop(hangs);
        eventually("the server is gone", || conf.processes().is_empty());
    }
}

#[test]
fn on_stdio_calls_in_flight_are_answered_and_new_ones_are_turned_away_until_they_are() {
    let conf = conf("10s");
    let client = conf.legacy();
    let slow = client.begin_call("a__sleep", json!({ "ms": 1000 }));
    let given_up = client.begin_call("a__hang", json!({}));
    eventually("both run", || conf.ledger("call", "a").len() == 2);
    processes::signal(client.pid(), Signal::TERM);
    let mut turned_away = false;
    eventually("new calls are turned away", || {
        let answer = client.call("a__pid", json!({}));
        turned_away = answer.raw.contains("shutting down");
        turned_away
    });
    let note =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": given_up } });
    client.send(&note.to_string());
    assert_eq!(client.answer(&slow).text(), "slept");
    assert_eq!(client.exit().code(), Some(0), "{}", client.stderr());
    assert_eq!(client.answers(&given_up), 0, "what is cancelled meanwhile is not waited for");
}

#[test]
fn a_list_that_is_waited_for_is_answered_at_the_end() {
    let conf = TempConf::with(|conf| servers([("slow", conf.fake("slow").args(&["--slow-start", "60000"]))]));
    let gateway = Gateway::on(&conf).http();
    let list = gateway.legacy().begin("tools/list", json!({}));
    eventually("the server is being started", || conf.spawns("slow") == 1);
    let begun = now();
    processes::signal(gateway.pid(), Signal::TERM);
    assert_eq!(list.head().answer().result()["tools"], json!([]));
    assert_eq!(gateway.exit().code(), Some(0), "{}", gateway.stderr());
    assert!(begun.elapsed() < SLACK, "it took {:?}", begun.elapsed());
    eventually("the server is gone", || conf.processes().is_empty());
}

#[test]
fn a_call_on_a_server_that_left_the_file_is_finished_too() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a")), ("b", conf.fake("b"))]));
    let gateway = Gateway::on(&conf).http();
    let slow =
        gateway.legacy().begin("tools/call", json!({ "name": "a__sleep", "arguments": { "ms": 1500 } }));
    eventually("the call runs", || conf.ledger("call", "a").len() == 1);
    conf.write(&servers([("b", conf.fake("b"))]));
    eventually("it leaves", || gateway.status()["leaving"][0]["name"] == "a");
    processes::signal(gateway.pid(), Signal::TERM);
    assert_eq!(slow.head().answer().text(), "slept");
    assert_eq!(gateway.exit().code(), Some(0), "{}", gateway.stderr());
    eventually("the servers are gone", || conf.processes().is_empty());
}

/// A connection that takes little of what it does not read.
fn narrow(addr: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let connected = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        socket.connect(addr).await?.into_std()
    });
    let stream = connected.expect("the gateway accepts connections");
    stream.set_nonblocking(false).expect("a socket can wait");
    stream
}

#[test]
fn a_client_that_does_not_read_cannot_hold_the_end() {
    let conf = conf("300ms");
    let gateway = Gateway::on(&conf).http();
    let params = with_modern_meta(json!({ "name": "a__echo", "arguments": { "text": "x".repeat(6 << 20) } }));
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let mut unread = narrow(gateway.addr());
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n\
         mcp-method: tools/call\r\nmcp-name: a__echo\r\n\r\n",
        gateway.addr(),
        body.len()
    );
    unread.write_all(head.as_bytes()).and_then(|()| unread.write_all(body.as_bytes())).expect("it reads");
    eventually("the call ran", || conf.ledger("call", "a").len() == 1);
    eventually("the answer is on its way", || gateway.status()["inFlight"] == 0);
    let begun = now();
    processes::signal(gateway.pid(), Signal::TERM);
    assert_eq!(gateway.exit().code(), Some(0), "{}", gateway.stderr());
    assert!(begun.elapsed() < SLACK, "it took {:?}", begun.elapsed());
    assert!(gateway.stderr().contains("did not take its last answers"), "{}", gateway.stderr());
}
