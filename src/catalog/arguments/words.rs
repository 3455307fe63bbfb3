//! What is wrong with arguments, in words that help: the place, what was wanted, the name that was meant.
//!
//! Names of arguments are quoted, values never are.

use crate::config::suggest::did_you_mean;
use crate::config::suggest::suggest;
use crate::telemetry::clean::clean;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;
use std::collections::BTreeSet;

/// Names that are compared for a suggestion.
const MAX_NAMES: usize = 1000;
/// Longest name shown, in bytes.
const NAME: usize = 80;
/// Longest text about one fault, in bytes.
const TEXT: usize = 240;

/// The names that a schema knows, wherever they stand in it.
#[derive(Debug)]
pub(super) struct Known(BTreeSet<String>);

impl Known {
    pub(super) fn of(schema: &Value) -> Self {
        let mut names = BTreeSet::new();
        gather(schema, &mut names);
        Self(names)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

fn gather(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                let room = MAX_NAMES.saturating_sub(names.len());
                names.extend(properties.keys().take(room).cloned());
            }
            members.values().for_each(|inner| gather(inner, names));
        }
        Value::Array(items) => items.iter().for_each(|inner| gather(inner, names)),
        _ => {}
    }
}

/// One fault of `arguments`.
pub(super) fn fault(error: &ValidationError<'_>, arguments: &Value, known: &Known) -> String {
    let place = error.instance_path().to_string();
    let at = if place.is_empty() { String::new() } else { format!("at `{}`: ", clean(&place, NAME)) };
    let what = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let unknown = unexpected.iter().take(3).map(|name| {
                let hint = did_you_mean(name, known.names()).map(|hint| format!(", {hint}"));
                format!("there is no `{}`{}", clean(name, NAME), hint.unwrap_or_default())
            });
            unknown.collect::<Vec<_>>().join("; ")
        }
        ValidationErrorKind::Required { property } => missing(property, &place, arguments, known),
        ValidationErrorKind::PropertyNames { .. } => "a name in it is not allowed".to_owned(),
        _ => error.masked_with("the value").to_string(),
    };
    clean(&format!("{at}{what}"), TEXT)
}

fn missing(property: &Value, place: &str, arguments: &Value, known: &Known) -> String {
    let property = property.as_str().unwrap_or_default();
    let given = arguments.pointer(place).and_then(Value::as_object);
    let odd = given.into_iter().flat_map(|given| given.keys()).filter(|key| !known.0.contains(*key));
    let meant = suggest(property, odd.map(String::as_str));
    let hint = meant.map(|key| format!(", did you mean it by `{}`?", clean(key, NAME)));
    format!("`{}` is missing{}", clean(property, NAME), hint.unwrap_or_default())
}
