//! Client credentials (RFC 6749, 4.4): the gateway's own token from a token endpoint, shown with a secret or a signature.
//!
//! It asks once and keeps nothing; no text quotes what came back, which may hold the token.

use crate::auth::egress::Allowed;
use crate::auth::egress::Egress;
use crate::auth::outbound::changing::CredentialError;
use crate::auth::outbound::changing::Fresh;
use crate::auth::signature::Algorithm;
use crate::auth::signing::SigningKey;
use crate::config::model::outbound::Proof;
use crate::config::model::outbound::TokenTerms;
use crate::secret::Secret;
use crate::telemetry::clean::clean;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::header;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;
use url::Url;
use url::form_urlencoded;

/// How long a signed assertion is good.
const ASSERTION: u64 = 120;
const SIGNED: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A token endpoint, and who this gateway is there.
pub struct Endpoint {
    terms: TokenTerms,
    egress: Egress,
    key: Option<SigningKey>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Secretive,
    token_type: Option<String>,
    expires_in: Option<Value>,
}

/// Never shown, not even by a reader's error.
#[derive(Deserialize)]
struct Secretive(String);

impl Endpoint {
    /// The endpoint of `terms`. The user wrote its address, so that it may be a private one.
    ///
    /// # Errors
    /// [`CredentialError::Token`] when the key or the address cannot be used.
    pub fn new(terms: &TokenTerms) -> Result<Self, CredentialError> {
        let unusable = |why: String| CredentialError::Token(why);
        let url = Url::parse(&terms.url.value).map_err(|_| unusable("`tokenUrl` cannot be read".into()))?;
        let egress = Egress::new(Allowed::default().and_host_of(&url));
        let egress = egress.map_err(|error| unusable(error.to_string()))?;
        let key = match &terms.proof {
            Proof::Basic(_) | Proof::Post(_) => None,
            Proof::Key { pem, algorithm, .. } => {
                let algorithm = algorithm.as_deref().and_then(Algorithm::of);
                Some(SigningKey::from_pem(pem, algorithm).map_err(|error| unusable(error.to_string()))?)
            }
        };
        Ok(Self { terms: terms.clone(), egress, key })
    }

    /// Asks for a token.
    ///
    /// # Errors
    /// [`CredentialError::Token`]
    pub async fn ask(&self) -> Result<Fresh, CredentialError> {
        let request = self.request().map_err(CredentialError::Token)?;
        let answer = self.egress.send(request).await;
        let answer = answer.map_err(|error| CredentialError::Token(error.to_string()))?;
        read(&answer).map_err(CredentialError::Token)
    }

    fn request(&self) -> Result<Request<Bytes>, String> {
        let TokenTerms { url, client_id, scopes, resource, audience, proof } = &self.terms;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if !scopes.is_empty() {
            form.append_pair("scope", &scopes.join(" "));
        }
        for (name, value) in [("resource", resource), ("audience", audience)] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        let mut request = Request::post(&url.value)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json");
        match (proof, &self.key) {
            (Proof::Basic(secret), _) => {
                let pair = format!("{}:{}", encoded(client_id), encoded(secret.expose()));
                let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
                    .map_err(|_| "the client's secret cannot be sent".to_owned())?;
                value.set_sensitive(true);
                request = request.header(header::AUTHORIZATION, value);
            }
            (Proof::Post(secret), _) => {
                form.append_pair("client_id", client_id).append_pair("client_secret", secret.expose());
            }
            (Proof::Key { key_id, .. }, Some(key)) => {
                let claims = claims(client_id, &url.value)?;
                let assertion = key.token(key_id.as_deref(), &claims).map_err(|error| error.to_string())?;
                form.append_pair("client_id", client_id);
                form.append_pair("client_assertion_type", SIGNED).append_pair("client_assertion", &assertion);
            }
            (Proof::Key { .. }, None) => return Err("its private key is missing".into()),
        }
        request.body(Bytes::from(form.finish())).map_err(|_| "`tokenUrl` cannot be asked".into())
    }
}

/// As a form has it (RFC 6749, 2.3.1).
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// RFC 7523, 3.
fn claims(client_id: &str, url: &str) -> Result<Value, String> {
    let now =
        SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| "the clock stands before 1970")?.as_secs();
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| "the system gives no random numbers")?;
    let id = URL_SAFE_NO_PAD.encode(id);
    Ok(json!({"iss": client_id, "sub": client_id, "aud": url, "iat": now, "exp": now + ASSERTION, "jti": id}))
}

fn read(answer: &Response<Bytes>) -> Result<Fresh, String> {
    let status = answer.status().as_u16();
    if !answer.status().is_success() {
        return Err(format!("the token endpoint answered HTTP {status}{}", said(answer.body())));
    }
    let Ok(granted) = serde_json::from_slice::<Granted>(answer.body()) else {
        return Err("the token endpoint answered with something that holds no token".into());
    };
    if granted.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err("the token endpoint gave a token of another type than `Bearer`".into());
    }
    let token = Secret::new(granted.access_token.0);
    let visible = !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok().filter(|_| visible);
    let mut value = value.ok_or("the token endpoint gave a token that no header can hold")?;
    value.set_sensitive(true);
    let life = match granted.expires_in {
        Some(Value::Number(seconds)) => seconds.as_f64(),
        Some(Value::String(seconds)) => seconds.parse().ok(),
        _ => None,
    };
    let life =
        life.filter(|seconds| *seconds >= 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok((vec![(header::AUTHORIZATION, value)], life))
}

/// The error of RFC 6749, 5.2: its code and text are no secrets.
fn said(body: &[u8]) -> String {
    let Ok(error) = serde_json::from_slice::<Value>(body) else { return String::new() };
    let text = |key: &str| error.get(key).and_then(Value::as_str).map(|text| clean(text, 100).to_string());
    match (text("error"), text("error_description")) {
        (Some(code), Some(text)) => format!(": {code} ({text})"),
        (Some(code), None) => format!(": {code}"),
        _ => String::new(),
    }
}
