//! Ends: clients that go away, and the front's own shutdown.

use crate::front::http::tests::client::POST;
use crate::front::http::tests::fake::Event;
use crate::front::http::tests::fake::Front;

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

fn modern(name: &str) -> (String, String) {
    let headers =
        format!("{POST}mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {name}\r\n");
    let body =
        format!(r#"{{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{{"name":"{name}",{META}}}}}"#);
    (headers, body)
}

fn legacy(name: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{{"name":"{name}"}}}}"#)
}

#[tokio::test]
async fn a_modern_client_that_goes_away_cancels() {
    let mut front = Front::plain().await;
    for name in ["hold", "stream-hold"] {
        let mut client = front.client().await;
        let (headers, body) = modern(name);
        client.request("POST", "/mcp", &headers, &body).await;
        assert_eq!(front.event().await, Event::Held("9".into()));
        if name == "stream-hold" {
            assert_eq!(client.head().await.status, 200);
            assert_eq!(client.event().await.unwrap()["params"]["n"], 1);
        }
        drop(client);
        assert_eq!(front.event().await, Event::Cancelled("9".into()), "{name}");
    }
}

#[tokio::test]
async fn an_answered_modern_request_is_not_cancelled() {
    let mut front = Front::plain().await;
    for name in ["hold", "stream-hold"] {
        let mut client = front.client().await;
        let (headers, body) = modern(name);
        client.request("POST", "/mcp", &headers, &body).await;
        assert_eq!(front.event().await, Event::Held("9".into()));
        front.fake.release();
        assert_eq!(client.response().await.status, 200);
        drop(client);
    }
    front.shutdown.cancel();
    front.stopped().await;
    assert!(front.is_quiet());
}

#[tokio::test]
async fn a_legacy_client_that_goes_away_cancels_nothing() {
    let mut front = Front::plain().await;
    let session = front.session().await;
    for name in ["hold", "stream-hold"] {
        let mut client = front.client().await;
        client.request("POST", "/mcp", &format!("{POST}{session}"), &legacy(name)).await;
        assert_eq!(front.event().await, Event::Held("9".into()));
        drop(client);
        front.fake.release();
    }
    // The connections end with the front, so everything they could tell has been told.
    front.shutdown.cancel();
    front.stopped().await;
    assert_eq!(front.event().await, Event::Closed);
    assert!(front.is_quiet());
}

#[tokio::test]
async fn shutdown_finishes_what_is_in_flight() {
    let mut front = Front::plain().await;
    let session = front.session().await;
    let mut waiting = front.client().await;
    waiting.request("POST", "/mcp", &format!("{POST}{session}"), &legacy("hold")).await;
    assert_eq!(front.event().await, Event::Held("9".into()));
    let mut streaming = front.client().await;
    let (headers, body) = modern("stream-hold");
    streaming.request("POST", "/mcp", &headers, &body).await;
    assert_eq!(front.event().await, Event::Held("9".into()));
    assert_eq!(streaming.head().await.status, 200);
    let mut listening = front.client().await;
    listening.request("GET", "/mcp", &format!("{session}accept: text/event-stream\r\n"), "").await;
    assert_eq!(listening.head().await.status, 200);
    let mut fresh = front.client().await;
    let mut idle = front.client().await;
    idle.request("GET", "/healthz", "", "").await;
    assert_eq!(idle.response().await.status, 200);

    front.shutdown.cancel();
    assert_eq!(listening.event().await, None, "the stream of a session ends well");
    let begun = fresh.post(&session, &legacy("hold")).await;
    assert_eq!(begun.status, 503, "a request that was on its way is answered");
    listening.closed().await;
    idle.closed().await;
    for (headers, body) in [modern("hold"), (format!("{POST}{session}"), legacy("hold"))] {
        let mut late = front.client().await;
        late.request("POST", "/mcp", &headers, &body).await;
        let refused = late.response().await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "nothing new is begun");
        assert_eq!(refused.json()["id"], 9);
        late.closed().await;
    }
    let mut late = front.client().await;
    late.request("GET", "/readyz", "", "").await;
    assert_eq!(late.response().await.status, 503);
    let mut late = front.client().await;
    let note = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77}}"#;
    assert_eq!(late.post(&session, note).await.status, 202, "what calls in flight may wait for gets through");
    assert_eq!(front.event().await, Event::Notified("notifications/cancelled".into()));
    front.fake.release();
    assert_eq!(waiting.response().await.json()["result"]["held"], true);
    assert_eq!(streaming.event().await.unwrap()["params"]["n"], 1);
    assert_eq!(streaming.event().await.unwrap()["result"]["held"], true);
    assert_eq!(streaming.event().await, None);
    front.stopped().await;
    assert_eq!(front.event().await, Event::Closed, "its sessions end with it");
}
