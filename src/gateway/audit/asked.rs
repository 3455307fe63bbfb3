//! What a request asks for, as it is written down: names without what could be a secret in them.
//!
//! Clients write names too: the user and the query of an address, and names of arguments that no definition has, are values.

use crate::catalog::Catalog;
use crate::gateway::audit::shape::shape;
use crate::gateway::incoming::Incoming;
use crate::telemetry::clean::start;
use crate::wire::members::Members;
use crate::wire::message::read_text;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Longest name written down, in bytes.
const NAME: usize = 1024;
/// Longest arguments written down with their values, in bytes.
const VALUES: usize = 64 << 10;

/// What a request names, as it is [`shown`].
pub(super) fn name(incoming: &Incoming<'_>, whole: bool) -> Option<String> {
    let named = ["name", "uri", "taskId"].iter().find_map(|member| incoming.text(member).ok());
    named.or_else(|| reference(incoming)).map(|name| shown(&name, whole))
}

/// `name` within bounds; of an address no user, query or fragment, unless it is wanted `whole`.
pub(super) fn shown(name: &str, whole: bool) -> String {
    let name = if whole { Cow::Borrowed(name) } else { without_values(name) };
    start(&name, NAME).to_owned()
}

/// The arguments: names and types, or as they are when they are wanted `whole`.
pub(super) fn arguments(incoming: &Incoming<'_>, catalog: &Catalog, whole: bool) -> Option<Box<RawValue>> {
    let completes = incoming.method == "completion/complete";
    let given = incoming.params.get(if completes { "argument" } else { "arguments" })?;
    if whole && given.get().len() <= VALUES {
        return Some(given.to_owned());
    }
    let definition = definition(incoming, catalog).unwrap_or_default();
    let text = match completes {
        true => shape(&by_name(given)?, definition),
        false => shape(given.get(), definition),
    };
    RawValue::from_string(text).ok()
}

/// What a completion is about.
fn reference<'a>(incoming: &Incoming<'a>) -> Option<Cow<'a, str>> {
    let members = Members::of(incoming.params.get("ref")?).ok()?;
    ["name", "uri"].iter().find_map(|member| read_text(members.get(member)?).ok())
}

/// The text of what is called, in which the names of its arguments stand.
fn definition<'c>(incoming: &Incoming<'_>, catalog: &'c Catalog) -> Option<&'c str> {
    let name = incoming.text("name").ok().or_else(|| reference(incoming))?;
    let prompt = || catalog.prompts().find(|prompt| prompt.name.as_str() == name);
    let found = if incoming.method == "tools/call" { catalog.tool(&name) } else { prompt() };
    found.map(|item| item.raw.get())
}

/// `{"name": "path", "value": "/"}` as `{"path": "/"}`.
fn by_name(argument: &RawValue) -> Option<String> {
    let mut argument: Value = serde_json::from_str(argument.get()).ok()?;
    let name = argument.get("name")?.as_str()?.to_owned();
    let value = argument.get_mut("value").map(Value::take).unwrap_or_default();
    Some(Value::Object([(name, value)].into_iter().collect()).to_string())
}

fn without_values(name: &str) -> Cow<'_, str> {
    let is_scheme =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let Some((scheme, rest)) = name.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return Cow::Borrowed(name);
    };
    if scheme.eq_ignore_ascii_case("data") {
        return Cow::Owned(format!("{scheme}:…"));
    }
    let end = rest.find(['?', '#']).map_or(rest.len(), |at| at + 1);
    let more = if end < rest.len() { "…" } else { "" };
    let kept = match rest[..end].strip_prefix("//") {
        None => rest[..end].to_owned(),
        Some(rest) => {
            let authority = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
            let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
            format!("//{}", &rest[host..])
        }
    };
    Cow::Owned(format!("{scheme}:{kept}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_only_the_place_is_shown() {
        for (name, left) in [
            ("https://user:SECRET@h/x?token=SECRET", "https://h/x?…"),
            ("https://user@h#SECRET", "https://h#…"),
            ("https://a@SECRET@h/@b", "https://h/@b"),
            ("data:text/plain,SECRET", "data:…"),
            ("file:///a/b", "file:///a/b"),
            ("urn:a:b?SECRET", "urn:a:b?…"),
            ("files__read", "files__read"),
            ("no scheme: at all?", "no scheme: at all?"),
        ] {
            assert_eq!(shown(name, false), left);
            assert_eq!(shown(name, true), name);
        }
    }

    #[test]
    fn an_argument_to_complete_is_one_of_its_name() {
        let argument = RawValue::from_string(r#"{"name":"path","value":"/s"}"#.to_owned()).unwrap();
        assert_eq!(by_name(&argument).unwrap(), r#"{"path":"/s"}"#);
    }
}
