//! The schema describes what is read, and nothing else.

use super::*;
use crate::config;
use crate::config::dialect::alias::look_up;
use crate::config::environment::Environment;
use serde_json::Value;

fn schema() -> Value {
    serde_json::from_str(&schema_json()).unwrap()
}

fn keys(definition: &str) -> Vec<String> {
    let schema = schema();
    schema["definitions"][definition]["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_described_key_of_an_entry_is_read() {
    for key in keys("Entry") {
        assert!(look_up(&key).is_some(), "`{key}` is described and not read");
    }
}

#[test]
fn every_described_key_of_the_gateway_section_is_read() {
    let sections = [("naming", "Naming"), ("limits", "Limits"), ("http", "Http"), ("watch", "Watch")];
    let mut described = serde_json::Map::new();
    for key in keys("Gateway") {
        let inner = sections.iter().find(|(section, _)| *section == key);
        let value = inner.map(|(_, definition)| {
            keys(definition).into_iter().map(|key| (key, Value::Null)).collect::<serde_json::Map<_, _>>()
        });
        described.insert(key, value.map_or(Value::Null, Value::Object));
    }
    let text = serde_json::json!({"gateway": described, "mcpServers": {}}).to_string();
    let loaded = config::parse(text, "mcp.json".as_ref(), &Environment::default()).unwrap();
    assert_eq!(loaded.problems, vec![], "described and not read");
}

#[test]
fn the_schema_allows_unknown_keys() {
    assert_eq!(schema()["$schema"], "http://json-schema.org/draft-07/schema#");
    assert!(!schema_json().contains("\"additionalProperties\": false"));
}
