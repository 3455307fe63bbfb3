//! Holes that other gateways, SDKs and servers had, each class with a test of its own. `docs/security.md` has the list of what
//! was published, and names for each class the tests that show it is closed here; `documents.rs` reads it.
//!
//! Most classes are tested where their subject is; here is what has no other home.

mod documents;
mod redirects;

use crate::support::dice::Dice;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::stdio_client::with_modern_meta;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use mcp_manifold::front::http::place;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write as _;

fn gateway() -> HttpGateway {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    Gateway::on(&conf).http()
}

#[test]
fn idrand_ids_of_sessions_cannot_be_guessed() {
    let gateway = gateway();
    let ids: BTreeSet<String> =
        (0..1500).map(|_| gateway.legacy().session.expect("a session has an id")).collect();
    assert_eq!(ids.len(), 1500, "none comes twice");
    let digits: Vec<u32> = ids.iter().flat_map(|id| id.chars()).filter_map(|c| c.to_digit(16)).collect();
    assert!(digits.len() >= 1500 * 32, "at least 128 bits each");
    let mut counts = [0_f64; 16];
    digits.iter().for_each(|digit| counts[*digit as usize] += 1.0);
    let expected = digits.len() as f64 / 16.0;
    let chi: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
    // 15 degrees of freedom: more than this comes once in ten million runs.
    assert!(chi < 62.0, "chi² is {chi}: {counts:?}");
}

#[test]
fn diff_keys_that_only_look_like_those_that_count_are_not_taken_for_them() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.legacy();
    let spellings = ["Name", "NAME", "name\\u0000", "\\u0000name", "na\\u200bme", "\\uff4eame", " name"];
    for (number, spelling) in spellings.iter().enumerate() {
        let id = json!(format!("alone-{number}"));
        let line = |id: &Value, params: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{{params}}}}}"#)
        };
        let only = line(&id, &format!(r#""{spelling}":"a__pid","arguments":{{}}"#));
        assert_eq!(client.exchange(&only, &id).error_code(), -32602, "{spelling}");
        let id = json!(format!("both-{number}"));
        let both = line(&id, &format!(r#""{spelling}":"a__pid","name":"a__echo","arguments":{{"x":1}}"#));
        assert_eq!(client.exchange(&both, &id).text(), r#"{"x":1}"#, "{spelling}");
    }
    for (number, spelling) in ["Method", "METHOD", "method\\u0000"].iter().enumerate() {
        let id = json!(format!("envelope-{number}"));
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"{spelling}":"tools/call","params":{{"name":"a__pid","arguments":{{}}}}}}"#
        );
        assert_eq!(client.exchange(&line, &id).error_code(), -32600, "{spelling}");
    }
    // U+017F is an s to who folds case.
    let id = json!("long");
    let line = r#"{"jsonrpc":"2.0","id":"long","method":"tools/call","param\u017f":{"name":"a__pid","arguments":{}}}"#;
    assert_eq!(client.exchange(line, &id).error_code(), -32602);
    assert!(!conf.ledger("call", "a").iter().any(|line| line.contains(" pid")), "{:?}", conf.ledger_lines());
}

