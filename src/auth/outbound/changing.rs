//! A credential that changes: asked for when it is first needed, before it ends, and when a server refuses it.
//!
//! Whoever needs it while it is asked for waits for the one who asks. Where it comes from is `token.rs` and `command.rs`.

use crate::auth::outbound::command;
use crate::auth::outbound::token::Endpoint;
use crate::config::model::Expanded;
use crate::config::model::Http;
use crate::config::model::outbound::HeaderCommand;
use crate::config::model::outbound::Source;
use crate::name::ServerName;
use http::HeaderName;
use http::HeaderValue;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// It is asked for again so long before it ends, or in the last quarter of its life if that is shorter.
const AHEAD: Duration = Duration::from_secs(30);
/// After a failure it is not asked for again so long.
const PAUSE: Duration = Duration::from_secs(5);

/// Headers that show who asks, as they are now.
pub type Shown = Arc<Vec<(HeaderName, HeaderValue)>>;

/// Headers, and how long they are good.
pub type Fresh = (Vec<(HeaderName, HeaderValue)>, Option<Duration>);

/// Why there is no credential. Texts hold no secret, and go on after the name of the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The file has none for this caller any more.
    #[error("the credential of this caller left the file")]
    Gone,
    /// The token endpoint gives none.
    #[error("there is no token for it: {0}")]
    Token(String),
    /// The command gives none.
    #[error("its `headersHelper` {0}")]
    Command(String),
}

/// A credential that changes.
pub struct Changing {
    origin: Origin,
    held: Mutex<Held>,
    /// Whoever asks for it holds the only one.
    turn: Semaphore,
}

enum Origin {
    Token(Box<Endpoint>),
    Command { command: Box<HeaderCommand>, asks: command::Asks },
}

#[derive(Default)]
struct Held {
    shown: Option<Shown>,
    /// From when on another one is asked for.
    until: Option<Instant>,
    /// The last time that it was asked for, and what came of it.
    asked: Option<(Instant, Option<CredentialError>)>,
}

impl Changing {
    /// The credential of `http`, for the caller `credential` if it is not the gateway's. Nothing is asked for yet.
    ///
    /// # Errors
    /// [`CredentialError`] when the entry cannot be used.
    pub fn new(
        server: &ServerName,
        http: &Http,
        credential: Option<Arc<str>>,
    ) -> Result<Self, CredentialError> {
        let origin = match &http.outbound.source {
            Source::Fixed | Source::Login => return Err(CredentialError::Gone),
            Source::Token(terms) => Origin::Token(Box::new(Endpoint::new(terms)?)),
            Source::Command(command) => {
                let url: &Expanded = &http.url;
                let asks =
                    command::Asks { server: server.clone(), url: url.value.clone(), caller: credential };
                Origin::Command { command: command.clone(), asks }
            }
        };
        Ok(Self { origin, held: Mutex::default(), turn: Semaphore::new(1) })
    }

    /// The headers to show.
    ///
    /// # Errors
    /// [`CredentialError`], which is remembered for a moment.
    pub async fn headers(&self) -> Result<Shown, CredentialError> {
        if let Some(shown) = self.good() {
            return Ok(shown);
        }
        let _turn = self.turn.acquire().await;
        match self.good() {
            Some(shown) => Ok(shown),
            None => self.ask().await,
        }
    }

    /// What to show instead of `seen`, which was refused with `status`; `None` when there is nothing else.
    ///
    /// # Errors
    /// [`CredentialError`]
    pub async fn instead_of(&self, seen: &Shown, status: u16) -> Result<Option<Shown>, CredentialError> {
        let helps = match self.origin {
            Origin::Token(_) => status == 401,
            Origin::Command { .. } => matches!(status, 401 | 403),
        };
        if !helps {
            return Ok(None);
        }
        let _turn = self.turn.acquire().await;
        let (now, recent) = {
            let held = self.lock();
            let recent = held.asked.as_ref().is_some_and(|(at, _)| at.elapsed() < PAUSE);
            (held.shown.clone(), recent)
        };
        match now {
            Some(now) if !Arc::ptr_eq(&now, seen) => return Ok(Some(now)),
            // It was new a moment ago, and another one would be refused too.
            _ if recent => return Ok(None),
            _ => {}
        }
        self.lock().shown = None;
        let fresh = self.ask().await?;
        Ok((fresh != *seen).then_some(fresh))
    }

    fn good(&self) -> Option<Shown> {
        let held = self.lock();
        held.shown.clone().filter(|_| held.until.is_none_or(|until| Instant::now() < until))
    }

    /// Only for the one whose turn it is.
    async fn ask(&self) -> Result<Shown, CredentialError> {
        let rest = |held: &Held| match &held.asked {
            Some((at, Some(error))) if at.elapsed() < PAUSE => Some(error.clone()),
            _ => None,
        };
        if let Some(error) = rest(&self.lock()) {
            return Err(error);
        }
        let fresh = match &self.origin {
            Origin::Token(endpoint) => endpoint.ask().await,
            Origin::Command { command, asks } => command::run(command, asks).await,
        };
        let mut held = self.lock();
        match fresh {
            Ok((headers, life)) => {
                let shown = Arc::new(headers);
                held.shown = Some(Arc::clone(&shown));
                held.until = life.map(|life| Instant::now() + life.saturating_sub(AHEAD.min(life / 4)));
                held.asked = Some((Instant::now(), None));
                Ok(shown)
            }
            Err(error) => {
                held.asked = Some((Instant::now(), Some(error.clone())));
                Err(error)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It holds secrets.
impl fmt::Debug for Changing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Changing(***)")
    }
}
