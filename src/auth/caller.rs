//! The identity behind one request.

use std::sync::Arc;

/// Who asks, after authentication.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// The owner of this process: a stdio client, a command, a program that embeds the gateway.
    Local,
    /// An HTTP client on a gateway without authentication, which listens on loopback only.
    Anonymous,
    /// An HTTP client that showed one of the configured tokens; which one, by its place in the list.
    Bearer(usize),
    /// A name given by a program that embeds the gateway.
    Named(Arc<str>),
}

impl Caller {
    /// True for one who can be told from all others.
    #[must_use]
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Bearer(_) | Self::Named(_))
    }
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Anonymous => f.write_str("anonymous"),
            Self::Bearer(place) => write!(f, "bearer-{}", place + 1),
            Self::Named(name) => f.write_str(name),
        }
    }
}
