//! What a client said that holds for its whole session, to be said again to the next gateway: who it is, its log level, its
//! subscriptions.
//!
//! It keeps messages as they came and judges none of them.

use crate::wire::members::Members;
use crate::wire::message;
use crate::wire::message::Message;
use serde_json::value::RawValue;

/// Subscriptions that are remembered.
const SUBSCRIPTIONS: usize = 1024;

/// The messages to say again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    initialize: Option<Box<str>>,
    initialized: Option<Box<str>>,
    level: Option<Box<str>>,
    /// By URI (JSON text).
    subscriptions: Vec<(Box<str>, Box<str>)>,
}

impl Kept {
    /// From messages that were [kept](Kept::lines) before.
    #[must_use]
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a str>, depth: usize) -> Self {
        let mut kept = Self::default();
        for line in lines {
            if let Ok(message) = message::parse(line.as_bytes(), depth) {
                kept.note(&message, line);
            }
        }
        kept
    }

    /// Takes note of a message of the client; `line` is all of it.
    pub fn note(&mut self, message: &Message<'_>, line: &str) {
        let (Message::Request { method, params, .. } | Message::Notification { method, params }) = message
        else {
            return;
        };
        match &**method {
            "initialize" => self.initialize = Some(line.into()),
            "notifications/initialized" => self.initialized = Some(line.into()),
            "logging/setLevel" => self.level = Some(line.into()),
            "resources/subscribe" => {
                if let Some(uri) = uri(*params).filter(|_| self.subscriptions.len() < SUBSCRIPTIONS) {
                    self.subscriptions.retain(|(known, _)| **known != *uri);
                    self.subscriptions.push((uri, line.into()));
                }
            }
            "resources/unsubscribe" => {
                if let Some(uri) = uri(*params) {
                    self.subscriptions.retain(|(known, _)| *known != uri);
                }
            }
            _ => {}
        }
    }

    /// The messages, in the order in which they are to be said.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let first = [&self.initialize, &self.initialized, &self.level].into_iter().flatten();
        first.chain(self.subscriptions.iter().map(|(_, line)| line)).map(|line| line.to_string()).collect()
    }

    /// True when the client has introduced itself.
    #[must_use]
    pub fn is_greeted(&self) -> bool {
        self.initialize.is_some()
    }
}

fn uri(params: Option<&RawValue>) -> Option<Box<str>> {
    let members = Members::parse(params?.get()).ok()?;
    Some(members.get("uri")?.get().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_what_was_ended_is_forgotten() {
        let said = [
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"info"}}"#,
            r#"{"jsonrpc":"2.0","id":3,"method":"resources/subscribe","params":{"uri":"a:1"}}"#,
            r#"{"jsonrpc":"2.0","id":4,"method":"resources/subscribe","params":{"uri":"a:2"}}"#,
            r#"{"jsonrpc":"2.0","id":5,"method":"logging/setLevel","params":{"level":"error"}}"#,
            r#"{"jsonrpc":"2.0","id":6,"method":"resources/unsubscribe","params":{"uri":"a:1"}}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":8,"result":{}}"#,
            "not a message",
        ];
        let kept = Kept::of(said, 64);
        assert_eq!(kept.lines(), [said[0], said[1], said[5], said[4]]);
        assert_eq!(Kept::of(kept.lines().iter().map(String::as_str), 64), kept);
        assert!(kept.is_greeted() && !Kept::default().is_greeted());
    }
}
