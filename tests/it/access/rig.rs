//! Requests as they stand, with whatever in front of them, and the streams that are kept open.

use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::Reply;
use crate::support::http_client::Sent;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

pub const JSON: &str = "content-type: application/json\r\naccept: application/json, text/event-stream\r\n";
pub const MODERN: &str = "mcp-protocol-version: 2026-07-28\r\n";

/// A folder with one server and this `gateway` section.
pub fn folder(section: &Value) -> Arc<TempConf> {
    TempConf::with(|conf| {
        let mut config = servers([("a", conf.fake("a"))]);
        config["gateway"] = section.clone();
        config
    })
}

/// A gateway with this section that has listed its server.
pub fn gateway(section: &Value) -> HttpGateway {
    start(&folder(section))
}

pub fn start(conf: &Arc<TempConf>) -> HttpGateway {
    let gateway = Gateway::on(conf).http();
    crate::support::eventually::eventually("the servers are listed", || {
        gateway.stderr().contains("tools from ")
    });
    gateway
}

/// Any request at all.
pub fn begin(gateway: &HttpGateway, method: &str, path: &str, headers: &str, body: &str) -> Sent {
    let (host, length) = (gateway.addr(), body.len());
    let text = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    gateway.client().raw(text.as_bytes())
}

pub fn ask(gateway: &HttpGateway, method: &str, path: &str, headers: &str, body: &str) -> Reply {
    begin(gateway, method, path, headers, body).head()
}

pub fn bearer(credential: &str) -> String {
    format!("authorization: Bearer {credential}\r\n")
}

/// The status of a list that is asked for with these headers.
pub fn status(gateway: &HttpGateway, headers: &str) -> u16 {
    listed(gateway, headers).status
}

/// A list that is asked for with these headers.
pub fn listed(gateway: &HttpGateway, headers: &str) -> Reply {
    let headers = format!("{JSON}{MODERN}mcp-method: tools/list\r\n{headers}");
    ask(gateway, "POST", "/mcp", &headers, &modern("tools/list", json!({})))
}

/// A modern request.
pub fn modern(method: &str, mut params: Value) -> String {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

/// A legacy session of who has this credential; its header lines.
pub fn session(gateway: &HttpGateway, credential: &str) -> String {
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "rig", "version": "1" } });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }).to_string();
    let reply = ask(gateway, "POST", "/mcp", &format!("{JSON}{credential}"), &body).expect(200);
    let id = reply.header("mcp-session-id").expect("a session").to_owned();
    let lines = format!("mcp-session-id: {id}\r\nmcp-protocol-version: 2025-11-25\r\n");
    let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    ask(gateway, "POST", "/mcp", &format!("{JSON}{credential}{lines}"), told).expect(202);
    lines
}

/// A file with keys, which only its user may read.
pub fn write_private(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).expect("the file can be written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("it can be made private");
}
