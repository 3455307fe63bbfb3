//! Credentials over plain http: refused where they would leave this machine, unless the entry says so.
//!
//! It knows credentials by where they stand, how they are called, and that a variable holds them. No value is judged.

use crate::config::check::outbound;
use crate::config::check::read;
use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::dialect::entry::Given;
use crate::config::finding::Findings;
use crate::config::model::Http;
use crate::config::model::outbound::Source;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use reqwest::Url;
use url::Host;

/// Parts of names under which credentials go, of headers, variables and in queries.
const PARTS: [&str; 16] = [
    "auth",
    "key",
    "session",
    "jwt",
    "credential",
    "token",
    "secret",
    "cookie",
    "passw",
    "passphrase",
    "passcode",
    "signature",
    "bearer",
    "hmac",
    "ticket",
    "assertion",
];
/// The same, as words of a name.
const WORDS: [&str; 8] = ["sig", "sas", "sid", "pat", "pwd", "pw", "pass", "otp"];
/// The same, as whole names.
const NAMES: [&str; 3] = ["code", "pin", "k"];

/// False when `http` may not be used as it is, which is told. Where a login would be one too many, none is offered.
pub fn check(entry: &Entry<'_>, http: &mut Http, findings: &mut Findings) -> bool {
    let given = entry.get(Key::AllowPlain);
    let allowed = given.and_then(|given| read::flag(given, findings)) == Some(true);
    let Ok(url) = Url::parse(&http.url.value) else { return true };
    if allowed || !matches!(url.scheme(), "http" | "ws") || stays_here(&url) {
        return true;
    }
    let Some(what) = of_auth(entry, http).or_else(|| credential(&url, entry, http)) else {
        http.oauth = None;
        return true;
    };
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

/// What the `auth` of `entry` shows, in words: a credential of ours, or what a login gives.
fn of_auth(entry: &Entry<'_>, http: &Http) -> Option<String> {
    let given = entry.get(Key::OAuth)?;
    let shows = outbound::is_ours(&given) || http.oauth.is_some();
    shows.then(|| format!("the credential of `{}`", given.written))
}

/// What else of `http` is a credential, in words.
fn credential(url: &Url, entry: &Entry<'_>, http: &Http) -> Option<String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Some("the user in `url`".to_owned());
    }
    let of_clients = http.outbound.pass.iter();
    let mut named = http.headers.iter().map(|(name, _)| name).chain(of_clients);
    if let Some(name) = named.find(|name| is_one(name)) {
        return Some(format!("header `{name}`"));
    }
    if let Some(name) = from_variable(entry) {
        return Some(format!("header `{name}`, which a variable gives,"));
    }
    match http.outbound.source {
        Source::Fixed => {}
        Source::Login => return Some("the login of a caller".to_owned()),
        _ => return Some("what `headersHelper` prints".to_owned()),
    }
    let written = &http.url.written;
    let asked = written.split_once('?').is_some_and(|(_, query)| has_variable(query));
    if asked || url.query_pairs().any(|(name, _)| is_one(&name)) {
        return Some("a credential in the query of `url`".to_owned());
    }
    let mut variables =
        written.split("${").skip(1).filter_map(|text| text.split('}').next()?.split(":-").next());
    variables.find(|name| is_one(name)).map(|name| format!("`${{{name}}}` in `url`"))
}

/// A header whose value is not in the file: what is kept elsewhere is kept there for a reason.
fn from_variable(entry: &Entry<'_>) -> Option<String> {
    let first = |given: Option<Given<'_>>| given?.node.members().first().map(|member| member.key.clone());
    if let Some(name) = first(entry.get(Key::EnvHeaders)) {
        return Some(name);
    }
    let node: &Node = entry.get(Key::Headers)?.node;
    let Value::List(items) = &node.value else {
        let holds = |node: &Node| node.text().is_some_and(has_variable);
        return node.members().iter().find(|member| holds(&member.node)).map(|member| member.key.clone());
    };
    let mut pairs = items.iter().filter_map(|item| item.text()?.split_once(':'));
    pairs.find(|(_, value)| has_variable(value)).map(|(name, _)| name.trim().to_owned())
}

fn has_variable(written: &str) -> bool {
    written.replace("$${", "").contains("${")
}

/// True for names under which credentials go.
fn is_one(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    PARTS.iter().any(|part| name.contains(part))
        || words.any(|word| WORDS.contains(&word))
        || NAMES.contains(&&*name)
}
