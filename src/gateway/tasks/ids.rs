//! Task ids inside JSON: found where the protocol carries them, replaced, everything else as it was.
//!
//! It knows places, not tasks; which id stands for which is the caller's. An id inside `content` is data and stays.

use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use crate::wire::members::write_string;
use crate::wire::message::read_text;
use crate::wire::meta;
use memchr::memmem;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The key of `_meta` that says which task a message belongs to (2025-11-25).
pub const RELATED: &str = "io.modelcontextprotocol/related-task";
/// The member that holds an id.
pub const TASK_ID: &str = "taskId";

/// Where ids are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The member `taskId`, and that of the related task in `_meta`.
    Top,
    /// The member `taskId` of the member `task`, and that of the related task in `_meta`.
    Created,
    /// That of the related task in `_meta` alone.
    Related,
}

/// `raw` with the ids at `place` replaced by what `other` says; `None` keeps one.
pub fn replace<'a>(raw: &'a str, place: Place, other: impl Fn(&str) -> Option<Box<str>>) -> Cow<'a, str> {
    if memmem::find(raw.as_bytes(), TASK_ID.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let Ok(members) = Members::parse_with_duplicates(raw) else { return Cow::Borrowed(raw) };
    let top = (place == Place::Top).then(|| text_for(members.get(TASK_ID), &other)).flatten();
    let task = (place == Place::Created).then(|| within(members.get("task"), TASK_ID, &other)).flatten();
    let related = |key: &str, meta: &RawValue| -> Option<Vec<u8>> {
        let members = Members::parse_with_duplicates(meta.get()).ok()?;
        let edited = within(members.get(key), TASK_ID, &other)?;
        Some(with_member(&members, key, &edited))
    };
    let meta = members.get(meta::META).and_then(|meta| related(RELATED, meta));
    if top.is_none() && task.is_none() && meta.is_none() {
        return Cow::Borrowed(raw);
    }
    let edited = |key: &str| match key {
        TASK_ID => top.as_deref(),
        "task" => task.as_deref(),
        meta::META => meta.as_deref(),
        _ => None,
    };
    let mut out = Vec::with_capacity(raw.len() + 64);
    write_object(&mut out, &members, |key| edited(key).map_or(Edit::Keep, Edit::Replace), &[]);
    String::from_utf8(out).map_or(Cow::Borrowed(raw), Cow::Owned)
}

/// The id in the member `taskId` of `raw`.
pub fn of(raw: &str) -> Option<String> {
    let members = Members::parse_with_duplicates(raw).ok()?;
    read_text(members.get(TASK_ID)?).ok().map(Cow::into_owned)
}

/// The id of the task that `params` are related to.
pub fn related(params: &str) -> Option<String> {
    memmem::find(params.as_bytes(), RELATED.as_bytes())?;
    let members = Members::parse_with_duplicates(params).ok()?;
    let meta = Members::parse_with_duplicates(members.get(meta::META)?.get()).ok()?;
    of(meta.get(RELATED)?.get())
}

/// The object `raw` with the id in its member `key` replaced.
fn within(raw: Option<&RawValue>, key: &str, other: impl Fn(&str) -> Option<Box<str>>) -> Option<Vec<u8>> {
    let members = Members::parse_with_duplicates(raw?.get()).ok()?;
    let text = text_for(members.get(key), other)?;
    Some(with_member(&members, key, &text))
}

fn with_member(members: &Members<'_>, key: &str, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let edit = |other: &str| if other == key { Edit::Replace(value) } else { Edit::Keep };
    write_object(&mut out, members, edit, &[]);
    out
}

fn text_for(raw: Option<&RawValue>, other: impl Fn(&str) -> Option<Box<str>>) -> Option<Vec<u8>> {
    let id = other(&read_text(raw?).ok()?)?;
    let mut out = Vec::with_capacity(id.len() + 2);
    write_string(&mut out, &id);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(raw: &str, place: Place) -> String {
        replace(raw, place, |id| (id != "keep").then(|| format!("g-{id}").into())).into_owned()
    }

    #[test]
    fn ids_are_replaced_where_the_protocol_carries_them() {
        for (place, raw, expected) in [
            (
                Place::Top,
                r#"{"taskId":"a","n":1e2,"result":{"taskId":"a"}}"#,
                r#"{"taskId":"g-a","n":1e2,"result":{"taskId":"a"}}"#,
            ),
            (Place::Created, r#"{"task":{"taskId":"a","ttl":1}}"#, r#"{"task":{"taskId":"g-a","ttl":1}}"#),
            (Place::Created, r#"{"taskId":"a"}"#, r#"{"taskId":"a"}"#),
            (
                Place::Related,
                r#"{"x":1,"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"a"},"k":2}}"#,
                r#"{"x":1,"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"g-a"},"k":2}}"#,
            ),
            (Place::Top, r#"{ "taskId" : "keep" }"#, r#"{ "taskId" : "keep" }"#),
            (Place::Top, r#"{"taskId":7}"#, r#"{"taskId":7}"#),
        ] {
            assert_eq!(mapped(raw, place), expected);
        }
    }

    #[test]
    fn the_related_task_is_read() {
        let params = r#"{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"a"}}}"#;
        assert_eq!(related(params).as_deref(), Some("a"));
        assert_eq!(related(r#"{"_meta":{}}"#), None);
    }
}
