//! What is checked, what is told, and what is not tried.

use super::*;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

fn checker(schema: &Value) -> Result<Checker, Unusable> {
    Checker::of_tool(&json!({"name": "t", "inputSchema": schema}).to_string())
}

fn faults(schema: &Value, arguments: &str) -> Vec<String> {
    checker(schema).unwrap().check(Some(arguments)).err().unwrap_or_default()
}

fn file_schema() -> Value {
    json!({
        "type": "object", "required": ["path"], "additionalProperties": false,
        "properties": {
            "path": {"type": "string", "pattern": "^/"},
            "lines": {"type": "integer", "minimum": 1},
            "options": {"type": "object", "properties": {"recursive": {"type": "boolean"}}}
        }
    })
}

#[test]
fn faults_name_the_place_and_what_was_meant_and_no_value() {
    let schema = file_schema();
    assert!(faults(&schema, r#"{"path":"/a","lines":3}"#).is_empty());
    let told = faults(&schema, r#"{"pth":"canary","lines":"canary"}"#).join("; ");
    assert!(told.contains("`path` is missing, did you mean it by `pth`?"), "{told}");
    assert!(told.contains("there is no `pth`, did you mean `path`?"), "{told}");
    assert!(told.contains("at `/lines`: the value is not of type \"integer\""), "{told}");
    let told = faults(&schema, r#"{"path":"canary","options":{"recursive":"canary"}}"#).join("; ");
    assert!(told.contains("at `/options/recursive`") && !told.contains("canary"), "{told}");
    assert_eq!(checker(&schema).unwrap().check(None), Err(vec!["`path` is missing".to_owned()]));
}

#[test]
fn a_key_twice_is_refused_where_it_is_looked_at() {
    let schema = json!({"type": "object"});
    assert_eq!(faults(&schema, r#"{"a":{"b":1,"b":2}}"#), ["a key occurs twice in one object"]);
}

#[test]
fn s18_nothing_is_fetched_for_a_schema() {
    for reference in [
        "file:///etc/passwd",
        "http://127.0.0.1:1/s",
        "other.json",
        "https://json-schema.org/draft-07/schema#",
        "#nowhere",
    ] {
        let schema = json!({"type": "object", "properties": {"a": {"$ref": reference}}});
        assert_eq!(checker(&schema).err(), Some(Unusable::References), "{reference}");
    }
}

#[test]
fn s18_a_schema_that_never_ends_is_not_tried() {
    let itself = json!({"$ref": "#"});
    let circle = json!({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}},
        "$ref": "#/$defs/a"});
    for schema in [itself, circle] {
        assert_eq!(checker(&schema).err(), Some(Unusable::References), "{schema}");
    }
}

/// `levels` times "all of these two, which are the same".
fn doubling(levels: usize, below: bool) -> Value {
    let mut defs = serde_json::Map::new();
    for level in 0..levels {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        let one = if below { json!({"properties": {"x": next}}) } else { next };
        defs.insert(format!("d{level}"), json!({"allOf": [one, one]}));
    }
    defs.insert(format!("d{levels}"), json!({"type": ["string", "object"]}));
    json!({"$defs": defs, "$ref": "#/$defs/d0"})
}

#[test]
fn s18_work_that_doubles_is_refused_before_it_is_done() {
    let began = Instant::now();
    let wide = checker(&doubling(30, false)).unwrap();
    assert_eq!(wide.check(Some("7")), Ok(()), "it is not checked");
    let deep = checker(&doubling(40, true)).unwrap();
    let nested = format!("{}1{}", r#"{"x":"#.repeat(40), "}".repeat(40));
    assert_eq!(deep.check(Some(&nested)), Ok(()), "it is not checked");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_usual_recursive_schema_is_checked() {
    let schema = json!({
        "$defs": {"node": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string"},
            "children": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}
        }}},
        "type": "object", "properties": {"root": {"$ref": "#/$defs/node"}}
    });
    assert!(
        faults(&schema, r#"{"root":{"name":"a","children":[{"name":"b","children":[null]}]}}"#).is_empty()
    );
    assert_eq!(faults(&schema, r#"{"root":{"name":"a","children":[{"nam":"b"}]}}"#).len(), 1);
}

#[test]
fn patterns_are_matched_in_time_and_odd_ones_make_a_schema_unusable() {
    let schema = json!({"properties": {"a": {"pattern": "^(a+)+$"}}});
    let long = format!(r#"{{"a":"{}!"}}"#, "a".repeat(50_000));
    assert_eq!(faults(&schema, &long).len(), 1);
    assert_eq!(checker(&json!({"properties": {"a": {"pattern": "(?=x)y"}}})).err(), Some(Unusable::Invalid));
    assert_eq!(checker(&json!({"type": "objekt"})).err(), Some(Unusable::Invalid));
    assert_eq!(Checker::of_tool("{}").err(), Some(Unusable::None));
}

#[test]
fn arguments_that_are_too_large_or_deep_pass_unchecked() {
    let schema =
        json!({"type": "object", "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "null"}]}});
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(checker(&schema).unwrap().check(Some(&format!(r#"{{"a":{deep}}}"#))), Ok(()));
    let many = format!("[{}7]", "7,".repeat(1_000_000));
    assert_eq!(checker(&schema).unwrap().check(Some(&format!(r#"{{"a":{many}}}"#))), Ok(()));
}
