//! The top-level members of a raw JSON object, and writing the object again with some of them edited.
//!
//! Values stay the text they are: nested objects are not looked into, numbers are not parsed, order is kept. It does
//! not check depth or length; the scan of an inbound message has done that.

use crate::wire::scan::end_of_value;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Up to this many members duplicates are looked for pair by pair; beyond, by sorting.
const FEW: usize = 16;

/// The members of one object, in its order; no key occurs twice unless it was read with
/// [`Members::parse_with_duplicates`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    raw: &'a str,
    list: Vec<Member<'a>>,
}

/// One member.
#[derive(Debug, Clone)]
struct Member<'a> {
    key: Cow<'a, str>,
    /// The key as it is spelled, quotes included.
    spelled: &'a str,
    value: Value<'a>,
}

/// The value of a member.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    /// As the parser gave it.
    Parsed(&'a RawValue),
    /// A text known to be JSON.
    Known(&'a str),
}

impl<'a> Value<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Parsed(raw) => raw.get(),
            Self::Known(text) => text,
        }
    }

    fn raw(self) -> Option<&'a RawValue> {
        match self {
            Self::Parsed(raw) => Some(raw),
            Self::Known(text) => serde_json::from_str(text).ok(),
        }
    }
}

/// Why a text is not an object we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembersError {
    /// It is some other JSON value.
    #[error("not a JSON object")]
    NotAnObject,
    /// This key occurs twice, so that two readers could see two different values.
    #[error("the key `{0}` occurs twice")]
    Duplicate(String),
    /// It is not JSON.
    #[error("not valid JSON")]
    Syntax,
}

/// What becomes of a member when the object is written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit<'e> {
    /// It stays byte for byte.
    Keep,
    /// It is left out.
    Drop,
    /// Its value becomes this JSON text.
    Replace(&'e [u8]),
}

impl<'a> Members<'a> {
    /// Reads the top-level members of `raw`.
    ///
    /// ```
    /// use mcp_manifold::wire::members::Members;
    /// let members = Members::parse(r#"{"name":"read","n":1e2}"#).unwrap();
    /// assert_eq!(members.get("n").unwrap().get(), "1e2");
    /// ```
    ///
    /// # Errors
    /// [`MembersError`] when `raw` is not an object, not JSON, or holds a key twice.
    pub fn parse(raw: &'a str) -> Result<Self, MembersError> {
        Self::parse_with_duplicates(raw)?.unique()
    }

    /// As [`Members::parse`], for a text that was parsed once: its values are passed over without a second look, which
    /// matters when they are large.
    ///
    /// # Errors
    /// [`MembersError`] when `raw` is not an object or holds a key twice.
    pub fn of(raw: &'a RawValue) -> Result<Self, MembersError> {
        let raw = raw.get();
        let list = list_known(raw).ok_or(MembersError::NotAnObject)?;
        Self { raw, list }.unique()
    }

    fn unique(self) -> Result<Self, MembersError> {
        match first_duplicate(&self.list) {
            Some(key) => Err(MembersError::Duplicate(key.to_owned())),
            None => Ok(self),
        }
    }

    /// As [`Members::parse`], for an object that is passed on and not acted on: a key may occur more than once.
    ///
    /// [`Members::get`] then returns the first; [`Members::count`] tells.
    ///
    /// # Errors
    /// [`MembersError`] when `raw` is not an object or not JSON.
    pub fn parse_with_duplicates(raw: &'a str) -> Result<Self, MembersError> {
        if !raw.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
            let other = serde_json::from_str::<&RawValue>(raw).is_ok();
            return Err(if other { MembersError::NotAnObject } else { MembersError::Syntax });
        }
        let mut json = serde_json::Deserializer::from_str(raw);
        let list = json.deserialize_map(ListVisitor).map_err(|_| MembersError::Syntax)?;
        json.end().map_err(|_| MembersError::Syntax)?;
        Ok(Self { raw, list })
    }

    /// The object without members.
    #[must_use]
    pub fn empty() -> Self {
        Self { raw: "{}", list: Vec::new() }
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.list.iter().find(|member| member.key == key).and_then(|member| member.value.raw())
    }

    /// How often `key` occurs.
    #[must_use]
    pub fn count(&self, key: &str) -> usize {
        self.list.iter().filter(|member| member.key == key).count()
    }

    /// Keys and values in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.list.iter().filter_map(|member| Some((&*member.key, member.value.raw()?)))
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True for `{}`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The text that was read.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// Where the value of `key` stands in [`Members::raw`], in bytes.
    #[must_use]
    pub fn value_range(&self, key: &str) -> Option<Range<usize>> {
        self.list.iter().find(|member| member.key == key).map(|member| self.range_of(member.value.text()))
    }

    fn range_of(&self, part: &'a str) -> Range<usize> {
        let start = part.as_ptr() as usize - self.raw.as_ptr() as usize;
        start..start + part.len()
    }
}