const JSON: &str = "content-type: application/json\r\naccept: application/json, text/event-stream\r\n";
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// The request that is to stay hidden, whole.
fn hidden_request(host: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: {host}\r\n{JSON}mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\n\
         mcp-name: a__counter\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Requests that two readers may take for different ones: where the body ends, which header counts, where a line ends.
fn two_faced(host: &str, smuggled: &str) -> Vec<String> {
    let length = PING.len();
    let chunks = format!("{length:x}\r\n{PING}\r\n0\r\n\r\n");
    let lengths = [
        format!("content-length: {length}\r\ntransfer-encoding: chunked"),
        format!("transfer-encoding: chunked\r\ncontent-length: {length}"),
        "transfer-encoding: identity, chunked, identity".into(),
        "transfer-encoding: chunked\r\ntransfer-encoding: identity".into(),
        "transfer-encoding: xchunked".into(),
        "transfer-encoding: \x0bchunked".into(),
        "transfer-encoding : chunked".into(),
        "transfer-encoding: chunked, cow".into(),
        "transfer-encoding:\r\n chunked".into(),
        format!("content-length: {length}\r\ncontent-length: 3"),
        format!("content-length: {length}, 3"),
        format!("content-length: +{length}"),
        format!("content-length: -{length}"),
        format!("content-length: 0x{length:x}"),
        format!("content-length: {length}abc"),
        format!("content-length: {length} 1"),
        "content-length: 99999999999999999999999".into(),
        format!("content-length : {length}"),
        format!(" content-length: {length}"),
        format!("content-length:\r\n {length}"),
        format!("x: 1\r\n content-length: {length}"),
        format!("x: 1\0\r\ncontent-length: {length}"),
        format!("x\r\ncontent-length: {length}"),
        format!(": x\r\ncontent-length: {length}"),
        format!("content-length: {length}\r\ncontent-length: 0{length}1"),
    ];
    let with = |lines: &String| {
        let body = if lines.contains("transfer") { &*chunks } else { PING };
        format!("POST /mcp HTTP/1.1\r\nhost: {host}\r\n{JSON}{lines}\r\n\r\n{body}{smuggled}")
    };
    let mut all: Vec<String> = lengths.iter().map(with).collect();
    let rest = format!("host: {host}\r\n{JSON}content-length: {length}\r\n\r\n{PING}{smuggled}");
    for line in [
        "POST /mcp",
        "POST /mcp HTTP/3.1",
        "POST  /mcp HTTP/1.1 x",
        "POST /mcp\tHTTP/1.1",
        "POST /m cp HTTP/1.1",
    ] {
        all.push(format!("{line}\r\n{rest}"));
    }
    all
}

#[test]
fn smuggle_requests_that_can_be_read_in_two_ways_hide_nothing() {
    let gateway = gateway();
    let client = gateway.legacy();
    let before = gateway.conf().ledger("call", "a").len();
    let session = client.session.clone().expect("a session");
    // What is executed by whoever takes it for a request of its own.
    let params = with_modern_meta(json!({ "name": "a__counter", "arguments": {} }));
    let hidden = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params }).to_string();
    let host = gateway.addr().to_string();
    let hidden = hidden_request(&host, &hidden);
    let requests = two_faced(&host, &hidden);
    assert_eq!(requests.len(), 30);
    let mut seen = String::new();
    for request in requests {
        let statuses = statuses(&client.raw(request.as_bytes()).everything());
        let _ = writeln!(seen, "{statuses:?} {}", request.escape_debug());
        assert!(statuses.len() <= 1, "{statuses:?} for {request}");
        assert!(statuses.iter().all(|status| (400..600).contains(status)), "{statuses:?} for {request}");
    }
    assert_eq!(gateway.conf().ledger("call", "a").len(), before, "{seen}");
    client.raw(hidden.as_bytes()).head().expect(200).answer().result();
    assert_eq!(client.session, Some(session), "and the session lives");
    client.call("a__echo", json!({})).result();
}

/// The status of each response.
fn statuses(text: &str) -> Vec<u16> {
    let lines = text.split("HTTP/1.1 ").skip(1);
    lines.filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
}

