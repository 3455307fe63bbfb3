//! The token that one server is shown: kept in memory, renewed before it ends, taken from the login on disk again when that
//! changes (somebody logged in or out, another process renewed it).
//!
//! One renewal at a time, in this process and among all of them, and it goes on when nobody waits for it any more: a
//! refresh token that was used and not replaced on disk is lost. It sends nothing to the server.

use crate::auth::egress::Egress;
use crate::auth::oauth::discovery::same;
use crate::auth::oauth::error::RefreshError;
use crate::auth::oauth::folder::Folder;
use crate::auth::oauth::folder::Stamp;
use crate::auth::oauth::login::Key;
use crate::auth::oauth::login::KnownBy;
use crate::auth::oauth::login::Login;
use crate::auth::oauth::login::Tokens;
use crate::auth::oauth::refresh::refresh;
use crate::config::model::oauth::OAuth;
use crate::secret::Secret;
use crate::wire::tasks::Tasks;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How long a look at the disk is good for.
pub(super) const GOOD_FOR: Duration = Duration::from_millis(250);
/// How long a token that the server refused is not shown again.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// The token of one login. Clones share it.
#[derive(Clone)]
pub struct Bearer(Arc<Inner>);

struct Inner {
    own: Own,
    held: Mutex<Held>,
    turn: Semaphore,
    tasks: Tasks,
}

/// Which login, and what it is used with.
#[derive(Clone)]
pub struct Own {
    /// Which.
    pub key: Key,
    /// What the entry says.
    pub settings: OAuth,
    /// Where logins are kept.
    pub folder: Folder,
    /// The configuration file whose gateway uses it.
    pub user: String,
    /// The way to the authorization server.
    pub egress: Egress,
}

#[derive(Default)]
struct Held {
    login: Option<Arc<Login>>,
    stamp: Stamp,
    looked: Option<Instant>,
    /// A token that the server refused, and when.
    refused: Option<(Secret, Instant)>,
}

impl Bearer {
    /// The token of `own`. Nothing is read yet.
    #[must_use]
    pub fn new(own: Own) -> Self {
        let (held, turn) = (Mutex::default(), Semaphore::new(1));
        Self(Arc::new(Inner { own, held, turn, tasks: Tasks::default() }))
    }

    /// The token to show, renewed if it ends soon; `None` when somebody has to log in first.
    ///
    /// # Errors
    /// [`RefreshError::Failed`] when it has ended and cannot be renewed now.
    pub async fn token(&self) -> Result<Option<Secret>, RefreshError> {
        // Without a login it is worth looking whether there is one by now.
        let Some(tokens) = self.0.tokens(false).or_else(|| self.0.tokens(true)) else { return Ok(None) };
        if !tokens.end_soon() {
            return Ok(Some(tokens.access));
        }
        match self.renewed(&tokens.access).await {
            Err(RefreshError::Failed(_)) if !tokens.have_ended() => Ok(Some(tokens.access)),
            renewed => renewed,
        }
    }

    /// A token to show instead of `seen`, which the server refused; `None` when somebody has to log in first.
    ///
    /// # Errors
    /// [`RefreshError::Failed`].
    pub async fn instead_of(&self, seen: &Secret) -> Result<Option<Secret>, RefreshError> {
        let renewed = self.renewed(seen).await;
        if let Ok(None) = renewed {
            self.0.lock().refused = Some((seen.clone(), Instant::now()));
        }
        renewed
    }

    /// The server refused `token`, which was renewed a moment ago.
    pub fn refused(&self, token: &Secret) {
        self.0.lock().refused = Some((token.clone(), Instant::now()));
    }

    /// Notes in the login that this gateway uses it. A login that is not there is none of its business.
    ///
    /// # Errors
    /// When the login cannot be read or written.
    pub async fn adopt(&self) -> io::Result<()> {
        let Own { key, folder, user, .. } = &self.0.own;
        let lacks = |login: &Login| !login.used_by.contains(user);
        if !folder.load(key)?.is_some_and(|login| lacks(&login)) {
            return Ok(());
        }
        let _turn = folder.turn(key).await?;
        match folder.load(key)?.filter(lacks) {
            Some(mut login) => {
                login.used_by.push(user.clone());
                folder.save(key, &login)
            }
            None => Ok(()),
        }
    }

