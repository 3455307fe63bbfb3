//! An entry that is reached over the network → [`Http`].
//!
//! Nothing is connected, and nobody is asked to log in.

use crate::config::check::headers;
use crate::config::check::oauth;
use crate::config::check::outbound;
use crate::config::check::plain;
use crate::config::check::read;
use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::finding::Findings;
use crate::config::model::Expanded;
use crate::config::model::Http;
use crate::config::model::Wire;
use crate::config::model::oauth::OAuth;
use crate::config::model::outbound::Identity;
use crate::config::model::outbound::Source;
use crate::config::syntax::Value;
use indexmap::IndexMap;
use reqwest::Url;

/// Reads the endpoint of an entry; `None` when something is wrong, which is told.
pub fn check(entry: &Entry<'_>, wire: Wire, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<Http> {
    // Variables of `env` are known here too, although no child gets them.
    scope.own = own_variables(entry);
    let url = endpoint(entry, wire, scope, findings);
    let headers = headers::check(entry, scope, findings);
    let login = login(entry, scope, findings);
    let mut headers = headers?;
    let outbound = outbound::check(entry, &mut headers, scope, findings);
    let (url, login, mut outbound) = (url?, login?, outbound?);
    // One that shows something already is not logged in to besides, unless its entry says so; and where the caller is
    // shown, the gateway's login would be somebody else's.
    let free = outbound.source == Source::Fixed && outbound.identity == Identity::Gateway;
    let shows = !headers.iter().any(|(name, _)| name == "authorization") && wire != Wire::WebSocket;
    let has_own = entry.get(Key::OAuth).is_some_and(|given| outbound::is_ours(&given));
    let oauth = match login {
        Login::Unsaid => (shows && free && !has_own).then(OAuth::default),
        Login::Never => None,
        Login::Wanted(settings) if settings.of_caller => {
            if !(shows && free) {
                refuse_personal(entry, wire, findings);
                return None;
            }
            (outbound.source, outbound.identity) = (Source::Login, Identity::Caller(IndexMap::new()));
            Some(settings)
        }
        Login::Wanted(settings) => free.then_some(settings),
    };
    let mut http = Http { wire, url, headers, outbound, oauth };
    plain::check(entry, &mut http, findings).then_some(http)
}

/// What the gateway shows would be shown for every caller, beside the login of one.
fn refuse_personal(entry: &Entry<'_>, wire: Wire, findings: &mut Findings) {
    let at = entry.get(Key::OAuth).map_or(entry.at, |given| given.at);
    let why = match wire {
        Wire::WebSocket => "nobody can log in over a WebSocket",
        _ => "the entry gives other credentials, which are not the caller's",
    };
    findings.error(at, format!("a login with `identity: caller` is not possible here: {why}"));
}

fn own_variables(entry: &Entry<'_>) -> Vec<(String, String)> {
    let members = entry.get(Key::Env).map(|given| given.node.members()).unwrap_or_default();
    let plain = members.iter().filter_map(|member| Some((member.key.clone(), read::scalar(&member.node)?)));
    plain.filter(|(_, value)| !value.contains("${")).collect()
}

fn endpoint(
    entry: &Entry<'_>,
    wire: Wire,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Option<Expanded> {
    let given = entry.get(Key::Url)?;
    let (key, at) = (given.written, given.node.start);
    let written = read::text(given, findings)?;
    let url = read::expanded(written, at, scope, Style::default(), findings)?;
    let parsed = match Url::parse(&url.value) {
        Ok(parsed) => parsed,
        Err(reason) => {
            // The text itself is not quoted: it may hold a key.
            findings
                .error(at, format!("`{key}` is not a URL: {reason}"))
                .hint("for example `https://host/mcp`");
            return None;
        }
    };
    let (schemes, hint) = match wire {
        Wire::WebSocket => (["ws", "wss"], "use `ws:` or `wss:`"),
        _ => (["http", "https"], "use `http:` or `https:`, or `\"type\": \"ws\"` for a WebSocket"),
    };
    if !schemes.contains(&parsed.scheme()) {
        // Only what stands in the file is quoted: what a variable holds may be a key.
        let quoted = match url.written.get(..parsed.scheme().len()) {
            Some(head) if head.eq_ignore_ascii_case(parsed.scheme()) => format!("`{}:`", parsed.scheme()),
            _ => "something".to_owned(),
        };
        let text = format!("`{key}` begins with {quoted}, which does not fit");
        findings.error(at, text).hint(hint);
        return None;
    }
    Some(url)
}

/// What an entry says of logins.
enum Login {
    Unsaid,
    Never,
    Wanted(OAuth),
}

fn login(entry: &Entry<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<Login> {
    let Some(given) = entry.get(Key::OAuth).filter(|given| !outbound::is_ours(given)) else {
        return Some(Login::Unsaid);
    };
    let off = given.node.value == Value::Bool(false)
        || given.node.get("enabled").is_some_and(|member| member.node.value == Value::Bool(false))
        || given.node.text() == Some("none");
    match off {
        true => Some(Login::Never),
        false => oauth::check(given, scope, findings).map(Login::Wanted),
    }
}
