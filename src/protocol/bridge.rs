//! Results and errors between the eras. Within one era everything passes untouched.
//!
//! Only what the other era forbids or requires is edited (`changelog` of 2026-07-28): `resultType`, cache hints and
//! error codes. Requests from servers are the business of `gateway/ask.rs`.

use crate::protocol::code;
use crate::protocol::version::Era;
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use std::borrow::Cow;

/// Why a result cannot be shown to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untranslatable {
    /// A modern server wants input and the client is a legacy one.
    #[error("asks for input in a way that this client's protocol revision cannot carry")]
    InputRequired,
    /// The result is of a kind nobody here knows.
    #[error("answered with a kind of result that this client's protocol revision does not know")]
    UnknownKind,
}

/// True for a result of a modern server that asks for input first.
#[must_use]
pub fn asks_for_input(raw: &str) -> bool {
    memchr::memmem::find(raw.as_bytes(), b"input_required").is_some()
        && to_legacy(raw) == Err(Untranslatable::InputRequired)
}

/// The result of `method` from a server of era `from`, as a client of era `to` understands it.
///
/// # Errors
/// [`Untranslatable`] when the other era has no such thing.
pub fn result<'a>(raw: &'a str, method: &str, from: Era, to: Era) -> Result<Cow<'a, str>, Untranslatable> {
    match (from, to) {
        (Era::Legacy, Era::Modern) => Ok(Cow::Owned(to_modern(raw, method))),
        (Era::Modern, Era::Legacy) => to_legacy(raw),
        _ => Ok(Cow::Borrowed(raw)),
    }
}

fn to_modern(raw: &str, method: &str) -> String {
    let mut added: Vec<(&str, &[u8])> = vec![("resultType", b"\"complete\"")];
    if method == "resources/read" {
        added.extend([("ttlMs", &b"0"[..]), ("cacheScope", b"\"private\"")]);
    }
    let Ok(members) = Members::parse(raw) else { return raw.to_owned() };
    let mut out = Vec::with_capacity(raw.len() + 64);
    write_object(&mut out, &members, |_| Edit::Keep, &added);
    String::from_utf8(out).unwrap_or_else(|_| raw.to_owned())
}

fn to_legacy(raw: &str) -> Result<Cow<'_, str>, Untranslatable> {
    let Ok(members) = Members::parse(raw) else { return Ok(Cow::Borrowed(raw)) };
    match members.get("resultType").map(|kind| kind.get()) {
        None | Some("\"complete\"") => {}
        Some("\"input_required\"") => return Err(Untranslatable::InputRequired),
        Some(_) => return Err(Untranslatable::UnknownKind),
    }
    let mut out = Vec::with_capacity(raw.len());
    let edit = |key: &str| match key {
        "resultType" | "ttlMs" | "cacheScope" => Edit::Drop,
        _ => Edit::Keep,
    };
    write_object(&mut out, &members, edit, &[]);
    Ok(String::from_utf8(out).map_or(Cow::Borrowed(raw), Cow::Owned))
}

/// The error of a server of era `from`, as a client of era `to` may see it.
///
/// A modern peer must not see -32002, -32042 or an undefined code of the reserved range; the original stays in `data`.
#[must_use]
pub fn error<'a>(raw: &'a str, method: &str, from: Era, to: Era) -> Cow<'a, str> {
    if from == to {
        return Cow::Borrowed(raw);
    }
    let Ok(members) = Members::parse(raw) else { return Cow::Borrowed(raw) };
    let Some(seen) = members.get("code").and_then(|code| code.get().parse::<i32>().ok()) else {
        return Cow::Borrowed(raw);
    };
    let code = match to {
        Era::Modern => modern_code(seen),
        Era::Legacy if seen == code::INVALID_PARAMS && method == "resources/read" => code::RESOURCE_NOT_FOUND,
        Era::Legacy => seen,
    };
    if code == seen {
        return Cow::Borrowed(raw);
    }
    let replaced = code.to_string();
    let original = [("data", raw.as_bytes())];
    let keeps_meaning = code != code::INTERNAL_ERROR;
    let appended: &[(&str, &[u8])] =
        if keeps_meaning || members.get("data").is_some() { &[] } else { &original };
    let mut out = Vec::with_capacity(raw.len() * 2);
    let edit = |key: &str| if key == "code" { Edit::Replace(replaced.as_bytes()) } else { Edit::Keep };
    write_object(&mut out, &members, edit, appended);
    String::from_utf8(out).map_or(Cow::Borrowed(raw), Cow::Owned)
}

fn modern_code(seen: i32) -> i32 {
    match seen {
        code::RESOURCE_NOT_FOUND => code::INVALID_PARAMS,
        code::HEADER_MISMATCH | code::MISSING_CAPABILITY | code::UNSUPPORTED_VERSION => seen,
        -32099..=-32020 => code::INTERNAL_ERROR,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_one_era_nothing_changes() {
        let raw = r#"{"content":[],"x":1e2}"#;
        assert_eq!(result(raw, "tools/call", Era::Legacy, Era::Legacy).unwrap(), raw);
    }

    #[test]
    fn a_modern_client_gets_what_its_era_requires() {
        assert_eq!(
            result(r#"{"content":[]}"#, "tools/call", Era::Legacy, Era::Modern).unwrap(),
            r#"{"content":[],"resultType":"complete"}"#
        );
        assert_eq!(
            result("{}", "resources/read", Era::Legacy, Era::Modern).unwrap(),
            r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private"}"#
        );
    }

    #[test]
    fn a_legacy_client_gets_no_modern_members() {
        let raw = r#"{"resultType":"complete","content":[],"ttlMs":5,"n":12345678901234567890}"#;
        assert_eq!(
            result(raw, "tools/call", Era::Modern, Era::Legacy).unwrap(),
            r#"{"content":[],"n":12345678901234567890}"#
        );
        let asks = r#"{"resultType":"input_required"}"#;
        assert_eq!(result(asks, "tools/call", Era::Modern, Era::Legacy), Err(Untranslatable::InputRequired));
    }

    #[test]
    fn a_legacy_client_gets_the_old_code_of_a_missing_resource() {
        let gone = r#"{"code":-32602,"message":"no"}"#;
        assert_eq!(
            error(gone, "resources/read", Era::Modern, Era::Legacy),
            r#"{"code":-32002,"message":"no"}"#
        );
        assert_eq!(error(gone, "tools/call", Era::Modern, Era::Legacy), gone);
    }

    #[test]
    fn codes_a_modern_client_must_not_see_are_mapped() {
        let gone = r#"{"code":-32002,"message":"no","data":{"uri":"x"}}"#;
        assert_eq!(
            error(gone, "resources/read", Era::Legacy, Era::Modern),
            r#"{"code":-32602,"message":"no","data":{"uri":"x"}}"#
        );
        let url = r#"{"code":-32042,"message":"open"}"#;
        assert_eq!(
            error(url, "tools/call", Era::Legacy, Era::Modern),
            r#"{"code":-32603,"message":"open","data":{"code":-32042,"message":"open"}}"#
        );
        assert_eq!(error(gone, "resources/read", Era::Legacy, Era::Legacy), gone);
    }
}
