//! With what the gateway shows who asks: the headers of an entry, those of one caller, and credentials that change.
//!
//! What never changes is known when a connection is made and costs its calls nothing. Logins of people are not here.

pub mod changing;
pub mod command;
pub mod personal;
pub mod token;

use crate::auth::outbound::changing::Changing;
use crate::auth::outbound::changing::CredentialError;
use crate::auth::outbound::personal::Personal;
use crate::config::model::Http;
use crate::config::model::outbound::Headers;
use crate::config::model::outbound::Identity;
use crate::config::model::outbound::Source;
use crate::name::ServerName;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

/// Most credentials that are kept while no connection uses them.
const KEPT: usize = 1024;

/// What one connection shows.
#[derive(Debug, Clone)]
pub struct Shows {
    /// Headers that never change; of two with one name the later counts.
    pub headers: Headers,
    /// Credentials that do.
    pub changing: Option<Arc<Changing>>,
}

/// The credentials that change, by server and caller, so that connections share them.
#[derive(Debug, Default)]
pub struct Credentials(Mutex<HashMap<Whose, Kept>>);

type Whose = (ServerName, Option<Arc<str>>);

#[derive(Debug)]
struct Kept {
    source: Source,
    changing: Arc<Changing>,
}

impl Credentials {
    /// What a connection to `server` shows: the shared one, or the one of `personal`.
    ///
    /// # Errors
    /// [`CredentialError`] when there is nothing to show for this caller, or it cannot be used.
    pub fn shown(
        &self,
        server: &ServerName,
        http: &Http,
        personal: Option<&Personal>,
    ) -> Result<Shows, CredentialError> {
        let mut headers = http.headers.clone();
        let credential = personal.and_then(|personal| personal.credential.clone());
        if let (Identity::Caller(callers), Some(credential)) = (&http.outbound.identity, &credential) {
            // The gateway's own is for reading lists, and never shown for a caller.
            let own = callers.get(&**credential);
            match (own, &http.outbound.source) {
                (Some(own), _) => {
                    headers.retain(|(name, _)| !own.iter().any(|(theirs, _)| theirs == name));
                    headers.extend(own.iter().cloned());
                }
                (None, Source::Command(_) | Source::Login) => {}
                (None, _) => return Err(CredentialError::Gone),
            }
        }
        if let Some(personal) = personal {
            // What a client says comes last in rank: it replaces nothing.
            let free = |(name, _): &&(String, _)| !headers.iter().any(|(known, _)| known == name);
            let passed: Headers = personal.passed.iter().filter(free).cloned().collect();
            headers.extend(passed);
        }
        let changing = self.changing(server, http, credential)?;
        Ok(Shows { headers, changing })
    }

    fn changing(
        &self,
        server: &ServerName,
        http: &Http,
        credential: Option<Arc<str>>,
    ) -> Result<Option<Arc<Changing>>, CredentialError> {
        let source = &http.outbound.source;
        let is_kept = match source {
            Source::Fixed | Source::Login => return Ok(None),
            Source::Token(_) => true,
            Source::Command(command) => command.ttl.is_some(),
        };
        let whose = (server.clone(), credential.clone());
        if !is_kept {
            return Changing::new(server, http, credential).map(Arc::new).map(Some);
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(&whose).filter(|known| known.source == *source) {
            return Ok(Some(Arc::clone(&known.changing)));
        }
        if kept.len() >= KEPT {
            kept.retain(|_, one| Arc::strong_count(&one.changing) > 1);
        }
        let changing = Arc::new(Changing::new(server, http, credential)?);
        kept.insert(whose, Kept { source: source.clone(), changing: Arc::clone(&changing) });
        Ok(Some(changing))
    }
}
