//! What keeps two callers apart on the way to one server: whose credential is shown, and what is passed on of them.
//!
//! It holds no credential of theirs: a connection gets it from the configuration when it is made.

use crate::auth::caller::Caller;
use crate::config::model::Server;
use crate::config::model::Transport;
use crate::config::model::outbound::Headers;
use crate::config::model::outbound::Identity;
use crate::config::model::outbound::Source;
use std::sync::Arc;

/// What is one caller's on the way to a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Personal {
    /// Whose credential is shown; none where it is the gateway's.
    pub credential: Option<Arc<str>>,
    /// Headers of their client, in the order of the entry.
    pub passed: Headers,
}

/// The entry shows the credential of the caller, and this one has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing;

impl Personal {
    /// What of `caller`, whose client sent `headers`, goes to `server`; `None` when nothing of it is theirs.
    ///
    /// # Errors
    /// [`Missing`]
    pub fn of(server: &Server, caller: &Caller, headers: &Headers) -> Result<Option<Arc<Self>>, Missing> {
        let Transport::Http(http) = &server.transport else { return Ok(None) };
        let outbound = &http.outbound;
        if !outbound.is_personal() {
            return Ok(None);
        }
        let credential = match &outbound.identity {
            Identity::Gateway => None,
            Identity::Caller(_) if matches!(outbound.source, Source::Command(_)) => match caller {
                // A command could not tell one from the other.
                Caller::Anonymous => return Err(Missing),
                known => Some(principal(known)),
            },
            Identity::Caller(callers) => {
                let names = names(caller);
                let found = names.iter().find(|name| callers.contains_key(&***name));
                Some(Arc::clone(found.ok_or(Missing)?))
            }
        };
        let sent = |name: &String| headers.iter().find(|(known, _)| known == name).cloned();
        let passed: Headers = outbound.pass.iter().filter_map(sent).collect();
        let theirs = credential.is_some() || !passed.is_empty();
        Ok(theirs.then(|| Arc::new(Self { credential, passed })))
    }
}

/// What tells `caller` from all others.
fn principal(caller: &Caller) -> Arc<str> {
    caller.principal().into()
}

/// Under which names the credential of `caller` is looked for. A token of an issuer says its name itself, so that the name
/// proves nothing there.
fn names(caller: &Caller) -> Vec<Arc<str>> {
    let principal = principal(caller);
    let named_by_others = principal.starts_with("jwt:") || *caller == Caller::Anonymous;
    let name = (!named_by_others).then(|| caller.name().into());
    match *caller == Caller::Anonymous {
        true => Vec::new(),
        false => std::iter::once(principal).chain(name).collect(),
    }
}
