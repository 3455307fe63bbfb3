//! The shape of arguments: their names and types, without any value.
//!
//! It is bounded, whatever comes: what is left out shows as `…`.

use crate::telemetry::clean::start;
use serde_json::Map;
use serde_json::Value;

/// Names of one object.
const NAMES: usize = 40;
/// Levels looked into.
const DEPTH: usize = 3;
/// Bytes of a name.
const NAME: usize = 64;

/// The shape of the JSON text `raw`, as JSON text: `{"path":"string","tags":["string"]}`.
#[must_use]
pub fn shape(raw: &str) -> String {
    let value: Value = serde_json::from_str(raw).unwrap_or_default();
    of(&value, DEPTH).to_string()
}

fn of(value: &Value, depth: usize) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(_) if depth == 0 => "array".into(),
        Value::Object(_) if depth == 0 => "object".into(),
        Value::Array(items) => {
            let mut shapes: Vec<Value> = Vec::new();
            for item in items.iter().take(NAMES) {
                let shape = of(item, depth - 1);
                if !shapes.contains(&shape) {
                    shapes.push(shape);
                }
            }
            shapes.truncate(4);
            Value::Array(shapes)
        }
        Value::Object(members) => {
            let mut shapes = Map::new();
            for (name, value) in members.iter().take(NAMES) {
                shapes.insert(start(name, NAME).to_owned(), of(value, depth - 1));
            }
            if members.len() > NAMES {
                shapes.insert("…".to_owned(), Value::from(members.len() - NAMES));
            }
            Value::Object(shapes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_types_stay_and_no_value_does() {
        let raw = r#"{"path":"/secret","n":4711,"on":true,"none":null,"list":["a","b",{"k":"v"}],
            "deep":{"a":{"b":{"c":"canary"}}}}"#;
        let expected = r#"{"path":"string","n":"number","on":"boolean","none":"null","list":["string",{"k":"string"}],"deep":{"a":{"b":"object"}}}"#;
        assert_eq!(shape(raw), expected);
        assert_eq!(shape("[]"), "[]");
        assert_eq!(shape("\"x\""), "\"string\"");
    }

    #[test]
    fn what_is_large_stays_small() {
        let many: Map<String, Value> =
            (0..5000).map(|n| (format!("{n}{}", "x".repeat(500)), Value::Null)).collect();
        assert!(shape(&Value::Object(many).to_string()).len() < 8000);
        assert!(shape(&"[".repeat(100_000)).len() < 20);
    }
}
