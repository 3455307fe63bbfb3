//! One JSON-RPC message as it came, raw and parsed.
//!
//! It does not build messages; see the clients.

use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// A message with its exact text.
#[derive(Clone, Debug)]
pub struct Message {
    /// The line, body or event.
    pub raw: String,
    /// Parsed; without what this program cannot hold (`1e400`); `Null` when it is not JSON.
    pub json: Value,
}

impl Message {
    /// Keeps a text.
    pub fn new(raw: impl Into<String>) -> Self {
        let raw = raw.into();
        Self { json: serde_json::from_str(&raw).unwrap_or_else(|_| envelope(&raw)), raw }
    }

    /// The id; `Null` when there is none.
    pub fn id(&self) -> &Value {
        &self.json["id"]
    }

    /// The method; empty for an answer.
    pub fn method(&self) -> &str {
        self.json["method"].as_str().unwrap_or_default()
    }

    /// True for a result or error with this id.
    pub fn answers(&self, id: &Value) -> bool {
        self.json.get("method").is_none() && self.json.get("id") == Some(id)
    }

    /// The result.
    pub fn result(&self) -> &Value {
        self.json.get("result").unwrap_or_else(|| panic!("no result: {}", self.short()))
    }

    /// The result, byte for byte.
    pub fn raw_result(&self) -> String {
        self.raw_member("result")
    }

    /// The error, byte for byte.
    pub fn raw_error(&self) -> String {
        self.raw_member("error")
    }

    /// The code of the error.
    pub fn error_code(&self) -> i64 {
        let code = self.json.pointer("/error/code").and_then(Value::as_i64);
        code.unwrap_or_else(|| panic!("no error: {}", self.short()))
    }

    /// True for the answer that something failed.
    pub fn is_error(&self) -> bool {
        self.json.get("error").is_some()
    }

    /// The text of the error.
    pub fn error_text(&self) -> &str {
        let text = self.json.pointer("/error/message").and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no error: {}", self.short()))
    }

    /// The text of the first content item of a tool result.
    pub fn text(&self) -> &str {
        let text = self.result().pointer("/content/0/text").and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no text: {}", self.short()))
    }

    /// The text of the first content item, read as a list of texts.
    pub fn texts(&self) -> Vec<String> {
        serde_json::from_str(self.text()).expect("the text is a list")
    }

    /// The names (or URIs) of a list result.
    pub fn keys(&self, member: &str, key: &str) -> Vec<String> {
        let items = self.result()[member].as_array();
        let items = items.unwrap_or_else(|| panic!("no {member}: {}", self.short()));
        items.iter().map(|item| item[key].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The names of a `tools/list` result.
    pub fn tools(&self) -> Vec<String> {
        self.keys("tools", "name")
    }

    /// The beginning of the text.
    pub fn short(&self) -> String {
        self.raw.chars().take(500).collect()
    }

    /// The text at a path of members, byte for byte; `None` when it is not there.
    pub fn raw_at(&self, path: &[&str]) -> Option<String> {
        path.iter().try_fold(self.raw.clone(), |raw, name| {
            let members: HashMap<String, &RawValue> = serde_json::from_str(&raw).ok()?;
            Some((*members.get(*name)?).get().to_owned())
        })
    }

    fn raw_member(&self, name: &str) -> String {
        let members: HashMap<String, &RawValue> =
            serde_json::from_str(&self.raw).expect("a message is an object");
        members.get(name).unwrap_or_else(|| panic!("no {name}: {}", self.short())).get().to_owned()
    }
}

/// The members of a message that can be held.
fn envelope(raw: &str) -> Value {
    let members: HashMap<String, &RawValue> = serde_json::from_str(raw).unwrap_or_default();
    let held =
        members.into_iter().filter_map(|(key, raw)| Some((key, serde_json::from_str(raw.get()).ok()?)));
    let held: serde_json::Map<String, Value> = held.collect();
    if held.is_empty() { Value::Null } else { Value::Object(held) }
}