#[test]
fn trav_no_path_leads_to_a_file_or_around_the_guard() {
    let gateway = gateway();
    let client = gateway.client();
    let host = gateway.addr();
    for path in [
        "/../../etc/passwd",
        "/mcp/../../etc/passwd",
        "/mcp/..%2f..%2fetc/passwd",
        "/%2e%2e/etc/passwd",
        "/mcp%00",
        "/mcp/",
        "//mcp",
        "/MCP",
        "/mcp;x",
        "/./mcp",
        "/status/../mcp",
        "/mcp%2f",
        "/%6dcp",
        "/mcp\\..\\x",
    ] {
        let text = format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: text/event-stream\r\nconnection: close\r\n\r\n"
        );
        let reply = client.raw(text.as_bytes()).head();
        assert!(matches!(reply.status, 400 | 404), "{} for {path}", reply.status);
    }
    let legacy = gateway.legacy();
    for uri in [
        "file:///etc/passwd",
        "file:///a/../etc/passwd",
        "file:///%2e%2e/etc/passwd",
        "/etc/passwd",
        "file:///x\u{0}",
    ] {
        assert!(legacy.request("resources/read", json!({ "uri": uri })).is_error(), "{uri}");
    }
}

#[test]
fn xss_there_are_no_pages_and_every_answer_says_what_it_is() {
    let script = "<script>alert(1)</script>";
    let conf = TempConf::with(|conf| {
        let mut file = servers([("a", conf.fake("a"))]);
        file["gateway"] = json!({ "http": { "sse": true, "websocket": true } });
        file
    });
    let gateway = Gateway::on(&conf).http();
    let client = gateway.client();
    let paths = place::PATHS.iter().map(|(path, _)| *path);
    for path in paths.chain(["/", "/%3Cscript%3E", "/index.html", "/mcp/x.html", "/.well-known/%3Cscript%3E"])
    {
        for method in ["GET", "POST", "DELETE", "PUT", "OPTIONS"] {
            for more in ["", JSON, "accept: text/html\r\n", "accept: text/event-stream\r\n"] {
                let text = format!(
                    "{method} {path}?q=%3Cscript%3E HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\
                     {more}\r\n{script}",
                    gateway.addr(),
                    script.len()
                );
                let reply = client.raw(text.as_bytes()).head();
                let what = format!("{method} {path} {more}: {}", reply.status);
                match reply.header("content-type") {
                    Some("text/event-stream") => assert!(path == "/sse" && method == "GET", "{what}"),
                    Some(kind) => {
                        assert_eq!(
                            (kind, reply.header("x-content-type-options")),
                            ("application/json", Some("nosniff")),
                            "{what}"
                        );
                        assert!(!reply.body().contains("<script>"), "{what}");
                    }
                    None => assert_eq!(reply.header("content-length").unwrap_or("0"), "0", "{what}"),
                }
            }
        }
    }
}

#[test]
fn leak_requests_without_a_session_start_one_process_and_leave_none() {
    let gateway = gateway();
    let client = gateway.modern();
    for _ in 0..200 {
        client.call("a__echo", json!({})).result();
    }
    assert_eq!(gateway.conf().spawns("a"), 1);
    assert_eq!(gateway.conf().processes().iter().filter(|pid| **pid != gateway.pid()).count(), 1);
}

#[test]
fn redos_a_template_cannot_keep_the_gateway_busy() {
    let conf = TempConf::with(|conf| {
        let script = conf.dir().join("script.json");
        let hard = format!("fake://x/{}end", "{a}{/b*}".repeat(40));
        let templates = json!({ "resourceTemplates": [{ "name": "t", "uriTemplate": hard }] });
        let answers = json!({ "resources/templates/list": format!("\"result\":{templates}") });
        std::fs::write(&script, answers.to_string()).expect("the folder is writable");
        servers([
            ("a", conf.fake("a").args(&["--script", &script.display().to_string()])),
            ("b", conf.fake("b")),
        ])
    });
    let client = conf.legacy();
    let mut dice = Dice(7);
    for _ in 0..20 {
        let long: String = (0..20_000).map(|_| ["a", "/", "%2F", "/b"][dice.roll(4)]).collect();
        let read = client.request("resources/read", json!({ "uri": format!("fake://x/{long}") }));
        assert!(read.is_error());
    }
    client.call("b__echo", json!({})).result();
}
