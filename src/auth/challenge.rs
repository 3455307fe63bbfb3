//! What a client that is not let in is told: which credentials are taken, and where the tokens come from.
//!
//! Source: RFC 6750, section 3; RFC 9728; MCP 2026-07-28, `basic/authorization`. It never says what was wrong with a
//! credential beyond its kind.

use crate::config::model::auth::AuthSettings;
use serde_json::Value;
use serde_json::json;
use url::Url;

/// Where the description of this gateway as a protected resource stands.
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// What is wrong with a token, as RFC 6750 names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There was none.
    None,
    /// It is not accepted.
    InvalidToken,
    /// It may not do this.
    InsufficientScope,
}

/// The address of this gateway as its clients know it; `asked` is the one that was asked, with its path.
#[must_use]
pub fn resource(settings: &AuthSettings, asked: &str) -> String {
    settings.resource.clone().unwrap_or_else(|| asked.to_owned())
}

/// The paths of [`WELL_KNOWN`] documents: for the whole host, for the endpoint, for the configured address.
#[must_use]
pub fn is_well_known(settings: &AuthSettings, endpoint: &str, path: &str) -> bool {
    let Some(rest) = path.strip_prefix(WELL_KNOWN) else { return false };
    let own = || settings.resource.as_deref().and_then(|resource| Url::parse(resource).ok());
    !settings.jwt.is_empty()
        && (rest.is_empty() || rest == endpoint || own().is_some_and(|own| own.path() == rest))
}

/// The description itself, as RFC 9728 has it.
#[must_use]
pub fn description(settings: &AuthSettings, asked: &str) -> Value {
    let issuers: Vec<&str> = settings.jwt.iter().map(|terms| terms.issuer.as_str()).collect();
    let mut description = json!({
        "resource": resource(settings, asked),
        "authorization_servers": issuers,
        "bearer_methods_supported": ["header"],
        "resource_name": "mcp-manifold",
    });
    let scopes = scopes(settings);
    if !scopes.is_empty() {
        description["scopes_supported"] = scopes.into();
    }
    description
}

/// The values of `WWW-Authenticate`.
#[must_use]
pub fn headers(settings: &AuthSettings, asked: &str, fault: Fault) -> Vec<String> {
    let mut parts = Vec::new();
    match fault {
        Fault::None => {}
        Fault::InvalidToken => parts.push("error=\"invalid_token\"".to_owned()),
        Fault::InsufficientScope => parts.push("error=\"insufficient_scope\"".to_owned()),
    }
    if !settings.jwt.is_empty() {
        parts.extend(metadata(&resource(settings, asked)).map(|at| format!("resource_metadata=\"{at}\"")));
        let scopes = scopes(settings);
        if !scopes.is_empty() {
            parts.push(format!("scope=\"{}\"", scopes.join(" ")));
        }
    }
    let mut headers = vec![format!("Bearer {}", parts.join(", ")).trim_end().to_owned()];
    if !settings.basic.is_empty() && fault != Fault::InsufficientScope {
        headers.push("Basic realm=\"mcp-manifold\", charset=\"UTF-8\"".to_owned());
    }
    headers
}

/// Where the description of `resource` stands.
fn metadata(resource: &str) -> Option<String> {
    let url = Url::parse(resource).ok()?;
    let path = url.path().trim_end_matches('/');
    Some(format!("{}{WELL_KNOWN}{path}", url.origin().ascii_serialization()))
}

fn scopes(settings: &AuthSettings) -> Vec<String> {
    let mut scopes: Vec<String> =
        settings.jwt.iter().flat_map(|terms| terms.required_scopes.iter().cloned()).collect();
    scopes.sort();
    scopes.dedup();
    scopes
}
