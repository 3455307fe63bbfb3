//! Entries and lists for the tests of this folder. Nothing of it is compiled otherwise.

use crate::catalog::lists::Item;
use crate::catalog::lists::ListKind;
use crate::catalog::lists::ServerLists;
use crate::catalog::merge::Part;
use crate::config::lockfile::Pins;
use crate::config::model::EraChoice;
use crate::config::model::Server;
use crate::config::model::Sharing;
use crate::config::model::Stdio;
use crate::config::model::StopGrace;
use crate::config::model::ToolFilter;
use crate::config::model::Transport;
use crate::config::model::checks::Checks;
use crate::config::model::defaults;
use crate::config::model::terms::BreakerTerms;
use crate::config::model::terms::Retry;
use crate::name::ServerName;
use crate::protocol::version::Era;
use serde_json::value::RawValue;
use std::sync::Arc;

pub fn name(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}

pub fn server(server: &str) -> Server {
    Server {
        name: name(server),
        transport: Transport::Stdio(Stdio::default()),
        prefix: None,
        description: None,
        tools: ToolFilter::default(),
        era: EraChoice::Auto,
        call_timeout: defaults::CALL_TIMEOUT,
        max_call_time: defaults::MAX_CALL_TIME,
        retry: Retry::Never,
        tool_terms: Vec::new(),
        stuck_after: None,
        breaker: BreakerTerms::default(),
        pins: Pins::default(),
        checks: Checks::default(),
        start_timeout: defaults::START_TIMEOUT,
        list_timeout: defaults::LIST_TIMEOUT,
        idle_timeout: None,
        stop: StopGrace::default(),
        max_in_flight: defaults::MAX_IN_FLIGHT,
        sharing: Sharing::Auto,
    }
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