/// Writes the object of `members` to `out`, each member as `edit` says, then those of `appended` (key, JSON text).
///
/// Kept members are copied byte for byte, spelling of the key included; blanks around commas and braces are not
/// kept. A member whose key is among `appended` is left out, so no key is ever written twice.
pub fn write_object<'e>(
    out: &mut Vec<u8>,
    members: &Members<'_>,
    edit: impl Fn(&str) -> Edit<'e>,
    appended: &[(&str, &[u8])],
) {
    let extra: usize = appended.iter().map(|(key, value)| key.len() + value.len() + 4).sum();
    out.reserve(members.raw.len() + extra);
    out.push(b'{');
    let mut first = true;
    for member in &members.list {
        if appended.iter().any(|(key, _)| *key == member.key) {
            continue;
        }
        let value = match edit(&member.key) {
            Edit::Keep => member.value.text().as_bytes(),
            Edit::Drop => continue,
            Edit::Replace(value) => value,
        };
        separate(out, &mut first);
        let key = members.range_of(member.spelled).start..members.range_of(member.value.text()).start;
        out.extend_from_slice(&members.raw.as_bytes()[key]);
        out.extend_from_slice(value);
    }
    for (key, value) in appended {
        separate(out, &mut first);
        write_string(out, key);
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.push(b'}');
}

/// Writes `text` as a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing a string to memory cannot fail");
}

fn separate(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}

fn first_duplicate<'m>(list: &'m [Member<'_>]) -> Option<&'m str> {
    if list.len() <= FEW {
        let earlier = |(at, member): (usize, &'m Member<'_>)| {
            list[..at].iter().any(|other| other.key == member.key).then_some(&*member.key)
        };
        return list.iter().enumerate().find_map(earlier);
    }
    let mut keys: Vec<&str> = list.iter().map(|member| &*member.key).collect();
    keys.sort_unstable();
    keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

struct ListVisitor;

impl<'a> Visitor<'a> for ListVisitor {
    type Value = Vec<Member<'a>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some((spelled, value)) = map.next_entry::<&'a RawValue, &'a RawValue>()? {
            if list.is_empty() {
                list.reserve(8);
            }
            list.push(Member {
                key: unescape(spelled.get()).map_err(serde::de::Error::custom)?,
                spelled: spelled.get(),
                value: Value::Parsed(value),
            });
        }
        Ok(list)
    }
}

/// The members of a text known to be JSON; `None` when it is not an object.
fn list_known(raw: &str) -> Option<Vec<Member<'_>>> {
    let bytes = raw.as_bytes();
    let skip = |from: usize, also: u8| {
        let between = |byte: &u8| *byte != also && !matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        bytes.get(from..)?.iter().position(between).map(|blanks| from + blanks)
    };
    let open = skip(0, b' ').filter(|at| bytes[*at] == b'{')?;
    let mut list = Vec::with_capacity(8);
    let mut at = skip(open + 1, b' ')?;
    while bytes[at] == b'"' {
        let spelled = &raw[at..end_of_value(bytes, at)];
        let from = skip(at + spelled.len(), b':')?;
        let value = &raw[from..end_of_value(bytes, from)];
        list.push(Member { key: unescape(spelled).ok()?, spelled, value: Value::Known(value) });
        at = skip(from + value.len(), b',')?;
    }
    Some(list)
}

