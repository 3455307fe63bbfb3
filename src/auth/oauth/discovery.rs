//! Where somebody logs in: what a server and its authorization server publish, checked before anything is sent there.
//!
//! rmcp finds and reads the documents (RFC 9728, RFC 8414, OpenID Connect), and compares `resource` and `issuer`. Here
//! stands what it lets pass: an authorization server without S256, endpoints in the clear, endpoints that nobody published.

use crate::auth::egress::Egress;
use crate::auth::oauth::courier::Courier;
use crate::auth::oauth::endpoint::usable;
use crate::auth::oauth::error::LoginError;
use crate::auth::oauth::error::word;
use crate::auth::oauth::knock::Heard;
use crate::auth::oauth::knock::knock;
use crate::config::model::oauth::OAuth;
use crate::secret::Secret;
use rmcp::transport::auth::AuthError;
use rmcp::transport::auth::AuthorizationManager;
use rmcp::transport::auth::AuthorizationMetadata;
use std::sync::Arc;
use url::Url;

/// The authorization server of a server.
pub struct Found {
    /// rmcp's client, which has read everything.
    pub client: AuthorizationManager,
    /// Who it is.
    pub issuer: String,
    /// Where people are sent.
    pub authorization: Url,
    /// Where tokens are given out.
    pub token: Url,
    /// True when it registers clients.
    pub registers: bool,
    /// True when it reads documents that describe clients.
    pub reads_documents: bool,
    /// It takes the secret of a client in the body only.
    pub secret_in_body: bool,
}

/// Asks the server at `url`, with the headers of its entry, for its challenge; then finds its authorization server.
///
/// # Errors
/// [`LoginError`].
pub async fn discover(
    egress: &Arc<Egress>,
    url: &Url,
    headers: &[(String, Secret)],
    settings: &OAuth,
) -> Result<Found, LoginError> {
    let Heard { status, challenge } = knock(egress, url, headers).await?;
    let unclear = |error: &AuthError| LoginError::Discovery(in_words(error));
    let courier = Arc::new(Courier(Arc::clone(egress)));
    // A key in the query is for the server, and not for the authorization server (RFC 8707, section 2).
    let mut plain = url.clone();
    plain.set_query(None);
    let client = AuthorizationManager::new_with_oauth_http_client(plain.as_str(), courier).await;
    let mut client = client.map_err(|error| unclear(&error))?;
    let found = client.resolve_metadata_from_challenge(challenge.as_deref()).await;
    let found = found.map_err(|error| unclear(&error))?;
    if !found.source.is_discovered() && status.is_success() {
        return Err(LoginError::NotNeeded(status.as_u16()));
    }
    if !found.source.is_discovered() {
        let nothing = "and publishes no metadata of an authorization server";
        return Err(LoginError::Discovery(format!("it answers HTTP {} {nothing}", status.as_u16())));
    }
    let checked = check(&found.metadata, url, settings)?;
    let (issuer, authorization, token) = checked;
    let says = |key: &str| found.metadata.additional_fields.get(key);
    let methods = says("token_endpoint_auth_methods_supported").and_then(serde_json::Value::as_array);
    let takes = |way: &str| methods.is_some_and(|methods| methods.iter().any(|method| method == way));
    let reads_documents =
        says("client_id_metadata_document_supported") == Some(&serde_json::Value::Bool(true));
    let secret_in_body = takes("client_secret_post") && !takes("client_secret_basic");
    let registers = found.metadata.registration_endpoint.is_some();
    client.set_metadata(found.metadata);
    Ok(Found { client, issuer, authorization, token, registers, reads_documents, secret_in_body })
}

fn check(
    metadata: &AuthorizationMetadata,
    server: &Url,
    settings: &OAuth,
) -> Result<(String, Url, Url), LoginError> {
    let Some(issuer) = metadata.issuer.clone() else {
        return Err(LoginError::Discovery("its authorization server does not say who it is".into()));
    };
    usable("issuer", &issuer, server)?;
    if let Some(wanted) = settings.issuer.as_ref().filter(|wanted| !same(wanted, &issuer)) {
        return Err(LoginError::OtherIssuer { named: shown(&issuer), wanted: wanted.clone() });
    }
    let methods = metadata.code_challenge_methods_supported.as_deref().unwrap_or_default();
    if !methods.iter().any(|method| method == "S256") {
        return Err(LoginError::NoPkce { issuer: shown(&issuer) });
    }
    let authorization = usable("authorization endpoint", &metadata.authorization_endpoint, server)?;
    let token = usable("token endpoint", &metadata.token_endpoint, server)?;
    if let Some(registration) = &metadata.registration_endpoint {
        usable("registration endpoint", registration, server)?;
    }
    let bound = settings.issuer.is_some() || token.origin() == server.origin();
    if settings.client_secret.is_some() && !bound {
        return Err(LoginError::SecretNotBound { issuer: shown(&issuer) });
    }
    Ok((issuer, authorization, token))
}

