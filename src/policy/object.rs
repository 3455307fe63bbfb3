//! What a decision is about: a tool, prompt or resource of a server, by the server's own name for it.
//!
//! Names that clients see are of no account here: a shortened name, a prefix or an alias changes no right.

use crate::config::model::access::ObjectKind;
use std::borrow::Cow;

/// An object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<'a> {
    /// What it is.
    pub kind: ObjectKind,
    /// Its server.
    pub server: &'a str,
    /// Its own name there; the URI of a resource, the URI template of a template.
    pub name: &'a str,
}

/// What a URI means to a server that takes its path apart: percent signs decoded, `.` and `..` resolved, `\` as `/`, scheme
/// and host in lower case. `None` when that is the URI itself.
///
/// A right to `file:///public/*` is none to `file:///public/../secret`: the lower of the rights to both forms counts.
#[must_use]
pub fn canonical(uri: &str) -> Option<String> {
    let plain = decoded(uri);
    let plain = plain.replace('\\', "/");
    let (scheme, rest) = plain.split_once(':').unwrap_or(("", &plain));
    let (mut authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    // RFC 8089: `file:/x` and `file://localhost/x` are `file:///x`.
    let is_file = scheme.eq_ignore_ascii_case("file") && path.starts_with('/');
    if is_file && authority.eq_ignore_ascii_case("localhost") {
        authority = "";
    }
    let (path, query) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
    let mut out = String::with_capacity(plain.len());
    if plain.contains(':') {
        out.push_str(&scheme.to_ascii_lowercase());
        out.push(':');
    }
    if is_file || rest.starts_with("//") {
        out.push_str("//");
        out.push_str(&authority.to_ascii_lowercase());
    }
    out.push_str(&resolved(path));
    out.push_str(query);
    (out != uri).then_some(out)
}

/// Percent signs decoded, also those that decoding brings out, and without control characters.
fn decoded(uri: &str) -> String {
    let mut text = Cow::Borrowed(uri);
    for _ in 0..4 {
        let Some(once) = decoded_once(&text) else { break };
        text = Cow::Owned(once);
    }
    text.chars().filter(|c| !c.is_control()).collect()
}

fn decoded_once(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut out, mut at, mut found) = (Vec::with_capacity(bytes.len()), 0, false);
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                (at, found) = (at + 3, true);
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    found.then(|| String::from_utf8_lossy(&out).into_owned())
}

/// Without `.` and `..`, and without empty parts.
fn resolved(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            "" if !parts.is_empty() => {}
            ".." => {
                parts.truncate(parts.len().saturating_sub(1).max(1));
            }
            part => parts.push(part),
        }
    }
    let mut out = parts.join("/");
    if path.len() > 1 && path.ends_with('/') && !out.ends_with('/') {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_has_one_form() {
        for (uri, form) in [
            ("file:///a/../b", "file:///b"),
            ("file:///a/%2e%2e/b", "file:///b"),
            ("file:///a/%252e%252e/b", "file:///b"),
            ("file:///a/..\\b", "file:///b"),
            ("FILE://Host/A/./b", "file://host/A/b"),
            ("file:///a/b%00", "file:///a/b"),
            ("file:///../../etc/passwd", "file:///etc/passwd"),
            ("file:///a//b", "file:///a/b"),
            ("x:a%41", "x:aA"),
            ("file://localhost/x", "file:///x"),
            ("FILE://LocalHost/x/../y", "file:///y"),
            ("file:/x", "file:///x"),
            ("file:\\\\localhost\\x", "file:///x"),
            ("file:%2Fx", "file:///x"),
        ] {
            assert_eq!(canonical(uri).as_deref(), Some(form), "{uri}");
        }
        for uri in [
            "file:///a/b",
            "file:x",
            "http://localhost/x",
            "x:/y",
            "ui://x/view",
            "memo:1",
            "test://t/1?q=1#f",
            "a",
            "",
            "file:///a/",
            "https://h",
        ] {
            assert_eq!(canonical(uri), None, "{uri}");
        }
    }
}
