//! Sizes, deadlines and counts.

use crate::config::model::HttpSettings;
use crate::front::http::tests::client::PATIENCE;
use crate::front::http::tests::client::POST;
use crate::front::http::tests::fake::Front;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whatever_it_claims() {
    let mut front = Front::plain().await;
    let mut client = front.client().await;
    client
        .send(&format!("POST /mcp HTTP/1.1\r\nhost: localhost\r\n{POST}content-length: 100001\r\n\r\n"))
        .await;
    let response = client.response().await;
    assert_eq!((response.status, response.header("connection")), (413, Some("close")));
    assert!(response.json()["error"]["message"].as_str().unwrap().contains("100000"));
    client.closed().await;

    let mut client = front.client().await;
    client
        .send(&format!("POST /mcp HTTP/1.1\r\nhost: localhost\r\n{POST}transfer-encoding: chunked\r\n\r\n"))
        .await;
    let chunk = format!("{:x}\r\n{}\r\n", 60_000, "x".repeat(60_000));
    for _ in 0..2 {
        client.send(&chunk).await;
    }
    assert_eq!(client.response().await.status, 413);
    assert!(front.is_quiet());
}

#[tokio::test]
async fn a_client_that_sends_on_still_reads_why_it_was_refused() {
    let front = Front::plain().await;
    let mut client = front.client().await;
    client.request("POST", "/mcp", POST, &"x".repeat(3_000_000)).await;
    assert_eq!(client.response().await.status, 413);
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together() {
    let mut front = Front::plain().await;
    let session = front.session().await;
    let mut client = front.client().await;
    let head =
        format!("POST /mcp HTTP/1.1\r\nhost: localhost\r\n{POST}{session}transfer-encoding: chunked\r\n\r\n");
    client.send(&head).await;
    let long = "x".repeat(70_000);
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{long}"}}}}"#);
    let (first, rest) = body.split_at(60_000);
    for part in [first, rest] {
        client.send(&format!("{:x}\r\n{part}\r\n", part.len())).await;
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.response().await.json()["result"]["name"], long.as_str());
}

#[tokio::test]
async fn a_slow_body_is_told_so_and_cut_off() {
    let front = Front::start(HttpSettings { body_timeout: SHORT, ..HttpSettings::default() }).await;
    let mut client = front.client().await;
    client
        .send(&format!("POST /mcp HTTP/1.1\r\nhost: localhost\r\n{POST}content-length: 10\r\n\r\n{{"))
        .await;
    let response = client.response().await;
    assert_eq!((response.status, response.header("connection")), (408, Some("close")));
    client.closed().await;
}

#[tokio::test]
async fn a_slow_header_or_none_is_cut_off() {
    let front = Front::start(HttpSettings { header_timeout: SHORT, ..HttpSettings::default() }).await;
    let mut client = front.client().await;
    client.closed().await;
    let mut client = front.client().await;
    client.send("POST /mcp HTTP/1.1\r\nhost: ").await;
    client.closed().await;
}

#[tokio::test]
async fn a_header_that_is_too_large_is_refused() {
    let front = Front::plain().await;
    let mut client = front.client().await;
    client.send(&format!("GET /mcp HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(40_000))).await;
    assert_eq!(client.response().await.status, 431);
}

#[tokio::test]
async fn more_connections_than_allowed_are_told_so() {
    let front = Front::start(HttpSettings { max_connections: 1, ..HttpSettings::default() }).await;
    let mut only = front.client().await;
    only.request("GET", "/healthz", "", "").await;
    assert_eq!(only.response().await.status, 200);
    let mut excess = front.client().await;
    excess.request("GET", "/healthz", "", "").await;
    let told = excess.response().await;
    assert_eq!((told.status, told.header("connection")), (503, Some("close")));
    assert!(told.json()["error"]["message"].as_str().unwrap().contains("maxConnections"));
    only.request("GET", "/healthz", "connection: close\r\n", "").await;
    assert_eq!(only.response().await.status, 200);
    drop((only, excess));
    let served = async {
        loop {
            let mut next = front.client().await;
            next.request("GET", "/healthz", "", "").await;
            if next.response().await.status == 200 {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, served).await.expect("the place becomes free again");
}
