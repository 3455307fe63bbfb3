//! `status`: what a running gateway says of itself.

use crate::cli::arguments::Status;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::downstream::http::client::HttpClient;
use crate::telemetry::clean::clean;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// How long the gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the gateway and prints its answer.
pub async fn run(status: &Status) -> Exit {
    let base = if status.url.contains("://") { status.url.clone() } else { format!("http://{}", status.url) };
    let url = format!("{}/status", base.trim_end_matches('/').trim_end_matches("/mcp"));
    let answer = match timeout(PATIENCE, fetch(&url, status.token.as_deref())).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(why)) => {
            return output::fail(Exit::Unreachable, &format!("no gateway answers on {url}: {why}"));
        }
        Err(_) => {
            let text = format!("no gateway answers on {url} within {} s", PATIENCE.as_secs());
            return output::fail(Exit::Unreachable, &text);
        }
    };
    if status.json {
        output::result(&format!("{answer:#}"));
    } else {
        print(&answer);
    }
    Exit::Ok
}

async fn fetch(url: &str, token: Option<&str>) -> Result<Value, String> {
    let client = HttpClient::new().map_err(|error| error.to_string())?;
    let address = url.parse().map_err(|_| "it is no URL".to_owned())?;
    let request = client.towards(&address).get(address);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let response = request.send().await.map_err(|error| root_cause(&error))?;
    if !response.status().is_success() {
        return Err(format!("it answers {}", response.status()));
    }
    let bytes = response.bytes().await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|_| "it is no mcp-manifold".to_owned())
}

/// The innermost text: "connection refused" says more than "error sending request".
fn root_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}

fn print(answer: &Value) {
    let number = |key: &str| answer.get(key).and_then(Value::as_u64).unwrap_or_default();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
    output::result(&format!(
        "mcp-manifold {}: {} tools, {} prompts, {} resources, {} sessions",
        text(answer, "version"),
        number("tools"),
        number("prompts"),
        number("resources"),
        number("sessions")
    ));
    let servers = answer.get("servers").and_then(Value::as_object).cloned().unwrap_or_default();
    let width = servers.keys().map(String::len).max().unwrap_or(6).max(6);
    output::result(&format!(
        "{:width$}  {:8}  {:>7}  {:>5}  {:>9}  ERA",
        "SERVER", "STATE", "PID", "TOOLS", "IN FLIGHT"
    ));
    for (name, server) in &servers {
        let count = |key: &str| server.get(key).and_then(Value::as_u64).map_or("-".into(), |n| n.to_string());
        let row = format!(
            "{:width$}  {:8}  {:>7}  {:>5}  {:>9}  {}",
            clean(name, 128),
            text(server, "state"),
            count("pid"),
            count("tools"),
            count("inFlight"),
            text(server, "era")
        );
        output::result(&row);
        if let Some(open) = server.get("privateConnections").and_then(Value::as_u64) {
            output::result(&format!("  {open} more for single sessions or calls"));
        }
        if let Some(reason) = server.get("reason").and_then(Value::as_str) {
            output::result(&format!("  {}", clean(reason, 500)));
        }
    }
    for (name, reason) in answer.get("leftOut").and_then(Value::as_object).cloned().unwrap_or_default() {
        let reason = reason.as_str().unwrap_or_default();
        output::result(&format!("{:width$}  not in use: {}", clean(&name, 128), clean(reason, 500)));
    }
}
