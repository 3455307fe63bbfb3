//! Renews a token: one request to the endpoint that issued it, and to no other.
//!
//! What the server names meanwhile is not asked: a refresh token leaves for the authorization server of the login only.
//! It keeps nothing.

use crate::auth::egress::Egress;
use crate::auth::oauth::error::RefreshError;
use crate::auth::oauth::error::word;
use crate::auth::oauth::login::Login;
use crate::auth::oauth::login::Tokens;
use crate::auth::oauth::login::now;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http::header;
use serde::Deserialize;
use serde::Deserializer;
use serde_json::Value;
use url::form_urlencoded::Serializer;
use url::form_urlencoded::byte_serialize;

/// What an authorization server answers.
#[derive(Deserialize)]
pub struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    scope: Option<String>,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: String,
}

impl TokenAnswer {
    /// The tokens it holds. What is not said again stays as it was: the refresh token `refresh`, the `scopes`.
    ///
    /// # Errors
    /// When they are of a kind that is not spoken here.
    pub fn tokens(self, refresh: Option<Secret>, scopes: Vec<String>) -> Result<Tokens, &'static str> {
        if self.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err("it is no bearer token");
        }
        // It goes into a header.
        if self.access_token.is_empty() || !self.access_token.bytes().all(|byte| matches!(byte, 0x21..=0x7e))
        {
            return Err("it is empty or holds characters that no token has");
        }
        let said = |scope: String| scope.split_ascii_whitespace().map(str::to_owned).collect();
        Ok(Tokens {
            access: Secret::new(self.access_token),
            refresh: self.refresh_token.filter(|token| !token.is_empty()).map(Secret::new).or(refresh),
            expires_at: self.expires_in.map(|seconds| now().saturating_add(seconds)),
            life: self.expires_in,
            scopes: self.scope.map_or(scopes, said),
        })
    }
}

/// Seconds as some servers write them. What cannot be read is not known: the tokens beside it are not lost for that.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_u64(),
    })
}

/// New tokens for `login`. `secret` is that of its client, if it has one.
///
/// # Errors
/// [`RefreshError`].
pub async fn refresh(
    egress: &Egress,
    login: &Login,
    secret: Option<&Secret>,
) -> Result<Tokens, RefreshError> {
    let failed = |why: &str| RefreshError::Failed(why.to_owned());
    let tokens = login.tokens.as_ref().ok_or_else(|| RefreshError::Rejected("no tokens".into()))?;
    let token = tokens.refresh.clone().ok_or_else(|| RefreshError::Rejected("no refresh token".into()))?;
    let request = request(login, &token, secret).map_err(|_| failed("its endpoint cannot be asked"))?;
    let answer = egress.send(request).await.map_err(|error| RefreshError::Failed(error.to_string()))?;
    let status = answer.status();
    let read = serde_json::from_slice::<TokenAnswer>(answer.body()).ok();
    if let Some(read) = read.filter(|_| status.is_success()) {
        return read.tokens(Some(token), tokens.scopes.clone()).map_err(failed);
    }
    // Some say no with a 200.
    let said = serde_json::from_slice::<ErrorAnswer>(answer.body()).map(|answer| word(&answer.error));
    match said.as_deref() {
        Ok(error @ ("invalid_grant" | "invalid_client" | "unauthorized_client" | "invalid_target")) => {
            Err(RefreshError::Rejected(error.to_owned()))
        }
        Ok(error) => {
            Err(failed(&format!("the authorization server answered HTTP {}: `{error}`", status.as_u16())))
        }
        // Its own text could hold what was read.
        Err(_) if status.is_success() => Err(failed("the answer of the authorization server cannot be read")),
        Err(_) => Err(failed(&format!("the authorization server answered HTTP {}", status.as_u16()))),
    }
}

