//! `x-mcp-header`: arguments of a tool that modern HTTP repeats in headers.
//!
//! Source: MCP 2026-07-28, `server/tools` and `basic/transports/streamable-http`. It does not encode values for headers,
//! and leaves no tool out: [`fault`] only says what is wrong.

use crate::wire::members::Members;
use crate::wire::message::read_text;
use serde_json::value::RawValue;

/// The key of the annotation in the schema of a property.
const KEY: &str = "x-mcp-header";
/// What stands before the annotated name in the header.
const PREFIX: &str = "mcp-param-";
/// Properties inside properties are looked at down to here.
const MAX_DEPTH: usize = 32;

/// Keywords whose values are schemas, where no annotation may stand.
const OFF_PATH: [&str; 17] = [
    "items",
    "prefixItems",
    "contains",
    "additionalItems",
    "additionalProperties",
    "unevaluatedItems",
    "unevaluatedProperties",
    "propertyNames",
    "contentSchema",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependencies",
];
/// Keywords whose values hold schemas under names, where no annotation may stand.
const OFF_PATH_MAPS: [&str; 4] = ["$defs", "definitions", "patternProperties", "dependentSchemas"];

/// One argument that is repeated in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamHeader {
    /// The name of the header, in lower case.
    name: String,
    /// The properties that lead to the argument.
    path: Vec<String>,
}

impl ParamHeader {
    /// The name of the header, in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the header says for these arguments, before it is encoded; `None` when there must be no header.
    #[must_use]
    pub fn value(&self, arguments: Option<&RawValue>) -> Option<String> {
        let mut value = arguments?;
        for step in &self.path {
            value = Members::parse_with_duplicates(value.get()).ok()?.get(step)?;
        }
        match value.get() {
            "null" => None,
            word @ ("true" | "false") => Some(word.to_owned()),
            text if text.starts_with('"') => Some(read_text(value).ok()?.into_owned()),
            number if !number.starts_with(['{', '[']) => Some(number.to_owned()),
            _ => None,
        }
    }
}

/// The annotated arguments of a tool as it is listed.
#[must_use]
pub fn of_tool(tool: &str) -> Vec<ParamHeader> {
    let mut found = Vec::new();
    // Hardly any tool has one, and a key can only be spelled otherwise with an escape.
    let may_have = |needle: &[u8]| memchr::memmem::find(tool.as_bytes(), needle).is_some();
    if (may_have(KEY.as_bytes()) || may_have(b"\\u"))
        && let Ok(members) = Members::parse_with_duplicates(tool)
        && let Some(schema) = members.get("inputSchema")
    {
        collect(schema.get(), &mut Vec::new(), &mut found);
    }
    found
}

/// What breaks the rules for annotations in a tool as it is listed: clients over HTTP must leave such a tool out.
#[must_use]
pub fn fault(tool: &str) -> Option<&'static str> {
    let may_have = |needle: &[u8]| memchr::memmem::find(tool.as_bytes(), needle).is_some();
    if !may_have(KEY.as_bytes()) && !may_have(b"\\u") {
        return None;
    }
    let schema = Members::parse_with_duplicates(tool).ok()?.get("inputSchema")?;
    judge(schema.get(), Place::Root, 0, &mut Vec::new()).err()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// Reached over `properties` alone.
    Property,
    Elsewhere,
}

fn judge(schema: &str, place: Place, depth: usize, seen: &mut Vec<String>) -> Result<(), &'static str> {
    let Ok(members) = Members::parse_with_duplicates(schema) else { return Ok(()) };
    if depth > MAX_DEPTH {
        return Ok(());
    }
    if members.get(KEY).is_some() {
        if place != Place::Property {
            return Err("it stands where no argument is, or where there may be many");
        }
        let name = annotation(schema).ok_or("its name is no token, or its argument is no plain value")?;
        if seen.contains(&name) {
            return Err("two arguments have the same name");
        }
        seen.push(name);
    }
    let inside = if place == Place::Elsewhere { Place::Elsewhere } else { Place::Property };
    for (key, value) in members.iter() {
        let value = value.get();
        if key == "properties" {
            judge_each(value, inside, depth, seen)?;
        } else if OFF_PATH_MAPS.contains(&key) {
            judge_each(value, Place::Elsewhere, depth, seen)?;
        } else if OFF_PATH.contains(&key) {
            let list = serde_json::from_str::<Vec<&RawValue>>(value).unwrap_or_default();
            judge(value, Place::Elsewhere, depth + 1, seen)?;
            list.into_iter().try_for_each(|one| judge(one.get(), Place::Elsewhere, depth + 1, seen))?;
        }
    }
    Ok(())
}

fn judge_each(map: &str, place: Place, depth: usize, seen: &mut Vec<String>) -> Result<(), &'static str> {
    let Ok(members) = Members::parse_with_duplicates(map) else { return Ok(()) };
    members.iter().try_for_each(|(_, schema)| judge(schema.get(), place, depth + 1, seen))
}

