//! Streams of legacy sessions that are lost and resumed with `Last-Event-ID`.
//!
//! What travels on them otherwise is in `progress.rs` and `http.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::http_client::Reply;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;

const STREAM: (&str, &str) = ("accept", "text/event-stream");

fn gateway(http: Value) -> HttpGateway {
    let conf = TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a"))]);
        config["gateway"] = json!({ "http": http });
        config
    });
    let gateway = Gateway::on(&conf).http();
    eventually("the servers are listed", || gateway.stderr().contains("tools from "));
    gateway
}

fn initialize(gateway: &HttpGateway, version: &str) -> HttpClient {
    let mut client = gateway.client();
    let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "rig", "version": "1" } });
    let reply = client.begin("initialize", params).head().expect(200);
    client.session = reply.header("mcp-session-id").map(str::to_owned);
    assert_eq!(reply.answer().result()["protocolVersion"], version);
    client.version = Some(version.to_owned());
    client.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, &[]).expect(202);
    client
}

/// A call that reports `n` steps before its answer.
fn slow(client: &HttpClient, n: u64, ms: u64) -> Reply {
    let arguments = json!({ "n": n, "ms": ms });
    let params =
        json!({ "name": "a__slow_progress", "arguments": arguments, "_meta": { "progressToken": "t" } });
    client.begin("tools/call", params).head().expect(200)
}

fn resume(client: &HttpClient, last: &str) -> Reply {
    client.send("GET", &[STREAM, ("last-event-id", last)])
}

/// The steps of progress in the data of these events, and 0 for the answer.
fn steps(events: &[(String, String)]) -> Vec<u64> {
    let messages = events.iter().filter(|(_, data)| !data.is_empty());
    let read = messages.map(|(_, data)| serde_json::from_str::<Value>(data).expect("events are JSON"));
    read.map(|message| match message.get("result") {
        Some(_) => 0,
        None => message["params"]["progress"].as_u64().expect("progress"),
    })
    .collect()
}

#[test]
fn a_stream_that_broke_in_the_middle_is_resumed_where_it_broke() {
    let gateway = gateway(json!({}));
    let client = initialize(&gateway, "2025-11-25");
    let mut stream = slow(&client, 6, 100);
    let (first, data) = stream.event().expect("the stream begins");
    assert_eq!(data, "", "it says where it begins");
    let (_, _) = stream.event().expect("the first step");
    let (second, _) = stream.event().expect("the second step");
    drop(stream);
    let rest = resume(&client, &second).expect(200).events();
    assert_eq!(steps(&rest), [3, 4, 5, 6, 0], "what was missed, and the answer once");
    assert!(rest.iter().all(|(id, _)| id.is_empty() || id.split('-').next() == first.split('-').next()));
    let all = resume(&client, &first).expect(200).events();
    assert_eq!(steps(&all), [1, 2, 3, 4, 5, 6, 0]);
    let last = &all.last().expect("the answer").0;
    assert_eq!(steps(&resume(&client, last).expect(200).events()), [0_u64; 0]);
}

#[test]
fn an_answer_that_nobody_was_there_for_waits() {
    let gateway = gateway(json!({}));
    let client = initialize(&gateway, "2025-06-18");
    let mut stream = slow(&client, 2, 50);
    let (first, data) = stream.event().expect("the first step");
    assert!(data.contains("progress"), "clients of this revision do not expect an empty event: {data}");
    drop(stream);
    let idle = || client.call("a__pid", json!({})).result().clone();
    for _ in 0..3 {
        idle();
    }
    assert_eq!(steps(&resume(&client, &first).expect(200).events()), [2, 0]);
}

#[test]
fn only_one_reader_has_a_stream() {
    let gateway = gateway(json!({}));
    let client = initialize(&gateway, "2025-11-25");
    let mut one = slow(&client, 6, 100);
    let (begin, _) = one.event().expect("the stream begins");
    let (_, _) = one.event().expect("the first step");
    let two = resume(&client, &begin).expect(200);
    let both = [one.events(), two.events()];
    assert!(!steps(&both[0]).contains(&0), "the stream was taken away: {both:?}");
    assert_eq!(steps(&both[1]), [1, 2, 3, 4, 5, 6, 0]);
}

#[test]
fn other_calls_and_the_stream_of_the_session_do_not_mix() {
    let gateway = gateway(json!({}));
    let client = initialize(&gateway, "2025-11-25");
    let mut own = client.send("GET", &[STREAM]).expect(200);
    let (own_begin, _) = own.event().expect("the stream begins");
    let mut stream = slow(&client, 3, 30);
    let (begin, _) = stream.event().expect("the stream begins");
    assert_ne!(own_begin, begin, "ids are unique in the session");
    assert_eq!(steps(&stream.events()), [1, 2, 3, 0]);
    drop(own);
    let conf = gateway.conf();
    conf.write(&servers([("a", conf.fake("a")), ("b", conf.fake("b"))]));
    let mut own = resume(&client, &own_begin).expect(200);
    own.wait("a changed list", |message| message.method() == "notifications/tools/list_changed");
    assert_eq!(steps(&resume(&client, &begin).expect(200).events()), [1, 2, 3, 0]);
}

#[test]
fn what_cannot_be_resumed_is_said() {
    let gateway = gateway(
        json!({ "replayBytes": 1024, "bearerTokens": ["the-token-of-one-client", "the-token-of-another"] }),
    );
    let mut client = gateway.client();
    client.bearer = Some("the-token-of-one-client".into());
    client.initialize();
    let mut stream = slow(&client, 30, 1);
    let (begin, _) = stream.event().expect("the stream begins");
    assert_eq!(steps(&stream.events()).last(), Some(&0));
    let refused = resume(&client, &begin).expect(400);
    assert!(refused.body().contains("replayBytes"));
    for unknown in ["999-1", "nonsense", &format!("{begin}9")] {
        assert!(resume(&client, unknown).expect(400).body().contains("Last-Event-ID"), "{unknown}");
    }
    client.send("GET", &[STREAM]).expect(200);
    let foreign = ("authorization", "Bearer the-token-of-another");
    client.send("GET", &[STREAM, ("last-event-id", &begin), foreign]).expect(404);
    client.send("GET", &[STREAM, ("last-event-id", &begin), ("mcp-session-id", "other")]).expect(404);
    client.send("DELETE", &[]);
    resume(&client, &begin).expect(404);
}
