//! The identity behind one request.
//!
//! It says who asks, not what that one may do: permissions are decided by the policy.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Who asks, after authentication.
///
/// Everything that belongs to somebody (sessions, parked requests, tasks, subscriptions, cached lists) is compared by the
/// whole of it: the same person with another key, team, agent or claim is somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// The owner of this process: a stdio client, a command, a program that embeds the gateway.
    Local,
    /// An HTTP client on a gateway without authentication, which listens on loopback only.
    Anonymous,
    /// A name given by a program that embeds the gateway.
    Named(Arc<str>),
    /// One that showed a credential, or that the configuration names.
    Known(Arc<Identity>),
}

/// What a credential says about its holder. Nothing in it changes when the holder renews the credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Identity {
    /// Unique over all kinds of credentials: `key:ID`, `jwt:ISSUER|SUBJECT`, `basic:USER`, `token:N`, `name:NAME`.
    pub principal: String,
    /// What people see.
    pub name: String,
    /// The team that it belongs to.
    pub team: Option<String>,
    /// The organisation that it belongs to.
    pub organisation: Option<String>,
    /// The agent that acts.
    pub agent: Option<String>,
    /// Whether a request may name the agent.
    pub may_name_agent: bool,
    /// Claims that the configuration keeps, each with its values in order.
    pub claims: BTreeMap<String, Vec<String>>,
    /// Scopes of the credential, sorted.
    pub scopes: Vec<String>,
}

/// The credential does not let its holder say which agent acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this credential may not name an agent")]
pub struct MayNotNameAgent;

/// The principal of those who showed nothing.
const ANONYMOUS: &str = "anonymous";

impl Identity {
    /// One of whom nothing else is known.
    #[must_use]
    pub fn new(principal: impl Into<String>, name: impl Into<String>) -> Self {
        Self { principal: principal.into(), name: name.into(), ..Self::default() }
    }
}

impl Caller {
    /// The holder of the token at `place` of the list of tokens, which counts from 0.
    #[must_use]
    pub fn token(place: usize) -> Self {
        let number = place + 1;
        Self::from(Identity::new(format!("token:{number}"), format!("token-{number}")))
    }

    /// True for one who can be told from all others.
    #[must_use]
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Known(_) | Self::Named(_)) && !self.is_anonymous()
    }

    /// True for one of whom nothing is known but perhaps the agent that it names.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        match self {
            Self::Anonymous => true,
            Self::Known(identity) => identity.principal == ANONYMOUS,
            Self::Local | Self::Named(_) => false,
        }
    }

    /// The same, acting as the agent that a request names.
    ///
    /// # Errors
    /// [`MayNotNameAgent`], unless its credential allows it or binds it to this very agent.
    pub fn acting_as(self, agent: &str) -> Result<Self, MayNotNameAgent> {
        let identity = match &self {
            Self::Anonymous => Identity { may_name_agent: true, ..Identity::new(ANONYMOUS, ANONYMOUS) },
            Self::Known(identity) if identity.agent.as_deref() == Some(agent) => return Ok(self),
            Self::Known(identity) if identity.may_name_agent => Identity::clone(identity),
            Self::Local | Self::Named(_) | Self::Known(_) => return Err(MayNotNameAgent),
        };
        Ok(Self::from(Identity { agent: Some(agent.to_owned()), ..identity }))
    }

    /// What its credential says; nothing of who showed none.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Known(identity) => Some(identity),
            Self::Local | Self::Anonymous | Self::Named(_) => None,
        }
    }

    /// What people see: in logs, in the status, in the audit log. Not unique.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Local => "local",
            Self::Anonymous => ANONYMOUS,
            Self::Named(name) => name,
            Self::Known(identity) => &identity.name,
        }
    }

    /// What tells it from all others, as text: in rules, in keys of what is kept.
    #[must_use]
    pub fn principal(&self) -> &str {
        match self {
            Self::Known(identity) => &identity.principal,
            _ => self.name(),
        }
    }
}

impl From<Identity> for Caller {
    fn from(identity: Identity) -> Self {
        Self::Known(Arc::new(identity))
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_with_anything_else_is_somebody_else() {
        let identity = Identity { team: Some("a".into()), ..Identity::new("key:1", "ann") };
        let ann = Caller::from(identity.clone());
        assert_eq!(ann, Caller::from(identity.clone()));
        let others = [
            Identity { team: Some("b".into()), ..identity.clone() },
            Identity { agent: Some("x".into()), ..identity.clone() },
            Identity { principal: "key:2".into(), ..identity.clone() },
            Identity { claims: [("role".into(), vec!["admin".into()])].into(), ..identity },
        ];
        for other in others {
            assert_ne!(ann, Caller::from(other));
        }
        assert_ne!(Caller::Named("ann".into()), ann);
        assert_eq!((ann.name(), ann.principal(), ann.is_known()), ("ann", "key:1", true));
        assert_eq!(Caller::token(0).principal(), "token:1");
    }

    #[test]
    fn only_who_may_names_an_agent() {
        let ann = Identity { agent: Some("a".into()), ..Identity::new("key:1", "ann") };
        assert_eq!(Caller::from(ann.clone()).acting_as("b"), Err(MayNotNameAgent));
        assert_eq!(Caller::from(ann.clone()).acting_as("a"), Ok(Caller::from(ann.clone())));
        let free = Caller::from(Identity { may_name_agent: true, ..ann }).acting_as("b").unwrap();
        assert_eq!(free.identity().unwrap().agent.as_deref(), Some("b"));
        let nobody = Caller::Anonymous.acting_as("b").unwrap();
        assert!(nobody.is_anonymous() && !nobody.is_known() && nobody != Caller::Anonymous);
        assert_eq!(Caller::Local.acting_as("b"), Err(MayNotNameAgent));
    }
}