fn collect(schema: &str, path: &mut Vec<String>, found: &mut Vec<ParamHeader>) {
    let Some(properties) = member(schema, "properties").filter(|_| path.len() < MAX_DEPTH) else { return };
    let Ok(properties) = Members::parse_with_duplicates(properties.get()) else { return };
    for (key, schema) in properties.iter() {
        path.push(key.to_owned());
        if let Some(name) = annotation(schema.get())
            && !found.iter().any(|other| other.name == name)
        {
            found.push(ParamHeader { name, path: path.clone() });
        }
        collect(schema.get(), path, found);
        path.pop();
    }
}

/// The header of a property that has one.
fn annotation(schema: &str) -> Option<String> {
    let name = member(schema, KEY).and_then(|raw| read_text(raw).ok())?;
    let kind = member(schema, "type").and_then(|raw| read_text(raw).ok())?;
    let is_token = !name.is_empty() && name.bytes().all(is_token_byte);
    let is_plain = matches!(&*kind, "string" | "integer" | "boolean");
    (is_token && is_plain).then(|| format!("{PREFIX}{}", name.to_ascii_lowercase()))
}

fn member<'a>(object: &'a str, key: &str) -> Option<&'a RawValue> {
    Members::parse_with_duplicates(object).ok()?.get(key)
}

/// RFC 9110, section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(properties: &str) -> Vec<String> {
        let tool =
            format!(r#"{{"name":"t","inputSchema":{{"type":"object","properties":{{{properties}}}}}}}"#);
        of_tool(&tool).iter().map(|header| header.name().to_owned()).collect()
    }

    #[test]
    fn properties_name_their_headers() {
        assert_eq!(
            named(r#""a":{"type":"string","x-mcp-header":"Region"},"b":{"type":"string"}"#),
            ["mcp-param-region"]
        );
        let nested = r#""o":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}}"#;
        assert_eq!(named(nested), ["mcp-param-n"]);
        for odd in [
            r#""a":{"type":"string","x-mcp-header":""}"#,
            r#""a":{"type":"string","x-mcp-header":"a b"}"#,
            r#""a":{"type":"string","x-mcp-header":7}"#,
            r#""a":{"type":"object","x-mcp-header":"A"}"#,
            r#""a":{"x-mcp-header":"A"}"#,
            r#""a":"x-mcp-header""#,
        ] {
            assert_eq!(named(odd), [""; 0], "{odd}");
        }
    }

    #[test]
    fn annotations_that_break_the_rules_are_told() {
        let fault_of = |schema: &str| fault(&format!(r#"{{"name":"t","inputSchema":{schema}}}"#));
        let mark = r#"{"type":"string","x-mcp-header":"A"}"#;
        for fine in [
            format!(r#"{{"properties":{{"a":{mark}}}}}"#),
            format!(r#"{{"properties":{{"o":{{"type":"object","properties":{{"a":{mark}}}}}}}}}"#),
            r#"{"properties":{"x-mcp-header":{"type":"number"}}}"#.into(),
            r#"{"properties":{"a":{"type":"object","default":{"x-mcp-header":""}}}}"#.into(),
        ] {
            assert_eq!(fault_of(&fine), None, "{fine}");
        }
        for odd in [
            r#"{"properties":{"a":{"type":"string","x-mcp-header":""}}}"#.into(),
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"a b"}}}"#.into(),
            r#"{"properties":{"a":{"type":"string","x-mcp-header":null}}}"#.into(),
            r#"{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}"#.into(),
            r#"{"properties":{"a":{"type":"object","x-mcp-header":"A"}}}"#.into(),
            format!(r#"{{"properties":{{"a":{mark},"b":{{"type":"string","x-mcp-header":"a"}}}}}}"#),
            format!(r#"{{"properties":{{"l":{{"type":"array","items":{mark}}}}}}}"#),
            format!(r#"{{"anyOf":[{{"properties":{{"a":{mark}}}}}]}}"#),
            format!(r#"{{"$defs":{{"d":{mark}}}}}"#),
            mark.to_owned(),
        ] {
            assert!(fault_of(&odd).is_some(), "{odd}");
        }
    }

    #[test]
    fn values_are_those_of_the_arguments() {
        let tool = r#"{"inputSchema":{"properties":{"o":{"properties":{"v":{"type":"string","x-mcp-header":"V"}}}}}}"#;
        let headers = of_tool(tool);
        for (value, said) in [
            (r#""a""#, Some("a")),
            (r#""\u00e4""#, Some("ä")),
            (r#""""#, Some("")),
            ("42", Some("42")),
            ("true", Some("true")),
            ("null", None),
            ("{}", None),
            ("[1]", None),
        ] {
            let arguments: Box<RawValue> =
                serde_json::from_str(&format!(r#"{{"o":{{"v":{value}}}}}"#)).unwrap();
            assert_eq!(headers[0].value(Some(&arguments)).as_deref(), said, "{value}");
        }
        let other: Box<RawValue> = serde_json::from_str(r#"{"v":"a"}"#).unwrap();
        assert_eq!((headers[0].value(Some(&other)), headers[0].value(None)), (None, None));
    }
}
