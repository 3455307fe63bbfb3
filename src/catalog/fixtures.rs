//! Entries and lists for the tests of this folder. Nothing of it is compiled otherwise.

use crate::catalog::lists::Item;
use crate::catalog::lists::ListKind;
use crate::catalog::lists::ServerLists;
use crate::catalog::merge::Part;
use crate::config::model::Server;
use crate::config::model::Stdio;
use crate::config::model::Transport;
use crate::name::ServerName;
use crate::protocol::version::Era;
use serde_json::value::RawValue;
use std::sync::Arc;

pub fn name(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}

pub fn server(server: &str) -> Server {
    Server::new(name(server), Transport::Stdio(Stdio::default()))
}

pub fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

pub fn item(kind: ListKind, key: &str) -> Item {
    Item { key: key.to_owned(), raw: raw(&format!("{{\"{}\":{}}}", kind.key(), serde_json::json!(key))) }
}

fn items(kind: ListKind, keys: &[&str]) -> Vec<Item> {
    keys.iter().map(|key| item(kind, key)).collect()
}

pub fn empty() -> ServerLists {
    ServerLists {
        era: Era::Legacy,
        version: "2025-11-25".into(),
        capabilities: raw("{}"),
        server_info: None,
        instructions: None,
        tools: Vec::new(),
        prompts: Vec::new(),
        resources: Vec::new(),
        templates: Vec::new(),
        asks: false,
        incomplete: false,
    }
}

pub fn tools(keys: &[&str]) -> ServerLists {
    ServerLists { tools: items(ListKind::Tools, keys), ..empty() }
}

pub fn resources(uris: &[&str], templates: &[&str]) -> ServerLists {
    let resources = items(ListKind::Resources, uris);
    ServerLists { resources, templates: items(ListKind::Templates, templates), ..empty() }
}

pub fn part(server: &Server, lists: ServerLists) -> Part<'_> {
    Part { server, lists: Some(Arc::new(lists)) }
}

pub fn missing(server: &Server) -> Part<'_> {
    Part { server, lists: None }
}
