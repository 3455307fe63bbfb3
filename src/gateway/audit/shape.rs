//! The shape of arguments: their names and types, without any value.
//!
//! It is bounded, whatever comes. A name that the definition does not have is a text of the client, and could be a secret:
//! such members are counted, as `…`, with what is too much.

use crate::telemetry::clean::start;
use serde_json::Map;
use serde_json::Value;

/// Names of one object, and how many are looked up.
const NAMES: usize = 40;
const LOOKED_UP: usize = 4 * NAMES;
/// Levels looked into.
const DEPTH: usize = 3;
/// Bytes of a name.
const NAME: usize = 64;

/// The shape of the JSON text `raw`, as JSON text: `{"path":"string","tags":["string"]}`. Names are written that stand as
/// texts in the JSON text `definition`.
#[must_use]
pub fn shape(raw: &str, definition: &str) -> String {
    let value: Value = serde_json::from_str(raw).unwrap_or_default();
    of(&value, DEPTH, definition).to_string()
}

fn of(value: &Value, depth: usize, definition: &str) -> Value {
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
                let shape = of(item, depth - 1, definition);
                if !shapes.contains(&shape) {
                    shapes.push(shape);
                }
            }
            shapes.truncate(4);
            Value::Array(shapes)
        }
        Value::Object(members) => {
            let is_declared =
                |name: &str| serde_json::to_string(name).is_ok_and(|quoted| definition.contains(&quoted));
            let known = members.iter().take(LOOKED_UP).filter(|(name, _)| is_declared(name));
            let mut shapes: Map<_, _> = known
                .take(NAMES)
                .map(|(name, value)| (start(name, NAME).to_owned(), of(value, depth - 1, definition)))
                .collect();
            if members.len() > shapes.len() {
                shapes.insert("…".to_owned(), Value::from(members.len() - shapes.len()));
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
        assert_eq!(shape(raw, raw), expected);
        assert_eq!(shape("[]", ""), "[]");
        assert_eq!(shape("\"x\"", ""), "\"string\"");
    }

    #[test]
    fn names_that_the_definition_does_not_have_are_counted() {
        let raw = r#"{"path":1,"sk-SECRET":2,"a\"b":3,"deep":{"path":1,"SECRET":[1]}}"#;
        let definition = r#"{"inputSchema":{"properties":{"path":{},"deep":{}}}}"#;
        let expected = r#"{"path":"number","deep":{"path":"number","…":1},"…":2}"#;
        assert_eq!(shape(raw, definition), expected);
    }

    #[test]
    fn what_is_large_stays_small() {
        let many: Map<String, Value> =
            (0..5000).map(|n| (format!("{n}{}", "x".repeat(500)), Value::Null)).collect();
        let many = Value::Object(many).to_string();
        assert!(shape(&many, &many).len() < 8000);
        assert!(shape(&"[".repeat(100_000), "").len() < 20);
    }
}
