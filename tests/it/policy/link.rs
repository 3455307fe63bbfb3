//! A client of any revision over either transport.

use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::message::Message;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

/// All revisions.
pub const VERSIONS: [&str; 5] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

/// The client.
pub enum Link {
    /// On pipes.
    Stdio(StdioClient),
    /// Over HTTP.
    Http(HttpClient),
}

impl Link {
    /// A client on pipes, with a gateway of its own; and the answer to its handshake.
    pub fn stdio(conf: &Arc<TempConf>, version: &str) -> (Self, Message) {
        let client = Gateway::on(conf).stdio();
        if version == "2026-07-28" {
            let link = Self::Stdio(client.modern());
            let greeting = link.request("server/discover", json!({}));
            return (link, greeting);
        }
        let greeting = client.request("initialize", handshake(version));
        client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        (Self::Stdio(client), greeting)
    }

    /// A client of a gateway that runs; and the answer to its handshake.
    pub fn http(gateway: &HttpGateway, version: &str, token: Option<&str>) -> (Self, Message) {
        let mut client = gateway.client();
        client.bearer = token.map(str::to_owned);
        if version == "2026-07-28" {
            let link = Self::Http(client.modern());
            let greeting = link.request("server/discover", json!({}));
            return (link, greeting);
        }
        let reply = client.begin("initialize", handshake(version)).head().expect(200);
        client.session = reply.header("mcp-session-id").map(str::to_owned);
        client.version = Some(version.to_owned());
        let greeting = reply.answer();
        let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        client.post(&note.to_string(), &[]).expect(202);
        (Self::Http(client), greeting)
    }

    /// Sends a request and waits for its answer.
    pub fn request(&self, method: &str, params: Value) -> Message {
        match self {
            Self::Stdio(client) => client.request(method, params),
            Self::Http(client) => client.request(method, params),
        }
    }

    /// Calls a tool and waits for the answer.
    pub fn call(&self, tool: &str) -> Message {
        self.request("tools/call", json!({ "name": tool, "arguments": {} }))
    }
}

fn handshake(version: &str) -> Value {
    json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "rig", "version": "1" } })
}
