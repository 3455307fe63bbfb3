//! `status`: what a running gateway says of itself.
//!
//! It starts nothing and reads no configuration: it asks the address it is given.

mod table;

use crate::cli::arguments::Status;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::downstream::http::client::HttpClient;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// How long the gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

const NONE_RUNS: &str = "hint: only a gateway that runs with `--http` can be asked: `mcp-manifold serve --http \
                         127.0.0.1:8808`; of one that listens elsewhere give the address: `mcp-manifold status \
                         http://127.0.0.1:PORT`";
const TOKEN: &str = "hint: give one of `gateway.http.bearerTokens` with `--token`, or in MCP_MANIFOLD_TOKEN";
const NO_PAGE: &str =
    "hint: a gateway shows its state on a loopback address only, and not with `--behind-proxy`";

/// Why there is no status.
struct NoStatus {
    why: String,
    hint: &'static str,
}

/// Asks the gateway and prints its answer.
pub async fn run(status: &Status) -> Exit {
    let base = if status.url.contains("://") { status.url.clone() } else { format!("http://{}", status.url) };
    let url = format!("{}/status", base.trim_end_matches('/').trim_end_matches("/mcp"));
    let asked = timeout(PATIENCE, fetch(&url, status.token.as_deref())).await;
    let answer = asked.unwrap_or_else(|_| {
        Err(NoStatus { why: format!("nothing came within {} s", PATIENCE.as_secs()), hint: NONE_RUNS })
    });
    match answer {
        Ok(answer) if status.json => output::result(&format!("{answer:#}")),
        Ok(answer) => output::result(&table::lines(&answer).join("\n")),
        Err(NoStatus { why, hint }) => {
            let text = format!("no gateway answers on {url}: {why}\n{hint}");
            return output::fail(Exit::Unreachable, &text);
        }
    }
    Exit::Ok
}

async fn fetch(url: &str, token: Option<&str>) -> Result<Value, NoStatus> {
    let none = |why: String| NoStatus { why, hint: NONE_RUNS };
    let client = HttpClient::new().map_err(|error| none(error.to_string()))?;
    let address = url.parse().map_err(|_| none("it is no URL".to_owned()))?;
    let request = client.towards(&address).get(address);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let response = request.send().await.map_err(|error| none(root_cause(&error)))?;
    let hint = match response.status().as_u16() {
        200..300 => None,
        401 | 403 => Some(TOKEN),
        404 => Some(NO_PAGE),
        _ => Some(NONE_RUNS),
    };
    if let Some(hint) = hint {
        return Err(NoStatus { why: format!("it answers {}", response.status()), hint });
    }
    let bytes = response.bytes().await.map_err(|error| none(error.to_string()))?;
    let answer: Option<Value> = serde_json::from_slice(&bytes).ok();
    answer
        .filter(|answer| answer.get("schemaVersion").is_some())
        .ok_or_else(|| none("it is no mcp-manifold".to_owned()))
}

/// The innermost text: "connection refused" says more than "error sending request".
fn root_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}
