//! The OAuth settings of an entry, as the clients write them → [`OAuth`].
//!
//! Addresses of endpoints are not taken from a file: they come from the authorization server itself.

use crate::config::check::read;
use crate::config::dialect::entry::Given;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::finding::Findings;
use crate::config::model::oauth::OAuth;
use crate::config::suggest::did_you_mean;
use crate::config::syntax::Member;
use crate::config::syntax::Value;
use crate::secret::Secret;
use url::Url;

/// What a key means.
#[derive(Clone, Copy)]
enum Means {
    /// Says that it is OAuth, which is known already.
    Kind,
    Id,
    Secret,
    Issuer,
    Scopes,
    Document,
    Port,
    /// Whose login it is.
    Identity,
    /// Has no effect here.
    Without,
}

/// The keys in all their spellings; the first of each meaning is the one to be recommended.
const KEYS: [(&str, Means); 28] = [
    ("type", Means::Kind),
    ("enabled", Means::Kind),
    ("clientId", Means::Id),
    ("client_id", Means::Id),
    ("CLIENT_ID", Means::Id),
    ("clientSecret", Means::Secret),
    ("client_secret", Means::Secret),
    ("CLIENT_SECRET", Means::Secret),
    ("issuer", Means::Issuer),
    ("scopes", Means::Scopes),
    ("scope", Means::Scopes),
    ("clientMetadataUrl", Means::Document),
    ("client_metadata_url", Means::Document),
    ("redirectPort", Means::Port),
    ("redirect_port", Means::Port),
    ("callbackPort", Means::Port),
    ("callback_port", Means::Port),
    ("identity", Means::Identity),
    ("authServerMetadataUrl", Means::Without),
    ("authorizationUrl", Means::Without),
    ("tokenUrl", Means::Without),
    ("redirectUri", Means::Without),
    ("redirect_uri", Means::Without),
    ("tokenParamName", Means::Without),
    ("audiences", Means::Without),
    ("audience", Means::Without),
    ("resource", Means::Without),
    ("registrationUrl", Means::Without),
];

/// Reads the settings that stand in `given`; `None` when something is wrong, which is told. What is no object holds none.
pub fn check(given: Given<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<OAuth> {
    let (mut settings, mut whole) = (OAuth::default(), true);
    for member in given.node.members() {
        let key = member.key.as_str();
        let Some((_, means)) = KEYS.iter().find(|(known, _)| *known == key) else {
            let finding = findings.warn(member.at, format!("unknown key `{}.{key}`", given.written));
            finding.hint = did_you_mean(key, KEYS.iter().map(|(known, _)| *known));
            continue;
        };
        let at = Place { key: format!("{}.{key}", given.written), member };
        whole &= take(*means, &at, &mut settings, scope, findings).is_some();
    }
    if settings.client_secret.is_some() && settings.client_id.is_none() {
        findings.error(given.at, format!("`{}` has a secret and no `clientId`", given.written));
        whole = false;
    }
    whole.then_some(settings)
}

struct Place<'a> {
    key: String,
    member: &'a Member,
}

fn take(
    means: Means,
    at: &Place<'_>,
    settings: &mut OAuth,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Option<()> {
    let Place { key, member } = at;
    match means {
        Means::Kind => {}
        Means::Identity => match member.node.text() {
            Some("gateway") => settings.of_caller = false,
            Some("caller") => settings.of_caller = true,
            _ => {
                findings.error(member.at, format!("`{key}` must be `gateway` or `caller`"));
                return None;
            }
        },
        Means::Without => {
            let finding = findings.warn(member.at, format!("`{key}` has no effect"));
            finding.hint("endpoints come from the authorization server that the server names");
        }
        Means::Id => settings.client_id = Some(text(at, scope, findings)?),
        Means::Secret => settings.client_secret = Some(Secret::new(text(at, scope, findings)?)),
        Means::Issuer => settings.issuer = Some(address(at, scope, findings)?),
        Means::Document => settings.client_metadata_url = Some(address(at, scope, findings)?),
        Means::Port => {
            let port = read::count(key, &member.node, 1..=usize::from(u16::MAX), findings)?;
            settings.redirect_port = u16::try_from(port).ok();
        }
        Means::Scopes => settings.scopes = scopes(at, findings)?,
    }
    Some(())
}

fn text(at: &Place<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<String> {
    let Some(written) = at.member.node.text() else {
        return read::wrong(&at.key, &at.member.node, "a string", findings);
    };
    let value = read::expanded(written, at.member.node.start, scope, Style::default(), findings)?.value;
    if value.is_empty() {
        findings.error(at.member.node.start, format!("`{}` is empty", at.key));
        return None;
    }
    Some(value)
}

fn address(at: &Place<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<String> {
    let text = text(at, scope, findings)?;
    // `http` is for authorization servers on this machine; others are refused where they are used.
    let fits = Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    if !fits {
        findings.error(at.member.node.start, format!("`{}` must be an `https` address", at.key));
    }
    fits.then_some(text)
}

/// A list, or one string with blanks.
fn scopes(at: &Place<'_>, findings: &mut Findings) -> Option<Vec<String>> {
    let node = &at.member.node;
    let words = match &node.value {
        Value::Text(text) => Some(text.split_ascii_whitespace().map(str::to_owned).collect()),
        Value::List(items) => items.iter().map(|item| item.text().map(str::to_owned)).collect(),
        _ => None,
    };
    let Some(words) = words else { return read::wrong(&at.key, node, "a list of strings", findings) };
    let words: Vec<String> = words;
    if !words.iter().all(|scope| is_scope(scope)) {
        findings.error(node.start, format!("`{}` holds something that is no scope", at.key));
        return None;
    }
    Some(words)
}

/// A scope as RFC 6749 has it.
#[must_use]
pub fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}
