//! One login: from the address a person opens to the tokens.
//!
//! rmcp makes the address (state, PKCE with S256, `resource`), compares `iss` (RFC 9207) and exchanges the code. It keeps
//! no login, opens no browser, and hears of no redirect: those are `logins.rs`, `browser.rs` and `callback.rs`.

use crate::auth::egress::Egress;
use crate::auth::oauth::discovery;
use crate::auth::oauth::discovery::Found;
use crate::auth::oauth::discovery::discover;
use crate::auth::oauth::discovery::in_words;
use crate::auth::oauth::endpoint::usable;
use crate::auth::oauth::error::LoginError;
use crate::auth::oauth::error::word;
use crate::auth::oauth::login::Client;
use crate::auth::oauth::login::FORMAT;
use crate::auth::oauth::login::Key;
use crate::auth::oauth::login::KnownBy;
use crate::auth::oauth::login::Login;
use crate::auth::oauth::login::now;
use crate::auth::oauth::refresh::TokenAnswer;
use crate::config::model::oauth::OAuth;
use crate::secret::Secret;
use rmcp::transport::auth::AuthorizationManager;
use rmcp::transport::auth::AuthorizationRequest;
use rmcp::transport::auth::AuthorizationSession;
use std::borrow::Cow;
use std::sync::Arc;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;
use url::Url;

/// What the authorization server shows people.
const CLIENT_NAME: &str = "mcp-manifold";

/// What is logged in to.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Which login it is to be.
    pub key: Key,
    /// Where the server is.
    pub url: Url,
    /// The headers of its entry.
    pub headers: Vec<(String, Secret)>,
    /// What its entry says.
    pub settings: OAuth,
    /// Scopes that are wanted besides those of the login before.
    pub scopes: Vec<String>,
    /// Where browsers are sent back to.
    pub redirect: String,
}

/// A login that waits for a person.
pub struct Begun {
    /// What the person opens.
    pub address: Url,
    /// Who is asked.
    pub issuer: String,
    session: AuthorizationSession,
    state: String,
    client: Client,
    resource: String,
    token_endpoint: String,
    scopes: Vec<String>,
    key: Key,
}

/// Finds out where to log in, and as whom; registers the gateway if need be. `before` is the login there is.
///
/// # Errors
/// [`LoginError`].
pub async fn begin(egress: &Arc<Egress>, wish: &Wish, before: Option<&Login>) -> Result<Begun, LoginError> {
    // rmcp logs codes and what others say; nothing of it may reach a log.
    begin_unlogged(egress, wish, before).with_subscriber(NoSubscriber::default()).await
}

