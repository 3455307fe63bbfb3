//! One message as it came, its parts still raw text.
//!
//! It does not check them; a fake server trusts its tests.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The revision of requests that carry everything in `_meta`.
pub const MODERN: &str = "2026-07-28";
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// A request, notification or response.
#[derive(Clone)]
pub struct Message {
    /// The id, raw; `None` for a notification.
    pub id: Option<String>,
    /// The method; empty for a response.
    pub method: String,
    /// `params`, raw; `{}` when absent.
    pub params: String,
    /// `params` for looking things up.
    pub view: Value,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: Option<String>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

impl Message {
    /// Reads one line or body; `None` when it is no message.
    pub fn read(text: &str) -> Option<Self> {
        let envelope: Envelope<'_> = serde_json::from_str(text).ok()?;
        let params = envelope.params.map_or_else(|| "{}".to_owned(), |raw| raw.get().to_owned());
        Some(Self {
            id: envelope.id.map(|raw| raw.get().to_owned()),
            method: envelope.method.unwrap_or_default(),
            view: serde_json::from_str(&params).unwrap_or(Value::Null),
            params,
        })
    }

    /// The text at a path of `params`, empty when it is not there.
    pub fn text(&self, pointer: &str) -> &str {
        self.view.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The number at a path of `params`, or `otherwise`.
    pub fn number(&self, pointer: &str, otherwise: u64) -> u64 {
        self.view.pointer(pointer).and_then(Value::as_u64).unwrap_or(otherwise)
    }

    /// The raw text of a member of `params`.
    pub fn raw(&self, member: &str) -> Option<String> {
        let members: std::collections::HashMap<String, &RawValue> =
            serde_json::from_str(&self.params).ok()?;
        members.get(member).map(|raw| raw.get().to_owned())
    }

    /// The progress token, raw.
    pub fn progress_token(&self) -> Option<String> {
        self.view.pointer("/_meta/progressToken").map(Value::to_string)
    }

    /// The revision named in `_meta`; only modern requests have one.
    pub fn version(&self) -> Option<&str> {
        self.view.get("_meta")?.get(VERSION_KEY)?.as_str()
    }

    /// Whether `_meta` has all that a modern request needs.
    pub fn is_complete_modern(&self) -> bool {
        self.view.get("_meta").is_some_and(|meta| meta.get(CAPABILITIES_KEY).is_some_and(Value::is_object))
    }
}

/// `text` as a JSON string.
pub fn quote(text: &str) -> String {
    Value::from(text).to_string()
}
