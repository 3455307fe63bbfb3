//! Credentials over plain http: refused where they would leave this machine, unless the entry says so.
//!
//! It knows credentials by where they stand and how they are called.

use crate::config::check::outbound;
use crate::config::check::read;
use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::finding::Findings;
use crate::config::model::Http;
use crate::config::model::outbound::Source;
use reqwest::Url;
use url::Host;

/// Parts of names under which credentials go, of headers and in queries.
const NAMES: [&str; 8] =
    ["authorization", "cookie", "api-key", "apikey", "api_key", "token", "secret", "password"];

/// False when `http` may not be used as it is, which is told.
pub fn check(entry: &Entry<'_>, http: &Http, findings: &mut Findings) -> bool {
    let given = entry.get(Key::AllowPlain);
    let allowed = given.and_then(|given| read::flag(given, findings)) == Some(true);
    let Ok(url) = Url::parse(&http.url.value) else { return true };
    if allowed || !matches!(url.scheme(), "http" | "ws") || stays_here(&url) {
        return true;
    }
    let own = entry
        .get(Key::OAuth)
        .filter(outbound::is_ours)
        .map(|given| format!("the credential of `{}`", given.written));
    let Some(what) = own.or_else(|| credential(&url, http)) else { return true };
    let secure = if url.scheme() == "ws" { "wss" } else { "https" };
    let at = entry.get(Key::Url).map_or(entry.at, |given| given.node.start);
    let text = format!(
        "{what} would travel in the clear: the address is `{}:` and not on this machine",
        url.scheme()
    );
    let hint = format!("use `{secure}:`, or `\"allowPlainHttp\": true` in a network that you trust");
    findings.error(at, text).hint(hint);
    false
}

/// True for addresses of this machine.
#[must_use]
pub fn stays_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        None => false,
    }
}

/// What of `http` is a credential, in words.
fn credential(url: &Url, http: &Http) -> Option<String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Some("the user in `url`".to_owned());
    }
    if let Some((name, _)) = http.headers.iter().find(|(name, _)| is_one(name)) {
        return Some(format!("header `{name}`"));
    }
    match http.outbound.source {
        Source::Fixed => {}
        Source::Login => return Some("the login of a caller".to_owned()),
        _ => return Some("what `headersHelper` prints".to_owned()),
    }
    let asked = url.query_pairs().find(|(name, _)| is_one(&name.to_ascii_lowercase()) || name == "key");
    asked.map(|_| "a credential in the query of `url`".to_owned())
}

fn is_one(name: &str) -> bool {
    NAMES.iter().any(|part| name.contains(part))
}
