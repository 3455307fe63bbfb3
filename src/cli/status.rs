//! `status`: what a running gateway says of itself.
//!
//! It starts nothing and reads no configuration: it asks the address it is given.

mod table;

use crate::cli::arguments::Global;
use crate::cli::arguments::Status;
use crate::cli::exit::Exit;
use crate::cli::meet;
use crate::cli::meet::Meet;
use crate::cli::output;
use crate::cli::surroundings;
use crate::config::locate::locate;
use crate::downstream::http::client::HttpClient;
use crate::share::hello::Wish;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// Asked when no address is given and no shared gateway runs.
const USUAL: &str = "http://127.0.0.1:8808";
/// How long the gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

const NONE_RUNS: &str = "hint: no client shares a gateway of this file now; over HTTP one answers that runs with `mcp-manifold \
                         serve --http 127.0.0.1:8808`: give its address, `mcp-manifold status http://127.0.0.1:PORT`";
const TOKEN: &str = "hint: give a key or token of the gateway with `--token`, or in MCP_MANIFOLD_TOKEN";
const NO_PAGE: &str =
    "hint: a gateway shows its state on a loopback address only, and not with `--behind-proxy`";

/// Why there is no status.
struct NoStatus {
    why: String,
    hint: &'static str,
}

/// Asks the gateway and prints its answer.
pub async fn run(global: &Global, status: &Status) -> Exit {
    if status.url.is_none()
        && let Some(answer) = shared(global)
    {
        return show(&answer, status.json);
    }
    let asked = status.url.as_deref().unwrap_or(USUAL);
    let base = if asked.contains("://") { asked.to_owned() } else { format!("http://{asked}") };
    let url = format!("{}/status", base.trim_end_matches('/').trim_end_matches("/mcp"));
    let asked = timeout(PATIENCE, fetch(&url, status.token.as_deref())).await;
    let answer = asked.unwrap_or_else(|_| {
        Err(NoStatus { why: format!("nothing came within {} s", PATIENCE.as_secs()), hint: NONE_RUNS })
    });
    match answer {
        Ok(answer) => show(&answer, status.json),
        Err(NoStatus { why, hint }) => {
            let text = format!("no gateway answers on {url}: {why}\n{hint}");
            output::fail(Exit::Unreachable, &text)
        }
    }
}

fn show(answer: &Value, json: bool) -> Exit {
    match json {
        true => output::json(&format!("{answer:#}")),
        false => output::result(&table::lines(answer).join("\n")),
    }
    Exit::Ok
}

/// What the gateway says that stdio clients of the file share, if one runs.
fn shared(global: &Global) -> Option<Value> {
    let environment = surroundings::environment();
    // Without a file there is no such gateway, and that is no error here.
    locate(global.config.as_deref(), &environment).ok()?;
    let Meet { file, place, environment } = Meet::at(global).ok()?;
    let door = meet::door(&place.ok()?, &file, &environment, global, false);
    // In a thread of its own: it waits, which is not for threads of a runtime.
    let asked = std::thread::scope(|scope| scope.spawn(|| door.ask(&Wish::Status)).join());
    let text = asked.ok()?.ok()?;
    serde_json::from_str(&text).ok()
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
