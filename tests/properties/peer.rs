//! A scripted server in memory: it answers by the name of the tool, well or badly.
//!
//! It writes raw JSON and shares no code with the gateway.

use mcp_manifold::downstream::connect::BoxFuture;
use mcp_manifold::downstream::connect::Connect;
use mcp_manifold::downstream::connect::Connection;
use mcp_manifold::downstream::connect::Order;
use mcp_manifold::downstream::error::StartError;
use mcp_manifold::downstream::stdio;
use serde_json::Value;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::io::DuplexStream;
use tokio::task::JoinSet;

const TOOLS: [&str; 19] = [
    "script", "tag", "held", "echo", "late", "silent", "twice", "both", "neither", "wrong_id", "die",
    "garbage", "half", "deep", "long", "notes", "error", "utf8", "odd",
];

/// Connects every entry to a server of its own.
#[derive(Default)]
pub struct Peers {
    running: Mutex<JoinSet<()>>,
    /// What the tool `script` says.
    script: Script,
}

type Script = Arc<Mutex<Vec<u8>>>;

impl Peers {
    /// From now on the tool `script` says this; see [`crate::answers`].
    pub fn say(&self, bytes: &[u8]) {
        *self.script.lock().expect("nobody panics") = bytes.to_vec();
    }
}

impl Connect for Peers {
    fn connect(&self, order: Order) -> BoxFuture<'static, Result<Connection, StartError>> {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let mut running = self.running.lock().expect("nobody panics");
        while running.try_join_next().is_some() {}
        // It ends when the gateway hangs up.
        running.spawn(serve(theirs, Arc::clone(&self.script)));
        Box::pin(async move {
            let (reader, writer) = tokio::io::split(ours);
            stdio::open(&order, reader, writer, None).await
        })
    }
}

async fn serve(stream: DuplexStream, script: Script) {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    let mut held = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        let Some(id) = message.get("id").map(Value::to_string) else { continue };
        let method = message["method"].as_str().unwrap_or_default();
        let tool = message["params"]["name"].as_str().unwrap_or_default();
        if tool == "die" {
            return;
        }
        if tool == "late" {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        if tool == "script" {
            let said = script.lock().expect("nobody panics").clone();
            let (said, ends) = match said.strip_suffix(b"$end") {
                Some(said) => (said, true),
                None => (&*said, false),
            };
            if writer.write_all(&replaced(said, b"$id", id.as_bytes())).await.is_err() || ends {
                return;
            }
            continue;
        }
        if tool == "held" {
            // Until something else comes; then the last of them first.
            held.push(replies(&id, method, tool, &message["params"]));
            continue;
        }
        let now = replies(&id, method, tool, &message["params"]);
        for bytes in std::iter::once(now).chain(held.drain(..).rev()).flatten() {
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = rest.windows(from.len()).position(|part| part == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Everything that is written because of one request.
fn replies(id: &str, method: &str, tool: &str, params: &Value) -> Vec<Vec<u8>> {
    if method != "tools/call" {
        return vec![result(id, &about(method))];
    }
    let plain = r#"{"content":[{"type":"text","text":"done"}]}"#;
    match tool {
        "tag" | "held" => {
            let arguments = params.get("arguments").map_or("{}".to_owned(), Value::to_string);
            vec![result(id, &format!(r#"{{"content":[],"structuredContent":{arguments}}}"#))]
        }
        "silent" => Vec::new(),
        "twice" => vec![result(id, plain), result(id, plain)],
        "both" => vec![message(id, &format!(r#""result":{plain},"error":{{"code":1,"message":"both"}}"#))],
        "neither" => vec![message(id, r#""x":1"#)],
        "wrong_id" => vec![result("999999", plain)],
        "garbage" => vec![b"{\"jsonrpc\" not json {{{\n".to_vec()],
        "half" => vec![
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":["#).into_bytes(),
            b"\n".to_vec(),
        ],
        "deep" => vec![result(id, &format!(r#"{{"content":[],"x":{}{}}}"#, "[".repeat(60), "]".repeat(60)))],
        "long" => vec![result(id, &format!(r#"{{"content":[],"x":"{}"}}"#, "x".repeat(9000)))],
        "error" => vec![message(id, r#""error":{"code":-31000,"message":"asked for"}"#)],
        "odd" => vec![result(id, "7"), result(id, plain)],
        "utf8" => {
            let mut bytes = result(id, plain);
            let at = bytes.len() / 2;
            bytes.insert(at, 0xFF);
            vec![bytes]
        }
        "notes" => {
            let token = params.pointer("/_meta/progressToken").map_or("0".to_owned(), Value::to_string);
            let note = |method: &str, params: &str| {
                format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{params}}}\n").into_bytes()
            };
            vec![
                note("notifications/progress", &format!(r#"{{"progressToken":{token},"progress":1}}"#)),
                note("notifications/progress", r#"{"progressToken":424242,"progress":1}"#),
                note("notifications/message", r#"{"level":"info","data":"x"}"#),
                result(id, plain),
                note("notifications/progress", &format!(r#"{{"progressToken":{token},"progress":2}}"#)),
            ]
        }
        _ => vec![result(id, plain)],
    }
}

fn message(id: &str, members: &str) -> Vec<u8> {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{members}}}\n").into_bytes()
}

fn result(id: &str, result: &str) -> Vec<u8> {
    let result = result.strip_prefix('{').map_or(result.to_owned(), |rest| match rest {
        "}" => r#"{"resultType":"complete"}"#.to_owned(),
        rest => format!(r#"{{"resultType":"complete",{rest}"#),
    });
    message(id, &format!(r#""result":{result}"#))
}

/// Results of what is no call.
fn about(method: &str) -> String {
    let capabilities =
        r#""capabilities":{"tools":{},"prompts":{},"resources":{},"completions":{},"logging":{}}"#;
    let info = r#""serverInfo":{"name":"peer","version":"1"}"#;
    match method {
        "initialize" => format!(r#"{{"protocolVersion":"2025-11-25",{capabilities},{info}}}"#),
        "server/discover" => {
            let more = r#""ttlMs":0,"cacheScope":"public""#;
            format!(r#"{{"supportedVersions":["2026-07-28"],{capabilities},{info},{more}}}"#)
        }
        "tools/list" => {
            let tools = TOOLS.map(|name| format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}}}"#));
            format!(r#"{{"tools":[{}],"ttlMs":0,"cacheScope":"public"}}"#, tools.join(","))
        }
        "prompts/list" => r#"{"prompts":[{"name":"p"}],"ttlMs":0,"cacheScope":"public"}"#.to_owned(),
        "resources/list" => {
            r#"{"resources":[{"name":"r","uri":"x://r"}],"ttlMs":0,"cacheScope":"public"}"#.to_owned()
        }
        "resources/templates/list" => {
            r#"{"resourceTemplates":[{"name":"t","uriTemplate":"x://{n}"}],"ttlMs":0,"cacheScope":"public"}"#
                .to_owned()
        }
        "prompts/get" => r#"{"messages":[]}"#.to_owned(),
        "resources/read" => r#"{"contents":[]}"#.to_owned(),
        "completion/complete" => r#"{"completion":{"values":[]}}"#.to_owned(),
        _ => "{}".to_owned(),
    }
}