async fn begin_unlogged(
    egress: &Arc<Egress>,
    wish: &Wish,
    before: Option<&Login>,
) -> Result<Begun, LoginError> {
    let mut found = discover(egress, &wish.url, &wish.headers, &wish.settings).await?;
    // A login at another authorization server says nothing here.
    let before = before.filter(|before| before.issuer == found.issuer);
    let scopes = scopes(&found.client, wish, before).await;
    let client = client(&mut found, wish, before, &scopes).await?;
    let secret = wish.settings.client_secret.as_ref().filter(|_| client.known_by == KnownBy::Entry);
    let mut request =
        AuthorizationRequest::new(wish.redirect.clone()).with_preregistered_client(client.id.clone());
    // Without scopes rmcp would take all that the authorization server has.
    request = request.with_initial_scope_selection().with_scopes(scopes);
    if let Some(secret) = secret.or(client.secret.as_ref()) {
        request = request.with_client_secret(secret.expose());
    }
    let issuer = found.issuer;
    let session = AuthorizationSession::new(found.client, request).await;
    let session = session.map_err(|(_, error)| LoginError::Discovery(in_words(&error)))?;
    let address = usable("authorization endpoint", session.get_authorization_url(), &wish.url)?;
    if address.origin() != found.authorization.origin() || address.path() != found.authorization.path() {
        return Err(LoginError::BadAddress { what: "authorization endpoint", why: "it changed" });
    }
    let asked = |name: &str| {
        let pairs = address.query_pairs().filter(|(key, _)| key == name);
        // Of two the first stands in the endpoint itself.
        pairs.last().map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let (state, resource) = (asked("state"), asked("resource"));
    let scopes = asked("scope").split_ascii_whitespace().map(str::to_owned).collect();
    let (token_endpoint, key) = (found.token.into(), wish.key.clone());
    Ok(Begun { issuer, session, state, client, resource, token_endpoint, scopes, key, address })
}

/// What is asked for: what the entry says, else what the server names. Who wants more keeps what there is, if anything.
async fn scopes(client: &AuthorizationManager, wish: &Wish, before: Option<&Login>) -> Vec<String> {
    let had = before.and_then(|before| before.tokens.as_ref()).filter(|_| !wish.scopes.is_empty());
    let mut scopes = match had {
        Some(tokens) => tokens.scopes.clone(),
        None if wish.settings.scopes.is_empty() => client.select_initial_scopes(&[]).await,
        None => wish.settings.scopes.clone(),
    };
    for scope in &wish.scopes {
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    scopes
}

/// As whom: as the entry says, by a document, as before, or registered now.
async fn client(
    found: &mut Found,
    wish: &Wish,
    before: Option<&Login>,
    scopes: &[String],
) -> Result<Client, LoginError> {
    let (secret_in_body, redirect) = (found.secret_in_body, wish.redirect.clone());
    let made = |id: &str, secret, known_by| Client {
        id: id.to_owned(),
        secret,
        secret_in_body,
        known_by,
        redirect: redirect.clone(),
    };
    if let Some(id) = &wish.settings.client_id {
        return Ok(made(id, None, KnownBy::Entry));
    }
    if let Some(document) = wish.settings.client_metadata_url.as_ref().filter(|_| found.reads_documents) {
        return Ok(made(document, None, KnownBy::Document));
    }
    // Who withdrew a login may have forgotten its client, too.
    let known = before.filter(|before| before.tokens.is_some()).map(|before| &before.client);
    if let Some(known) = known.filter(|one| one.known_by == KnownBy::Registration && one.redirect == redirect)
    {
        return Ok(Client { secret_in_body, ..known.clone() });
    }
    let issuer = || discovery::shown(&found.issuer);
    if !found.registers {
        return Err(LoginError::NoRegistration { issuer: issuer() });
    }
    let wanted: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let registered = found.client.register_client(CLIENT_NAME, &wish.redirect, &wanted).await;
    let registered = registered.map_err(|error| LoginError::Registration {
        issuer: discovery::shown(&found.issuer),
        why: in_words(&error),
    })?;
    Ok(made(&registered.client_id, registered.client_secret.map(Secret::new), KnownBy::Registration))
}

impl Begun {
    /// True when a browser that came back with `query` was sent away by this login.
    #[must_use]
    pub fn is_mine(&self, query: &str) -> bool {
        let mut states = url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "state");
        let state = states.next();
        !self.state.is_empty()
            && state.is_some_and(|(_, state)| state == self.state)
            && states.next().is_none()
    }

    /// Exchanges what the browser came back with, the whole address, for the login.
    ///
    /// # Errors
    /// [`LoginError`]; then nothing was sent unless state and issuer are right.
    pub async fn finish(&self, returned: &Url) -> Result<Login, LoginError> {
        self.finish_unlogged(returned).with_subscriber(NoSubscriber::default()).await
    }

    async fn finish_unlogged(&self, returned: &Url) -> Result<Login, LoginError> {
        let query = returned.query().unwrap_or_default();
        if !self.is_mine(query) {
            return Err(LoginError::BadReturn("the `state` is not that of this login".into()));
        }
        let said = |name: &str| {
            returned.query_pairs().find(|(key, _)| key == name).map(|(_, value)| Cow::into_owned(value))
        };
        let times = |name: &str| returned.query_pairs().filter(|(key, _)| key == name).count();
        if ["code", "error", "iss"].into_iter().any(|name| times(name) > 1) {
            return Err(LoginError::BadReturn("it says one thing twice".into()));
        }
        let issuer = said("iss");
        if issuer.as_ref().is_some_and(|issuer| *issuer != self.issuer) {
            return Err(LoginError::BadReturn("it comes from another authorization server (`iss`)".into()));
        }
        if let Some(error) = said("error") {
            return Err(LoginError::Denied(word(&error)));
        }
        let code = said("code").ok_or_else(|| LoginError::BadReturn("there is no `code`".into()))?;
        let exchanged = self.session.handle_callback_with_issuer(&code, &self.state, issuer.as_deref()).await;
        let answer = exchanged.map_err(|error| LoginError::NoToken(in_words(&error)))?;
        let unreadable = |why: &str| LoginError::NoToken(why.to_owned());
        // rmcp's type shows its parts through a trait of another crate only.
        let answer = serde_json::to_value(&answer).and_then(serde_json::from_value::<TokenAnswer>);
        let answer = answer.map_err(|_| unreadable("its answer cannot be read"))?;
        let tokens = answer.tokens(None, self.scopes.clone()).map_err(unreadable)?;
        Ok(Login {
            format: FORMAT,
            server: self.key.server.to_string(),
            principal: self.key.principal.clone(),
            resource: self.resource.clone(),
            issuer: self.issuer.clone(),
            token_endpoint: self.token_endpoint.clone(),
            client: self.client.clone(),
            tokens: Some(tokens),
            logged_in_at: now(),
            used_by: Vec::new(),
        })
    }
}
