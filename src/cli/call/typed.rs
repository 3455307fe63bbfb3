//! Arguments as typed on a command line → one JSON object.
//!
//! `key=value` takes the value as JSON when it is JSON and the tool's schema does not ask for a string.

use serde_json::Map;
use serde_json::Value;

/// The text of the arguments object. `tool` is the tool's definition, when it is known.
///
/// # Errors
/// What is wrong with what was typed.
pub fn arguments(typed: &[String], tool: Option<&str>) -> Result<String, String> {
    match typed {
        [] => Ok("{}".into()),
        [only] if only.trim_start().starts_with('{') => {
            let parsed: Result<Map<String, Value>, _> = serde_json::from_str(only);
            // The text itself is sent: numbers keep their spelling.
            parsed
                .map(|_| only.clone())
                .map_err(|error| format!("the arguments are not a JSON object: {error}"))
        }
        pairs => from_pairs(pairs, tool),
    }
}

fn from_pairs(pairs: &[String], tool: Option<&str>) -> Result<String, String> {
    let schema = tool.and_then(|raw| serde_json::from_str::<Value>(raw).ok());
    let mut object = Map::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(format!("`{pair}` is neither key=value nor a JSON object"));
        };
        let wanted =
            schema.as_ref().and_then(|tool| tool.pointer("/inputSchema/properties")?.get(key)?.get("type"));
        let value = match wanted.and_then(Value::as_str) {
            Some("string") => Value::String(value.to_owned()),
            _ => serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
        };
        if object.insert(key.to_owned(), value).is_some() {
            return Err(format!("`{key}` is given twice"));
        }
    }
    Ok(Value::Object(object).to_string())
}

#[cfg(test)]
mod tests {
    use super::arguments;

    fn typed(words: &[&str], tool: Option<&str>) -> Result<String, String> {
        arguments(&words.iter().map(ToString::to_string).collect::<Vec<_>>(), tool)
    }

    #[test]
    fn pairs_become_what_the_schema_asks_for() {
        let tool = r#"{"inputSchema":{"properties":{"id":{"type":"string"}}}}"#;
        assert_eq!(
            typed(&["id=12", "n=12", "s=a b=c"], Some(tool)).unwrap(),
            r#"{"id":"12","n":12,"s":"a b=c"}"#
        );
        assert_eq!(typed(&["id=12"], None).unwrap(), r#"{"id":12}"#);
    }

    #[test]
    fn an_object_is_sent_as_it_is_typed() {
        assert_eq!(typed(&[r#"{"n":1e2}"#], None).unwrap(), r#"{"n":1e2}"#);
        assert_eq!(typed(&[], None).unwrap(), "{}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(typed(&["{"], None).unwrap_err().contains("JSON object"));
        assert!(typed(&["alone"], None).unwrap_err().contains("`alone`"));
        assert!(typed(&["a=1", "a=2"], None).unwrap_err().contains("twice"));
    }
}
