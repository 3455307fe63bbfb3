//! With which credentials servers are asked: the gateway's, or the caller's, and never what a client sends (S7, S12).
//!
//! What the file may say is tested beside `config/check/outbound.rs`; logins of people are not here.

mod callers;
mod command;
mod passed;
mod passthrough;
pub mod peer;
mod processes;
mod token;

use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::message::Message;
use serde_json::Value;
use serde_json::json;

/// Tokens of two callers, `token-1` and `token-2`.
const TOKENS: [&str; 2] = ["alice-shows-this-to-us", "bob-shows-this-to-us!!"];

/// A configuration with these entries for callers with tokens.
fn config(entries: Value) -> Value {
    json!({ "mcpServers": entries, "gateway": { "http": { "bearerTokens": TOKENS } } })
}

/// A modern client of the caller at `place`.
fn caller(gateway: &HttpGateway, place: usize) -> HttpClient {
    let mut client = gateway.modern();
    client.bearer = Some(TOKENS[place].into());
    client
}

/// Calls `tool` of a modern client, with more headers.
fn call(client: &HttpClient, tool: &str, more: &[(&str, &str)]) -> Message {
    let params = crate::support::stdio_client::with_modern_meta(json!({ "name": tool, "arguments": {} }));
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let mut headers = vec![("mcp-method", "tools/call"), ("mcp-name", tool)];
    headers.extend(more);
    client.post(&body, &headers).answer()
}