    async fn renewed(&self, seen: &Secret) -> Result<Option<Secret>, RefreshError> {
        let (tell, told) = oneshot::channel();
        let (me, seen) = (Arc::clone(&self.0), seen.clone());
        self.0.tasks.spawn(async move {
            // Nobody may wait for it any more.
            let _ = tell.send(me.renew(&seen).await);
        });
        told.await.unwrap_or_else(|_| Err(RefreshError::Failed("the gateway ends".into())))
    }
}

impl Inner {
    async fn renew(&self, seen: &Secret) -> Result<Option<Secret>, RefreshError> {
        let Own { key, folder, egress, settings, .. } = &self.own;
        let failed = |error: io::Error| RefreshError::Failed(error.to_string());
        let _first = self.turn.acquire().await.expect("the semaphore is never closed");
        let renewable = |tokens: Option<Tokens>| tokens.filter(|tokens| tokens.access == *seen);
        let Some(tokens) = renewable(self.tokens(true)) else { return Ok(self.access()) };
        if tokens.refresh.is_none() {
            return Ok(None);
        }
        let _turn = folder.turn(key).await.map_err(failed)?;
        // Another process may have been first.
        if renewable(self.tokens(true)).is_none() {
            return Ok(self.access());
        }
        let Some(login) = self.look(true) else { return Ok(None) };
        let secret = match login.client.known_by {
            KnownBy::Entry => settings.client_secret.as_ref(),
            _ => login.client.secret.as_ref(),
        };
        let (tokens, outcome) = match refresh(egress, &login, secret).await {
            Ok(tokens) => {
                tracing::debug!(server = %key.server, "the token was renewed");
                let access = tokens.access.clone();
                (Some(tokens), Ok(Some(access)))
            }
            Err(RefreshError::Rejected(why)) => {
                tracing::warn!(server = %key.server, why, "the authorization server withdrew the login");
                (None, Ok(None))
            }
            Err(error) => return Err(error),
        };
        self.keep(Login { tokens, ..(*login).clone() });
        outcome
    }

    fn keep(&self, login: Login) {
        let Own { key, folder, .. } = &self.own;
        if let Err(error) = folder.save(key, &login) {
            tracing::warn!(server = %key.server, %error, "the renewed login cannot be kept: it is lost with this process");
        }
        let mut held = self.lock();
        (held.login, held.stamp) = (Some(Arc::new(login)), folder.stamp(key));
        held.looked = Some(Instant::now());
    }

    fn access(&self) -> Option<Secret> {
        self.tokens(false).map(|tokens| tokens.access)
    }

    /// The tokens there are, but for one that the server refused a moment ago.
    fn tokens(&self, now: bool) -> Option<Tokens> {
        let tokens = self.look(now)?.tokens.clone()?;
        let held = self.lock();
        let refused = held
            .refused
            .as_ref()
            .is_some_and(|(token, at)| *token == tokens.access && at.elapsed() < REFUSED_FOR);
        (!refused).then_some(tokens)
    }

    /// The login, read again when it changed since the last look; `now` looks in any case.
    fn look(&self, now: bool) -> Option<Arc<Login>> {
        let Own { key, folder, .. } = &self.own;
        let mut held = self.lock();
        if now || held.looked.is_none_or(|at| at.elapsed() >= GOOD_FOR) {
            held.looked = Some(Instant::now());
            let stamp = folder.stamp(key);
            if held.stamp != stamp {
                held.stamp = stamp;
                held.login = match folder.load(key) {
                    Ok(login) => login.filter(|login| self.fits(login)).map(Arc::new),
                    Err(error) => {
                        tracing::warn!(server = %key.server, %error, "the login cannot be used");
                        None
                    }
                };
            }
        }
        held.login.clone()
    }

    /// A login as another client, or at another authorization server than the entry wants, is none.
    fn fits(&self, login: &Login) -> bool {
        let OAuth { client_id, issuer, .. } = &self.own.settings;
        let Key { server, principal, .. } = &self.own.key;
        let client = client_id.as_ref().is_none_or(|id| *id == login.client.id);
        let issuer = issuer.as_ref().is_none_or(|issuer| same(issuer, &login.issuer));
        client && issuer && login.server == server.as_str() && login.principal == *principal
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Bearer").field(&self.0.own.key).finish()
    }
}
