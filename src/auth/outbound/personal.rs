//! What keeps two callers apart on the way to one server: whose credential is shown, and what is passed on of them.
//!
//! It holds no credential of theirs: a connection gets it from the configuration when it is made.

use crate::auth::called;
use crate::auth::caller::Caller;
use crate::auth::oauth::login::GATEWAY;
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
            Identity::Caller(_) if matches!(outbound.source, Source::Command(_) | Source::Login) => {
                match caller.is_anonymous() || caller.principal() == GATEWAY {
                    // Nobody could tell one from the other.
                    true => return Err(Missing),
                    false => Some(caller.principal().into()),
                }
            }
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

impl Personal {
    /// The principal whose login is shown at `server`; none where logins are the gateway's.
    #[must_use]
    pub fn login(&self, server: &Server) -> Option<Arc<str>> {
        let Transport::Http(http) = &server.transport else { return None };
        self.credential.clone().filter(|_| http.outbound.source == Source::Login)
    }
}

/// Under which names the credential of `caller` is looked for. A token of an issuer says its name itself, so that the name
/// proves nothing here.
fn names(caller: &Caller) -> Vec<Arc<str>> {
    if caller.is_anonymous() {
        return Vec::new();
    }
    let principal = caller.principal();
    let most = if called::names_itself(principal) { 1 } else { 2 };
    called::names(principal, caller.name()).take(most).map(Arc::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::caller::Identity;

    #[test]
    fn a_name_counts_only_where_the_configuration_gave_it() {
        let found = |principal: &str, name: &str| {
            let found = names(&Caller::from(Identity::new(principal, name)));
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(found("key:1", "ann"), ["key:1", "ann"]);
        assert_eq!(found("jwt:i|s", "ann"), ["jwt:i|s"]);
        assert_eq!(found("basic:x", "key:1"), ["basic:x"]);
        assert_eq!(found("key:1", "local"), ["key:1"]);
        assert_eq!(names(&Caller::Local), [Arc::from("local")]);
        assert!(names(&Caller::Anonymous).is_empty() && found("anonymous", "anonymous").is_empty());
    }
}