/// True for two spellings of one issuer: an origin with or without its slash.
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    one == other || one.strip_suffix('/').unwrap_or(one) == other.strip_suffix('/').unwrap_or(other)
}

/// An issuer as it may be shown: an address that was parsed and written anew, or less.
#[must_use]
pub fn shown(issuer: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || ":/.-_~[]%".contains(*c);
    issuer.chars().filter(plain).take(200).collect()
}

/// What rmcp says, without what others wrote.
#[must_use]
pub fn in_words(error: &AuthError) -> String {
    match error {
        AuthError::DiscoveryRequestFailed { source, .. } => source.to_string(),
        AuthError::ProtectedResourceMetadataInvalid { .. } => {
            "its metadata is not about this address (`resource`)".into()
        }
        AuthError::AuthorizationServersUnavailable { authorization_servers, .. } => {
            let named = authorization_servers.iter().take(3).map(|one| shown(one)).collect::<Vec<_>>();
            format!("none of the authorization servers that it names can be used ({})", named.join(", "))
        }
        AuthError::AuthorizationServerMismatch { expected_issuer, received_issuer } => {
            let (expected, received) = (shown(expected_issuer), shown(received_issuer));
            format!("the authorization server says that it is `{received}`, and it was named `{expected}`")
        }
        AuthError::AuthorizationServerMissingIssuer { expected_issuer } => {
            format!("the authorization server does not say that it is `{}`", shown(expected_issuer))
        }
        AuthError::PkceUnsupported => "its authorization server does not know PKCE with S256".into(),
        AuthError::TokenExchangeFailed(text) | AuthError::RegistrationFailed(text) => word(text),
        other => {
            // The beginning of the text is rmcp's own; what follows may be anybody's.
            let text = other.to_string();
            word(text.split(':').next().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use serde_json::json;

    fn checked(change: impl FnOnce(&mut Value), settings: &OAuth) -> Result<String, String> {
        let mut metadata = json!({
            "issuer": "https://as.example", "authorization_endpoint": "https://as.example/authorize",
            "token_endpoint": "https://as.example/token", "registration_endpoint": "https://as.example/register",
            "code_challenge_methods_supported": ["plain", "S256"]
        });
        change(&mut metadata);
        let metadata = serde_json::from_value(metadata).unwrap();
        let server = "https://mcp.example/mcp".parse().unwrap();
        check(&metadata, &server, settings).map(|(issuer, ..)| issuer).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_published_must_be_safe_to_use() {
        let none = OAuth::default();
        assert_eq!(checked(|_| {}, &none).unwrap(), "https://as.example");
        for (key, value, says) in [
            ("code_challenge_methods_supported", json!(["plain"]), "PKCE"),
            ("code_challenge_methods_supported", Value::Null, "PKCE"),
            ("issuer", Value::Null, "who it is"),
            ("issuer", json!("http://as.example"), "issuer"),
            ("authorization_endpoint", json!("javascript:alert(1)"), "authorization endpoint"),
            ("authorization_endpoint", json!("file:///etc/passwd"), "authorization endpoint"),
            ("authorization_endpoint", json!("https://as.example/\r\nx"), "authorization endpoint"),
            ("token_endpoint", json!("http://as.example/token"), "token endpoint"),
            ("token_endpoint", json!("http://127.0.0.1/token"), "token endpoint"),
            ("registration_endpoint", json!("a:$(calc)"), "registration endpoint"),
        ] {
            let why = checked(|metadata| metadata[key] = value.clone(), &none).unwrap_err();
            assert!(why.contains(says), "{key} {value}: {why}");
        }
    }

    #[test]
    fn a_secret_goes_only_where_the_entry_says() {
        let mut settings = OAuth { client_secret: Some(Secret::new("s")), ..OAuth::default() };
        let why = checked(|_| {}, &settings).unwrap_err();
        assert!(why.contains(r#""issuer": "https://as.example""#), "{why}");
        settings.issuer = Some("https://other.example".into());
        assert!(checked(|_| {}, &settings).unwrap_err().contains("auth.issuer"));
        settings.issuer = Some("https://as.example/".into());
        assert!(checked(|_| {}, &settings).is_ok());
        settings.issuer = None;
        let own = |metadata: &mut Value| metadata["token_endpoint"] = json!("https://mcp.example/token");
        assert!(checked(own, &settings).is_ok(), "it goes to the server of the entry");
    }
}
