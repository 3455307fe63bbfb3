//! The headers of a remote entry: every client's way to give them → lower-case names in file order.
//!
//! It stores no token and asks nobody for one.

use crate::config::check::read;
use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::dialect::entry::Given;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::finding::Findings;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use crate::secret::Secret;
use http::HeaderName;
use http::HeaderValue;

/// Headers that the gateway sets itself, request by request.
const OURS: [&str; 10] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "transfer-encoding",
];

/// Headers as they are sent.
pub type Headers = Vec<(String, Secret)>;

/// Reads the headers of an entry; `None` when something is wrong, which is told.
pub fn check(entry: &Entry<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<Headers> {
    let mut gathering = Gathering { headers: Headers::new(), whole: true, scope, findings };
    if let Some(given) = entry.get(Key::Headers) {
        gathering.stated(given);
    }
    if let Some(given) = entry.get(Key::EnvHeaders) {
        gathering.take_variables(given);
    }
    gathering.bearer(entry);
    gathering.whole.then_some(gathering.headers)
}

struct Gathering<'a, 'b> {
    headers: Headers,
    whole: bool,
    scope: &'a mut Scope<'b>,
    findings: &'a mut Findings,
}

impl Gathering<'_, '_> {
    /// A map, or a list of `"Name: value"`.
    fn stated(&mut self, given: Given<'_>) {
        match &given.node.value {
            Value::Object(members) => {
                for member in members {
                    match read::scalar(&member.node) {
                        Some(value) => self.add(&member.key, &value, member.node.start),
                        None => self.wrong(&format!("{}.{}", given.written, member.key), &member.node),
                    }
                }
            }
            Value::List(items) => {
                for item in items {
                    match item.text().and_then(|text| text.split_once(':')) {
                        Some((name, value)) => self.add(name.trim(), value.trim(), item.start),
                        None => {
                            let text = format!("`{}` must hold texts like `Name: value`", given.written);
                            self.findings.error(item.start, text);
                            self.whole = false;
                        }
                    }
                }
            }
            _ => self.wrong(given.written, given.node),
        }
    }

    fn take_variables(&mut self, given: Given<'_>) {
        if !given.node.is_object() {
            self.wrong(given.written, given.node);
        }
        for member in given.node.members() {
            match member.node.text() {
                Some(variable) => self.add(&member.key, &format!("${{{variable}}}"), member.node.start),
                None => self.wrong(&format!("{}.{}", given.written, member.key), &member.node),
            }
        }
    }

    fn bearer(&mut self, entry: &Entry<'_>) {
        for given in [entry.get(Key::Bearer), entry.get(Key::BearerEnv)].into_iter().flatten() {
            let Some(written) = given.node.text() else {
                self.wrong(given.written, given.node);
                continue;
            };
            if self.headers.iter().any(|(name, _)| name == "authorization") {
                let text =
                    format!("`{}` is ignored, because `Authorization` is given already", given.written);
                self.findings.warn(given.at, text);
            } else if given.key == Key::BearerEnv {
                self.add("authorization", &format!("Bearer ${{{written}}}"), given.node.start);
            } else {
                self.add("authorization", &format!("Bearer {written}"), given.node.start);
            }
        }
    }

    fn add(&mut self, name: &str, written: &str, at: usize) {
        let Ok(valid) = HeaderName::from_bytes(name.as_bytes()) else {
            self.findings.error(at, format!("`{name}` is not the name of a header"));
            self.whole = false;
            return;
        };
        let Some(value) = read::expanded(written, at, self.scope, Style::default(), self.findings) else {
            self.whole = false;
            return;
        };
        if HeaderValue::from_bytes(value.value.as_bytes()).is_err() {
            let text = format!("the value of header `{name}` holds a line break or control character");
            self.findings.error(at, text);
            self.whole = false;
            return;
        }
        if OURS.contains(&valid.as_str()) {
            self.findings.warn(at, format!("header `{name}` is ignored: the gateway sets it itself"));
            return;
        }
        if let Some(index) = self.headers.iter().position(|(known, _)| known == valid.as_str()) {
            self.findings.warn(at, format!("header `{name}` is given twice; this one counts"));
            self.headers.remove(index);
        }
        self.headers.push((valid.as_str().to_owned(), Secret::new(value.value)));
    }

    fn wrong(&mut self, key: &str, node: &Node) {
        read::wrong::<()>(key, node, "a string", self.findings);
        self.whole = false;
    }
}