/// The key that `spelled` (with its quotes) means; borrowed when it holds no escape.
fn unescape(spelled: &str) -> serde_json::Result<Cow<'_, str>> {
    if memchr::memchr(b'\\', spelled.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(&spelled[1..spelled.len() - 1]));
    }
    serde_json::from_str::<String>(spelled).map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rewritten(raw: &str, edit: impl Fn(&str) -> Edit<'static>, appended: &[(&str, &[u8])]) -> String {
        let mut out = Vec::new();
        write_object(&mut out, &Members::parse(raw).unwrap(), edit, appended);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn members_come_in_order_with_their_text() {
        let members = Members::parse(r#" { "b" : 1e2 , "a":{"x":[1, 2]},"\u0063":"é" } "#).unwrap();
        let seen: Vec<_> = members.iter().map(|(key, value)| (key.to_owned(), value.get())).collect();
        let expected =
            [("b".to_owned(), "1e2"), ("a".to_owned(), r#"{"x":[1, 2]}"#), ("c".to_owned(), "\"é\"")];
        assert_eq!(seen, expected);
        assert_eq!(members.len(), 3);
        assert_eq!(&members.raw()[members.value_range("b").unwrap()], "1e2");
        assert!(members.get("x").is_none(), "nested keys are not members");
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for raw in ["[]", "1", "\"{}\"", "null"] {
            assert_eq!(Members::parse(raw).unwrap_err(), MembersError::NotAnObject, "{raw}");
        }
        for raw in ["", "{", "{\"a\"}", "{\"a\":1,}", "{} {}", "nope", "{\"\\ud800\":1}", "{\"a\":01}"] {
            assert_eq!(Members::parse(raw).unwrap_err(), MembersError::Syntax, "{raw}");
        }
        assert!(Members::parse("{}").unwrap().is_empty());
    }

    #[test]
    fn a_key_twice_is_refused_however_it_is_spelled() {
        let error = Members::parse(r#"{"name":1,"n\u0061me":2}"#).unwrap_err();
        assert_eq!(error, MembersError::Duplicate("name".into()));
        let many: Vec<String> = (0..40).map(|n| format!("\"k{}\":1", n % 39)).collect();
        let error = Members::parse(&format!("{{{}}}", many.join(","))).unwrap_err();
        assert_eq!(error, MembersError::Duplicate("k0".into()));
    }

    #[test]
    fn a_parsed_text_is_read_the_same_way() {
        for raw in [
            r#" { "b" : 1e2 , "a":{"x":[1, "}"]},"\u0063":"é\\" , "d" :[ ] } "#,
            "{}",
            " { \n } ",
            r#"{"name":1,"n\u0061me":2}"#,
            r#"{"":"","x":{"x":[{"x":null}]}}"#,
            "[1]",
            "7",
            "\"{}\"",
        ] {
            let known: Box<RawValue> = serde_json::from_str(raw).unwrap();
            match (Members::parse(known.get()), Members::of(&known)) {
                (Ok(parsed), Ok(of)) => {
                    let list = |members: &Members<'_>| -> Vec<_> {
                        members.iter().map(|(key, value)| (key.to_owned(), value.get().to_owned())).collect()
                    };
                    assert_eq!(list(&parsed), list(&of), "{raw}");
                    let written = |members: &Members<'_>| {
                        let mut out = Vec::new();
                        write_object(&mut out, members, |_| Edit::Keep, &[]);
                        out
                    };
                    assert_eq!(written(&parsed), written(&of), "{raw}");
                }
                (parsed, of) => assert_eq!(parsed.unwrap_err(), of.unwrap_err(), "{raw}"),
            }
        }
    }

    #[test]
    fn duplicates_can_be_let_through() {
        let raw = r#"{"d":1,"name":"a","d":2}"#;
        let members = Members::parse_with_duplicates(raw).unwrap();
        assert_eq!((members.count("d"), members.count("name"), members.count("x")), (2, 1, 0));
        let mut out = Vec::new();
        write_object(&mut out, &members, |_| Edit::Keep, &[]);
        assert_eq!(out, raw.as_bytes());
    }

    #[test]
    fn edits_touch_only_what_they_name() {
        let raw = r#"{"n\u0061me" : "a","execution":{"x":1},"big":123456789012345678901234567890,"e":1E+2}"#;
        let edit = |key: &str| match key {
            "name" => Edit::Replace(b"\"s__a\""),
            "execution" => Edit::Drop,
            _ => Edit::Keep,
        };
        assert_eq!(
            rewritten(raw, edit, &[("ttlMs", b"0"), ("e", b"3")]),
            r#"{"n\u0061me" : "s__a","big":123456789012345678901234567890,"ttlMs":0,"e":3}"#
        );
        assert_eq!(rewritten("{}", |_| Edit::Keep, &[("a\"b", b"[]")]), r#"{"a\"b":[]}"#);
        assert_eq!(rewritten(r#"{"a":1}"#, |_| Edit::Drop, &[]), "{}");
    }

    proptest! {
        #[test]
        fn any_object_survives(keys in prop::collection::hash_set(".*", 0..40), value in "[ -~é]*") {
            let object: serde_json::Map<String, serde_json::Value> =
                keys.iter().map(|key| (key.clone(), serde_json::Value::from(value.clone()))).collect();
            let raw = serde_json::to_string(&object).unwrap();
            prop_assert_eq!(rewritten(&raw, |_| Edit::Keep, &[]), raw.clone());
            let known: Box<RawValue> = RawValue::from_string(raw.clone()).unwrap();
            for members in [Members::parse(&raw).unwrap(), Members::of(&known).unwrap()] {
                prop_assert_eq!(members.len(), keys.len());
                for key in &keys {
                    prop_assert_eq!(members.get(key).unwrap().get(), serde_json::to_string(&value).unwrap());
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(raw in ".*") {
            let _ = Members::parse(&raw);
        }
    }
}
