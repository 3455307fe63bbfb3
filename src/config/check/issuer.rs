//! One entry of `gateway.auth.jwt` → [`IssuerTerms`]: whose tokens are accepted, and for what.
//!
//! It fetches nothing. Algorithms with a shared secret do not exist here, nor tokens without a signature.

use crate::config::check::auth::path_of;
use crate::config::check::read;
use crate::config::check::section::Section;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::finding::Findings;
use crate::config::model::auth::ClaimNames;
use crate::config::model::auth::IssuerTerms;
use crate::config::model::auth::KeySource;
use crate::config::private_file;
use crate::config::private_file::Others;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use std::time::Duration;
use url::Host;
use url::Url;

/// Algorithms that may be accepted.
pub const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
/// Those that are, when nothing is said.
const USUAL: [&str; 3] = ["RS256", "ES256", "EdDSA"];
const SKEW: Duration = Duration::from_secs(30);
const MOST_SKEW: Duration = Duration::from_secs(300);
const STALE: Duration = Duration::from_secs(6 * 3600);

/// Reads the entry; `resource` is what its tokens are for when it does not say.
pub fn check(
    node: &Node,
    resource: Option<&str>,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Option<IssuerTerms> {
    let mut section = Section::new("gateway.auth.jwt[]", Some(node), findings);
    let issuer = url(&mut section, "issuer", scope, findings);
    let audiences = audiences(&mut section, resource, node, scope, findings);
    let keys = keys(&mut section, scope, findings);
    let algorithms = algorithms(&mut section, findings);
    let (mut clock_skew, mut max_stale) = (SKEW, STALE);
    section.duration("clockSkew", &mut clock_skew, Duration::ZERO, findings);
    if clock_skew > MOST_SKEW {
        findings.error(node.start, "`gateway.auth.jwt[].clockSkew` must be at most 5 minutes");
    }
    section.duration("maxStale", &mut max_stale, Duration::ZERO, findings);
    let claims = claims(section.inner("claims", findings), findings);
    let required_scopes = scopes(&mut section, findings);
    let mut may_name_agent = false;
    section.flag("mayNameAgent", &mut may_name_agent, findings);
    section.finish(findings);
    let Some(issuer) = issuer else {
        if node.get("issuer").is_none() {
            findings.error(node.start, "an entry of `gateway.auth.jwt` needs an `issuer`");
        }
        return None;
    };
    Some(IssuerTerms {
        issuer,
        audiences,
        keys,
        algorithms,
        clock_skew,
        max_stale,
        claims,
        required_scopes,
        may_name_agent,
    })
}

/// Checks an address whose word is trusted: `https`, or `http` on this machine.
///
/// # Errors
/// What is wrong with it, without the address.
pub fn address(text: &str) -> Result<(), &'static str> {
    let Ok(url) = Url::parse(text) else { return Err("is no address") };
    let local = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return Err("is no address of a host"),
    };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("must hold neither user, password nor fragment");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if local => Ok(()),
        _ => Err("must be an `https` address (`http` only on this machine)"),
    }
}

fn url(
    section: &mut Section<'_>,
    key: &'static str,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Option<String> {
    let node = section.text(key, findings)?;
    let text = read::expanded(node.text()?, node.start, scope, Style::default(), findings)?.value;
    match address(&text) {
        Ok(()) => Some(text),
        Err(why) => {
            findings.error(node.start, format!("`{}` {why}", section.name(key)));
            None
        }
    }
}

fn audiences(
    section: &mut Section<'_>,
    resource: Option<&str>,
    node: &Node,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Vec<String> {
    let given = section.get("audience");
    let written: Vec<_> = match given.map(|node| &node.value) {
        Some(Value::Text(_)) => given.into_iter().collect(),
        Some(Value::List(items)) => items.iter().collect(),
        Some(_) => given
            .and_then(|node| read::wrong("audience", node, "a string or a list", findings))
            .unwrap_or_default(),
        None => Vec::new(),
    };
    let texts = written.into_iter().filter_map(|item| Some((item.text()?, item.start)));
    let mut audiences: Vec<String> = texts
        .filter_map(|(text, at)| Some(read::expanded(text, at, scope, Style::default(), findings)?.value))
        .filter(|text| !text.is_empty())
        .collect();
    if given.is_none() {
        audiences.extend(resource.map(str::to_owned));
    }
    if audiences.is_empty() {
        findings
            .error(given.unwrap_or(node).start, "tokens of this issuer would be accepted for no audience")
            .hint("give `audience`, or `gateway.auth.resource`");
    }
    audiences
}

fn keys(section: &mut Section<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> KeySource {
    let at = url(section, "jwksUrl", scope, findings);
    let Some(node) = section.text("jwksFile", findings) else {
        return at.map_or(KeySource::Metadata, KeySource::Url);
    };
    if at.is_some() {
        findings.error(node.start, "give either `jwksUrl` or `jwksFile`");
    }
    let Some(path) = path_of(node.text().unwrap_or_default(), node.start, scope, findings) else {
        return KeySource::Metadata;
    };
    if !path.is_file() {
        findings.error(node.start, format!("the file `{}` is not there", path.display()));
    }
    if let Err(exposed) = private_file::check(&path, scope.environment.user_id(), Others::Read) {
        findings.error(node.start, format!("the file `{}` cannot be trusted: {exposed}", path.display()));
    }
    KeySource::File(path)
}

fn algorithms(section: &mut Section<'_>, findings: &mut Findings) -> Vec<String> {
    let is_given = section.get("algorithms").is_some();
    let names = section.texts("algorithms", findings);
    for (name, at) in &names {
        if !ALGORITHMS.contains(name) {
            let text = format!("`{name}` is no algorithm that can be accepted");
            findings.error(*at, text).hint(format!("these can: {}", ALGORITHMS.join(", ")));
        }
    }
    if names.is_empty() && is_given {
        findings.error(0, "`gateway.auth.jwt[].algorithms` must not be empty");
    }
    let names = names.into_iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    if names.is_empty() { USUAL.map(str::to_owned).to_vec() } else { names }
}

fn claims(mut section: Section<'_>, findings: &mut Findings) -> ClaimNames {
    let mut text = |key| section.text(key, findings).and_then(Node::text).map(str::to_owned);
    let (caller, team) = (text("caller"), text("team"));
    let (organisation, agent) = (text("organisation"), text("agent"));
    let keep = section.texts("keep", findings).into_iter().map(|(name, _)| name.to_owned()).collect();
    section.finish(findings);
    ClaimNames { caller, team, organisation, agent, keep }
}

fn scopes(section: &mut Section<'_>, findings: &mut Findings) -> Vec<String> {
    let scopes = section.texts("requiredScopes", findings);
    for (scope, at) in &scopes {
        // RFC 6749, section 3.3.
        let is_scope = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if scope.is_empty() || !scope.bytes().all(is_scope) {
            findings.error(*at, "`gateway.auth.jwt[].requiredScopes` holds something that is no scope");
        }
    }
    scopes.into_iter().map(|(scope, _)| scope.to_owned()).collect()
}