fn request(login: &Login, token: &Secret, secret: Option<&Secret>) -> Result<Request<Bytes>, http::Error> {
    let client = &login.client;
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token.expose());
    form.append_pair("resource", &login.resource);
    if let Some(tokens) = login.tokens.as_ref().filter(|tokens| !tokens.scopes.is_empty()) {
        form.append_pair("scope", &tokens.scopes.join(" "));
    }
    let mut request = Request::post(&login.token_endpoint)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json");
    match secret {
        Some(secret) if !client.secret_in_body => {
            let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = STANDARD.encode(format!("{}:{}", encoded(&client.id), encoded(secret.expose())));
            request = request.header(header::AUTHORIZATION, format!("Basic {pair}"));
        }
        secret => {
            form.append_pair("client_id", &client.id);
            if let Some(secret) = secret {
                form.append_pair("client_secret", secret.expose());
            }
        }
    }
    request.body(form.finish().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::oauth::login::Client;
    use crate::auth::oauth::login::FORMAT;
    use crate::auth::oauth::login::KnownBy;

    fn login(secret_in_body: bool) -> Login {
        let tokens = Tokens {
            access: Secret::new("at"),
            refresh: Some(Secret::new("rt&=")),
            expires_at: None,
            life: None,
            scopes: vec!["a".into(), "b".into()],
        };
        let client = Client {
            id: "c:1".into(),
            secret: None,
            secret_in_body,
            known_by: KnownBy::Registration,
            redirect: String::new(),
        };
        Login {
            format: FORMAT,
            server: "s".into(),
            principal: "gateway".into(),
            resource: "https://h/mcp".into(),
            issuer: "https://as".into(),
            token_endpoint: "https://as/token".into(),
            client,
            tokens: Some(tokens),
            logged_in_at: 0,
            used_by: Vec::new(),
        }
    }

    fn sent(secret_in_body: bool, secret: Option<&str>) -> (String, Option<String>) {
        let secret = secret.map(Secret::new);
        let request = request(&login(secret_in_body), &Secret::new("rt&="), secret.as_ref()).unwrap();
        let header = request.headers().get(header::AUTHORIZATION);
        let header = header.map(|value| value.to_str().unwrap().to_owned());
        (String::from_utf8(request.into_body().to_vec()).unwrap(), header)
    }

    #[test]
    fn a_request_says_who_asks_for_what() {
        let common =
            "grant_type=refresh_token&refresh_token=rt%26%3D&resource=https%3A%2F%2Fh%2Fmcp&scope=a+b";
        assert_eq!(sent(false, None), (format!("{common}&client_id=c%3A1"), None));
        let basic = STANDARD.encode("c%3A1:s%2F");
        assert_eq!(sent(false, Some("s/")), (common.to_owned(), Some(format!("Basic {basic}"))));
        let body = format!("{common}&client_id=c%3A1&client_secret=s%2F");
        assert_eq!(sent(true, Some("s/")), (body, None));
    }

    #[test]
    fn what_is_not_said_again_stays() {
        let read = |text: &str| serde_json::from_str::<TokenAnswer>(text).unwrap();
        let kept = read(r#"{"access_token":"x","token_type":"bearer"}"#);
        let tokens = kept.tokens(Some(Secret::new("rt")), vec!["a".into()]).unwrap();
        assert_eq!(
            (tokens.refresh.unwrap().expose(), &*tokens.scopes[0], tokens.expires_at),
            ("rt", "a", None)
        );
        let new = read(
            r#"{"access_token":"x","token_type":"Bearer","refresh_token":"n","scope":"b c","expires_in":60}"#,
        );
        let tokens = new.tokens(Some(Secret::new("rt")), vec!["a".into()]).unwrap();
        assert_eq!((tokens.refresh.unwrap().expose(), tokens.scopes.len()), ("n", 2));
        assert!(tokens.expires_at.unwrap() >= now() + 59);
        let lasts = |text: &str| {
            read(&format!(r#"{{"access_token":"x","expires_in":{text}}}"#)).tokens(None, Vec::new()).unwrap()
        };
        assert!(lasts(r#""60""#).expires_at.unwrap() >= now() + 59);
        for unknown in ["null", "60.5", "\"soon\"", "-1"] {
            assert_eq!(lasts(unknown).expires_at, None, "{unknown}");
        }
        assert!(read(r#"{"access_token":"x","token_type":"DPoP"}"#).tokens(None, Vec::new()).is_err());
        assert!(read(r#"{"access_token":"x\r\ny"}"#).tokens(None, Vec::new()).is_err());
    }
}
