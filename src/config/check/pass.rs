//! `passHeaders`: which headers of HTTP clients a server gets.
//!
//! Credentials of a client never travel on, and nothing of a client replaces what the entry or the gateway says.

use crate::config::check::read;
use crate::config::dialect::entry::Given;
use crate::config::finding::Findings;
use crate::config::model::outbound::Headers;
use crate::config::model::outbound::Identity;
use crate::config::model::outbound::Outbound;
use http::HeaderName;

/// Names that never travel on, besides those of a kind.
const NEVER: [&str; 25] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "last-event-id",
    "origin",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-agent-id",
    "x-real-ip",
];
const KINDS: [&str; 5] = ["mcp-", "proxy-", "sec-", "x-forwarded-", "access-control-"];

/// True for headers that belong to the protocol, to a connection, or to the gateway itself.
#[must_use]
pub fn is_ours(name: &str) -> bool {
    NEVER.contains(&name) && name != "cookie" || KINDS.iter().any(|kind| name.starts_with(kind))
}

/// Reads the names; `None` when something is wrong, which is told.
pub fn check(
    given: Given<'_>,
    headers: &Headers,
    outbound: &Outbound,
    findings: &mut Findings,
) -> Option<Vec<String>> {
    let (mut names, mut whole) = (Vec::new(), true);
    for (text, at) in read::texts(given, findings)? {
        let name = text.to_ascii_lowercase();
        let why = if HeaderName::from_bytes(name.as_bytes()).is_err() {
            Some("it is not the name of a header".to_owned())
        } else if name.contains("authorization") || name.contains("cookie") {
            Some("credentials of clients never travel on".to_owned())
        } else if is_ours(&name) || NEVER.contains(&name.as_str()) {
            Some("it belongs to the connection or to the gateway".to_owned())
        } else if is_set(&name, headers, outbound) {
            Some("the entry gives it itself".to_owned())
        } else {
            None
        };
        match why {
            Some(why) => {
                findings.error(at, format!("`{}` cannot name `{text}`: {why}", given.written));
                whole = false;
            }
            None if names.contains(&name) => {}
            None => names.push(name),
        }
    }
    whole.then_some(names)
}

fn is_set(name: &str, headers: &Headers, outbound: &Outbound) -> bool {
    let is = |(known, _): &(String, _)| known == name;
    let of_callers = match &outbound.identity {
        Identity::Caller(callers) => callers.values().flatten().any(is),
        Identity::Gateway => false,
    };
    of_callers || headers.iter().any(is)
}
