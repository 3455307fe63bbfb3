//! Plays what a test wrote down: raw answers by method, and the steps of the tool `play`.
//!
//! It does not read what it sends; a text of a test goes out as it stands.

use crate::message::Message;
use crate::server::Out;
use crate::server::Server;
use crate::server::error;
use crate::server::lock;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What a modern server gives out to get back with the answers, as JSON text.
const STATE: &str = r#""\u0073tate 1e2 \/ é""#;
/// How often a question looks for its answer, and so how long it waits: half a minute of short waits.
const LOOKS: usize = 6000;

/// Questions under way.
#[derive(Default)]
pub struct Script {
    asked: AtomicU64,
    /// Lines with answers, by raw id.
    heard: Mutex<HashMap<String, String>>,
}

impl Script {
    /// Keeps the answer of a client.
    pub fn hear(&self, id: &str, line: &str) {
        lock(&self.heard).insert(id.to_owned(), line.to_owned());
    }
}

/// The members (`"result":…` or `"error":…`) that the file of `--script` has for a method.
pub fn members(file: Option<&Path>, method: &str) -> Option<String> {
    let text = std::fs::read_to_string(file?).expect("the script can be read");
    let mut all: HashMap<String, String> = serde_json::from_str(&text).expect("a script has texts by method");
    all.remove(method)
}

/// The tool `play`: its `steps` are objects with one member each.
///
/// - `say`: a whole message for the stream of this call; `$token` is its progress token.
/// - `announce`: members of the params of a notification for everybody who listens; `method` names it.
/// - `ask`: members (`"method":…,"params":…`) of a request to the client. A modern server puts all of them into one
///   `input_required`.
/// - `answer`: the members of the answer. Without it the answer is a list of what the client said.
/// - `afterwards`: a whole message, said when the answer was given.
pub fn play(server: &Arc<Server>, message: &Message, id: &str, out: &Arc<dyn Out>) {
    let none = Vec::new();
    let steps = message.view.pointer("/arguments/steps").and_then(Value::as_array).unwrap_or(&none);
    let text = |step: &Value, kind: &str| step[kind].as_str().map(str::to_owned);
    let questions: Vec<String> = steps.iter().filter_map(|step| text(step, "ask")).collect();
    let modern = message.version().is_some();
    let mut said: Vec<String> = Vec::new();
    if modern && !questions.is_empty() {
        let Some(responses) = message.raw("inputResponses") else {
            return out.answer(server.success(id, &input_required(&questions)).as_bytes());
        };
        if message.raw("requestState").as_deref() != Some(STATE) {
            return out.answer(error(id, -32602, "this is not the state that was given out", "").as_bytes());
        }
        said.push(responses);
    }
    for step in steps {
        if let Some(line) = text(step, "say") {
            let token = message.progress_token().unwrap_or_else(|| "null".into());
            out.notify(line.replace("$token", &token).as_bytes());
        } else if let Some(members) = text(step, "announce") {
            server.announce_with(&text(step, "method").unwrap_or_default(), &members);
        } else if let Some(members) = text(step, "ask").filter(|_| !modern) {
            let Some(answer) = ask(server, &members, id, out) else { return };
            said.push(answer);
        } else if let Some(members) = text(step, "answer") {
            return out.answer(format!(r#"{{"jsonrpc":"2.0","id":{id},{members}}}"#).as_bytes());
        }
    }
    let list = Value::from(serde_json::to_string(&said).expect("texts are JSON"));
    let kind = if modern { r#""resultType":"complete","# } else { "" };
    let result = format!(r#"{{{kind}"content":[{{"type":"text","text":{list}}}]}}"#);
    out.answer(server.success(id, &result).as_bytes());
    steps.iter().filter_map(|step| text(step, "afterwards")).for_each(|line| out.notify(line.as_bytes()));
}

fn input_required(questions: &[String]) -> String {
    let all: Vec<String> =
        questions.iter().enumerate().map(|(n, members)| format!(r#""q{n}":{{{members}}}"#)).collect();
    let all = all.join(",");
    format!(
        r#"{{"resultType":"input_required","inputRequests":{{{all}}},"requestState":{STATE},"x-unknown":1e2}}"#
    )
}

/// Asks and waits; `None` when the call was cancelled meanwhile.
fn ask(server: &Arc<Server>, members: &str, call: &str, out: &Arc<dyn Out>) -> Option<String> {
    let id = format!(r#""question {}""#, server.script.asked.fetch_add(1, Ordering::SeqCst));
    out.notify(format!(r#"{{"jsonrpc":"2.0","id":{id},{members}}}"#).as_bytes());
    for _ in 0..LOOKS {
        if let Some(line) = lock(&server.script.heard).remove(&id) {
            return Some(line);
        }
        if server.is_cancelled(call, out) {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}
