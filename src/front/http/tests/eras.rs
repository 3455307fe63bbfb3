//! What both eras ask for: sessions, headers that agree with bodies, JSON or a stream.

use crate::config::model::HttpSettings;
use crate::front::http::tests::fake::Event;
use crate::front::http::tests::fake::Front;
use std::time::Duration;

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
const MODERN: &str = "mcp-protocol-version: 2026-07-28\r\n";

fn call(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{{{params}}}}}"#)
}

fn modern_call(name: &str) -> (String, String) {
    let headers = format!("{MODERN}mcp-method: tools/call\r\nmcp-name: {name}\r\n");
    (headers, call(&format!(r#""name":"{name}",{META}"#)))
}

#[tokio::test]
async fn a_session_begins_with_initialize_and_ends_with_delete() {
    let mut front = Front::plain().await;
    let mut client = front.client().await;
    let refused = client.post("", PING).await;
    assert_eq!((refused.status, refused.json()["id"].as_i64()), (400, Some(1)));
    assert_eq!(client.post("mcp-session-id: nonsense\r\n", PING).await.status, 404);
    let session = front.session().await;
    let id = session.trim().split_once(": ").unwrap().1;
    assert!(id.len() >= 32 && id.bytes().all(|b| b.is_ascii_graphic()));
    let twice = format!("{session}{session}");
    assert_eq!(client.post(&twice, PING).await.status, 400);
    for (version, status) in
        [("", 200), ("2025-06-18", 200), ("2025-11-25", 200), ("1999-01-01", 400), ("x", 400)]
    {
        let line =
            if version.is_empty() { String::new() } else { format!("mcp-protocol-version: {version}\r\n") };
        let response = client.post(&format!("{session}{line}"), PING).await;
        assert_eq!(response.status, status, "{version}");
        assert_eq!(response.code(), if status == 200 { 0 } else { -32022 });
    }
    let unknown = client.post(&session, r#"{"jsonrpc":"2.0","id":2,"method":"nope"}"#).await;
    assert_eq!((unknown.status, unknown.code()), (200, -32601), "legacy errors are told inside");
    let answer = client.post(&session, r#"{"jsonrpc":"2.0","id":7,"result":{}}"#).await;
    assert_eq!((answer.status, front.event().await), (202, Event::Notified("response".into())));
    client.request("DELETE", "/mcp", &session, "").await;
    assert_eq!(client.response().await.status, 204);
    assert_eq!(front.event().await, Event::Closed);
    assert_eq!(client.post(&session, PING).await.status, 404);
    client.request("DELETE", "/mcp", &session, "").await;
    assert_eq!(client.response().await.status, 404);
}

#[tokio::test]
async fn a_refused_initialize_opens_no_session() {
    let mut front = Front::plain().await;
    let mut client = front.client().await;
    let refused = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"refused":true}}"#;
    let response = client.post("", refused).await;
    assert_eq!((response.status, response.code(), response.header("mcp-session-id")), (200, -32602, None));
    assert_eq!(front.event().await, Event::Closed);
}

#[tokio::test]
async fn there_are_only_so_many_sessions() {
    let settings = HttpSettings { max_sessions: 2, ..HttpSettings::default() };
    let mut front = Front::start(settings).await;
    let (first, _second) = (front.session().await, front.session().await);
    let mut client = front.client().await;
    let full = client.post("", r#"{"jsonrpc":"2.0","id":5,"method":"initialize"}"#).await;
    assert_eq!((full.status, full.json()["id"].as_i64()), (503, Some(5)));
    client.request("DELETE", "/mcp", &first, "").await;
    assert_eq!(client.response().await.status, 204);
    assert_eq!(front.event().await, Event::Closed);
    front.session().await;
}

#[tokio::test]
async fn a_session_left_alone_is_swept_away() {
    let settings = HttpSettings { session_idle: Duration::from_millis(20), ..HttpSettings::default() };
    let mut front = Front::start(settings).await;
    let mut client = front.client().await;
    let response = client.post("", r#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#).await;
    assert_eq!(front.event().await, Event::Closed);
    let session = format!("mcp-session-id: {}\r\n", response.header("mcp-session-id").unwrap());
    assert_eq!(client.post(&session, PING).await.status, 404);
}

#[tokio::test]
async fn get_gives_the_stream_of_a_session_and_a_second_one_takes_over() {
    let mut front = Front::plain().await;
    let session = front.session().await;
    let mut first = front.client().await;
    first.request("GET", "/mcp", &format!("{session}accept: application/json\r\n"), "").await;
    assert_eq!(first.response().await.status, 406);
    first.request("GET", "/mcp", "accept: text/event-stream\r\n", "").await;
    assert_eq!(first.response().await.status, 400);
    let headers = format!("{session}accept: text/event-stream\r\n");
    first.request("GET", "/mcp", &headers, "").await;
    let head = first.head().await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(front.fake.push("notifications/tools/list_changed"), 1);
    assert_eq!(first.event().await.unwrap()["method"], "notifications/tools/list_changed");
    let mut second = front.client().await;
    second.request("GET", "/mcp", &headers, "").await;
    assert_eq!(second.head().await.status, 200);
    assert_eq!(first.event().await, None, "the first one ends");
    front.fake.push("notifications/prompts/list_changed");
    assert_eq!(second.event().await.unwrap()["method"], "notifications/prompts/list_changed");
    first.request("DELETE", "/mcp", &session, "").await;
    assert_eq!(first.response().await.status, 204);
    assert_eq!(second.event().await, None);
}

#[tokio::test]
async fn a_modern_client_has_neither_stream_nor_session() {
    let mut front = Front::plain().await;
    let session = front.session().await;
    let mut client = front.client().await;
    for method in ["GET", "DELETE"] {
        for headers in [MODERN.to_owned(), format!("{MODERN}{session}")] {
            client.request(method, "/mcp", &format!("{headers}accept: text/event-stream\r\n"), "").await;
            let response = client.response().await;
            assert_eq!((response.status, response.header("allow")), (405, Some("POST")));
        }
    }
    let told = client.post(MODERN, r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#).await;
    assert_eq!(told.status, 202);
    let answered = client.post(MODERN, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await;
    assert_eq!(answered.status, 400);
}

#[tokio::test]
async fn modern_headers_must_say_what_the_body_says() {
    let front = Front::plain().await;
    let mut client = front.client().await;
    let method = "mcp-method: tools/call\r\n";
    let named = |name: &str| format!("{MODERN}{method}mcp-name: {name}\r\n");
    let body = call(&format!(r#""name":"echo",{META}"#));
    let old = body.replace("2026-07-28", "2025-11-25");
    let future = body.replace("2026-07-28", "2099-01-01");
    let rich = call(&format!(r#""name":"日本",{META}"#));
    let trick = call(&format!(r#""name":"=?base64?ZWNobw==?=",{META}"#));
    let no_caps = body.replace(r#","io.modelcontextprotocol/clientCapabilities":{}"#, "");
    let nameless = call(META);
    let escaped = body.replace("_meta", r"\u005fmeta");
    for (headers, body, status, code) in [
        (named("echo"), body.as_str(), 200, 0),
        (named("=?base64?ZWNobw==?="), &body, 200, 0),
        (named("=?base64?ZWNobw?="), &body, 400, -32020),
        (named("=?base64?!!!?="), &body, 400, -32020),
        (named("=?base64?5pel5pys?="), &rich, 200, 0),
        (named("=?base64?ZWNobw==?="), &trick, 400, -32020),
        (named("=?base64?PT9iYXNlNjQ/WldOb2J3PT0/PQ==?="), &trick, 200, 0),
        (named("Echo"), &body, 400, -32020),
        (named("other"), &body, 400, -32020),
        (named("echo\r\nmcp-name: echo"), &body, 400, -32020),
        (format!("{MODERN}{method}"), &body, 400, -32020),
        (format!("{MODERN}mcp-name: echo\r\n"), &body, 400, -32020),
        (format!("{MODERN}mcp-method: tools/list\r\nmcp-name: echo\r\n"), &body, 400, -32020),
        (format!("{method}mcp-name: echo\r\n"), &body, 400, -32020),
        (named("echo").replace("2026-07-28", "2025-11-25"), &body, 400, -32020),
        (named("echo"), &old, 400, -32020),
        (named("echo").replace("2026-07-28", "2025-11-25"), &old, 400, -32022),
        (named("echo").replace("2026-07-28", "2099-01-01"), &future, 400, -32022),
        (named("echo"), &call(r#""name":"echo""#), 400, -32602),
        (named("echo"), &call(r#""name":"echo","_meta":{}"#), 400, -32602),
        (named("echo"), &call(r#""name":"echo","_meta":[]"#), 400, -32602),
        (named("echo"), &call(&format!(r#""name":"echo",{META},{META}"#)), 400, -32602),
        (named("echo"), &no_caps, 400, -32602),
        (named("echo"), &nameless, 400, -32020),
        (String::new(), &escaped, 400, -32020),
        (MODERN.to_owned(), r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, 400, -32602),
        (String::new(), r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#, 400, -32602),
    ] {
        let response = client.post(&headers, body).await;
        assert_eq!((response.status, response.code()), (status, code), "{headers} {body}\n{response:?}");
        assert!(!response.json()["id"].is_null(), "{response:?}");
    }
    let response = client.post(&named("echo").replace("2026-07-28", "2099-01-01"), &future).await;
    assert_eq!(response.json()["error"]["data"]["requested"], "2099-01-01");
    assert_eq!(response.json()["error"]["data"]["supported"][4], "2026-07-28");
}

#[tokio::test]
async fn other_names_are_compared_too() {
    let front = Front::plain().await;
    let mut client = front.client().await;
    for (method, key) in [("resources/read", "uri"), ("prompts/get", "name")] {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"{key}":"x:1",{META}}}}}"#);
        for (name, status) in [("mcp-name: x:1\r\n", 200), ("mcp-name: x:2\r\n", 400), ("", 400)] {
            let response = client.post(&format!("{MODERN}mcp-method: {method}\r\n{name}"), &body).await;
            assert_eq!(response.status, status, "{method} {name}");
        }
    }
}

#[tokio::test]
async fn modern_errors_have_the_status_of_their_code() {
    let front = Front::plain().await;
    let mut client = front.client().await;
    for (name, status, code) in [("needs", 400, -32021), ("unknown", 200, -32602)] {
        let (headers, body) = modern_call(name);
        let response = client.post(&headers, &body).await;
        assert_eq!((response.status, response.code()), (status, code), "{name}");
    }
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"nope","params":{{{META}}}}}"#);
    let response = client.post(&format!("{MODERN}mcp-method: nope\r\n"), &body).await;
    assert_eq!((response.status, response.code()), (404, -32601));
}

#[tokio::test]
async fn annotated_arguments_are_repeated_in_headers() {
    let front = Front::plain().await;
    let mut client = front.client().await;
    let (headers, _) = modern_call("regional");
    for (arguments, header, status) in [
        (r#"{"region":"Hello"}"#, "mcp-param-region: Hello\r\n", 200),
        (r#"{"region":"Hello"}"#, "Mcp-Param-Region: =?base64?SGVsbG8=?=\r\n", 200),
        (r#"{"region":"Hello"}"#, "mcp-param-region: =?base64?SGVsbG8?=\r\n", 400),
        (r#"{"region":"Hello"}"#, "mcp-param-region: other\r\n", 400),
        (r#"{"region":"Hello"}"#, "mcp-param-region: Hello\r\nmcp-param-region: Hello\r\n", 400),
        (r#"{"region":"Hello"}"#, "", 400),
        (r#"{"region":null}"#, "", 200),
        (r#"{"region":null}"#, "mcp-param-region: Hello\r\n", 400),
        (r#"{}"#, "mcp-param-other: x\r\n", 200),
    ] {
        let body = call(&format!(r#""name":"regional","arguments":{arguments},{META}"#));
        let response = client.post(&format!("{headers}{header}"), &body).await;
        assert_eq!(response.status, status, "{arguments} {header}");
        assert_eq!(response.code(), if status == 200 { 0 } else { -32020 });
    }
}

#[tokio::test]
async fn initialize_is_legacy_whatever_the_header_says() {
    let front = Front::plain().await;
    let response =
        front.client().await.post(MODERN, r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#).await;
    assert!(response.status == 200 && response.header("mcp-session-id").is_some());
}

#[tokio::test]
async fn initialize_with_the_metadata_of_a_modern_request_is_one() {
    let front = Front::plain().await;
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{{META}}}}}"#);
    // Only modern requests need this header.
    let response = front.client().await.post(MODERN, &body).await;
    assert_eq!((response.status, response.code()), (400, -32020));
    let legacy = body.replace("2026-07-28", "2025-11-25");
    assert_eq!(front.client().await.post("", &legacy).await.status, 200);
}

#[tokio::test]
async fn the_first_letter_decides_between_json_and_a_stream() {
    let mut front = Front::plain().await;
    let session = front.session().await;
    let mut client = front.client().await;
    let (modern, _) = modern_call("echo");
    let cases = [
        (session, call(r#""name":"echo""#), call(r#""name":"stream""#)),
        (modern, modern_call("echo").1, modern_call("stream").1),
    ];
    for (headers, echo, stream) in cases {
        let response = client.post(&headers, &echo).await;
        assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")));
        assert_eq!(response.json()["result"]["name"], "echo");
        let response = client.post(&headers.replace("mcp-name: echo", "mcp-name: stream"), &stream).await;
        assert_eq!((response.status, response.header("content-type")), (200, Some("text/event-stream")));
        assert_eq!(response.header("x-accel-buffering"), Some("no"));
        let lines = response.body.lines().filter(|line| !line.is_empty() && !line.starts_with("id: "));
        let events: Vec<_> = lines.collect();
        assert_eq!(
            events,
            [
                r#"data: {"jsonrpc":"2.0","method":"notifications/message","params":{"n":1}}"#,
                r#"data: {"jsonrpc":"2.0","id":"a","result":{}}"#
            ]
        );
    }
}

#[tokio::test]
async fn what_is_no_message_is_refused_and_the_connection_lives() {
    let mut front = Front::plain().await;
    let session = front.session().await;
    let mut client = front.client().await;
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":3,"method":"ping","params":{}{}}}"#,
        "[".repeat(40),
        "]".repeat(40)
    );
    for (body, code, id) in [
        ("", -32700, None),
        ("{", -32700, None),
        ("[]", -32600, None),
        (r#"{"jsonrpc":"2.0","id":3,"method":"ping","method":"x"}"#, -32600, Some(3)),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600, None),
        (deep.as_str(), -32600, Some(3)),
        ("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"pi\nng\"}", -32700, Some(3)),
    ] {
        let response = client.post(&session, body).await;
        assert_eq!(
            (response.status, response.code(), response.json()["id"].as_i64()),
            (400, code, id),
            "{body}"
        );
    }
    assert_eq!(client.post(&session, PING).await.status, 200);
}

#[tokio::test]
async fn line_breaks_of_a_body_do_not_travel_on() {
    let mut front = Front::plain().await;
    let session = front.session().await;
    let mut client = front.client().await;
    let body = "\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\n\"params\":{\"name\":\"echo\",\r\n\"x\":\"\\n\"}}\n";
    let response = client.post(&session, body).await;
    assert_eq!(response.body, r#"{"jsonrpc":"2.0","id":1,"result":{"name":"echo",  "x":"\n"}}"#);
}
