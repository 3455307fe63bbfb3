//! The login of a server that is reached over HTTP: which requests show its token, and what a refusal means then.
//!
//! A server that asks for none is sent none: the token is shown from the first refusal on. It keeps and renews nothing.

use crate::auth::oauth::bearer::Bearer;
use crate::auth::oauth::demand::missing_scopes;
use crate::auth::oauth::error::RefreshError;
use crate::downstream::http::failure::Failure;
use crate::downstream::lack::Lack;
use crate::name::ServerName;
use crate::secret::Secret;
use http::HeaderValue;
use http::StatusCode;
use reqwest::Url;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// The login of one connection.
#[derive(Debug)]
pub struct Login {
    bearer: Bearer,
    /// The principal whose it is; none where it is the gateway's.
    whose: Option<Arc<str>>,
    /// The server wants it.
    wanted: AtomicBool,
}

impl Login {
    /// With the token of `bearer`, which is not shown yet: that of the principal `whose`, or else of the gateway.
    #[must_use]
    pub fn new(bearer: Bearer, whose: Option<Arc<str>>) -> Self {
        Self { bearer, whose, wanted: AtomicBool::new(false) }
    }

    /// What is missing, as that of this login.
    #[must_use]
    pub fn own(&self, lack: Lack) -> Lack {
        lack.of(self.whose.clone())
    }

    /// True when requests show a token. Part of every request: nothing is locked or copied.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// The token to show, if there is a login. From here on all requests show it.
    ///
    /// # Errors
    /// When it has ended and cannot be renewed now; nothing was sent to the server.
    pub async fn token(&self) -> Result<Option<Secret>, Failure> {
        let token = self.bearer.token().await.map_err(|error| failure(&error))?;
        if token.is_some() {
            self.wanted.store(true, Ordering::Relaxed);
        }
        Ok(token)
    }

    /// The token to show instead of one that was refused; `None` when somebody has to log in first.
    ///
    /// # Errors
    /// As [`Login::token`].
    pub async fn instead_of(&self, refused: &Secret) -> Result<Option<Secret>, Failure> {
        self.bearer.instead_of(refused).await.map_err(|error| failure(&error))
    }

    /// A token that was renewed a moment ago was refused too.
    pub fn refused(&self, token: &Secret) {
        self.bearer.refused(token);
    }
}

/// What the server lacks that answered `status` with `challenge`; `None` when a login would not help.
#[must_use]
pub fn lack(
    server: &ServerName,
    url: &Url,
    status: StatusCode,
    challenge: Option<&HeaderValue>,
) -> Option<Lack> {
    let challenge = challenge.and_then(|value| value.to_str().ok());
    let scopes = challenge.and_then(|challenge| missing_scopes(challenge, url));
    let vague = || !challenge.is_some_and(|challenge| challenge.contains("resource_metadata"));
    match (status, scopes) {
        (StatusCode::UNAUTHORIZED, _) => Some(Lack::login(server, vague())),
        (StatusCode::FORBIDDEN, Some(scopes)) => Some(Lack::scopes(server, scopes)),
        _ => None,
    }
}

fn failure(error: &RefreshError) -> Failure {
    Failure { why: error.to_string(), sent: false }
}
