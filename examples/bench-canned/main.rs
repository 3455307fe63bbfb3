//! What HTTP costs by itself: an axum handler that answers every call with the same text. It stands for a server in the
//! benchmarks, and what the gateway costs is compared with it.
//!
//! ```text
//! bench-canned [SIZE]    serves both eras at /mcp on a port it prints; answers are texts of SIZE bytes (100)
//! ```
//!
//! It reads the id and the method of a request and nothing else, and is no example of a server.

#[path = "../bench-load/text.rs"]
mod text;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
}

/// The answers, from after the id to the end.
struct Canned {
    call: String,
    list: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let size = std::env::args().nth(1).map_or(Ok(100), |word| word.parse())?;
    let canned = Canned {
        call: format!(
            r#","result":{{"resultType":"complete","content":[{{"type":"text","text":"{}"}}]}}}}"#,
            text::payload(size)
        ),
        list: format!(r#","result":{{"resultType":"complete","ttlMs":0,"cacheScope":"public",{TOOLS}}}}}"#),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    let router = Router::new().route("/mcp", post(answer)).with_state(Arc::new(canned));
    Ok(axum::serve(listener, router).await?)
}

async fn answer(State(canned): State<Arc<Canned>>, body: Bytes) -> Response {
    let Ok(message) = serde_json::from_slice::<Message<'_>>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (Some(id), Some(method)) = (message.id, message.method) else {
        return StatusCode::ACCEPTED.into_response();
    };
    let rest = match &*method {
        "tools/call" => canned.call.as_str(),
        "tools/list" => canned.list.as_str(),
        "initialize" => INITIALIZED,
        "server/discover" => DISCOVERED,
        _ => UNKNOWN,
    };
    let mut text = String::with_capacity(rest.len() + 64);
    text.push_str(r#"{"jsonrpc":"2.0","id":"#);
    text.push_str(id.get());
    text.push_str(rest);
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

const TOOLS: &str = concat!(
    r#""tools":[{"name":"echo","description":"Says the same text every time","#,
    r#""inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}]"#
);
const INITIALIZED: &str = concat!(
    r#","result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"#,
    r#""serverInfo":{"name":"bench-canned","version":"1"}}}"#
);
const DISCOVERED: &str = concat!(
    r#","result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"#,
    r#""serverInfo":{"name":"bench-canned","version":"1"},"ttlMs":0,"cacheScope":"public"}}"#
);
const UNKNOWN: &str = r#","error":{"code":-32601,"message":"method not found"}}"#;
