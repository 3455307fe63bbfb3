//! One combination: a client, and one of the servers behind its gateway.
//!
//! It holds no expectation.

use crate::support::bed::Bed;
use crate::support::bed::Peer;
use crate::support::driver::Driver;
use crate::support::driver::Era;
use crate::support::message::Message;
use serde_json::Value;
use serde_json::json;

/// The combination.
pub struct Cell<'a> {
    /// The client and all servers.
    pub bed: &'a Bed,
    /// The server.
    pub peer: &'a Peer,
}

impl<'a> Cell<'a> {
    /// The client.
    pub fn client(&self) -> &'a Driver {
        &self.bed.driver
    }

    /// Whether the client is a modern one.
    pub fn modern_client(&self) -> bool {
        self.client().era == Era::Modern
    }

    /// Calls a tool of the server.
    pub fn call(&self, tool: &str, arguments: Value) -> Message {
        self.client().call(&self.peer.name_of(tool), arguments)
    }

    /// The params of a call.
    pub fn params(&self, tool: &str, arguments: Value) -> Value {
        json!({ "name": self.peer.name_of(tool), "arguments": arguments })
    }

    /// Lines with these words in the ledger of the server.
    pub fn ledger(&self, what: &str, word: &str) -> usize {
        let lines = self.bed.conf.ledger(what, self.peer.name);
        lines.iter().filter(|line| line.split(' ').any(|one| one == word)).count()
    }

    /// All messages that the server received.
    pub fn seen(&self) -> Vec<Message> {
        self.call("seen", json!({})).texts().into_iter().map(Message::new).collect()
    }
}
