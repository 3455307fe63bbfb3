//! Why a guarded request got no answer.
//!
//! It shows the origin of an address and never the rest, which may hold a secret.

use std::net::IpAddr;
use url::Url;

/// Why a guarded request got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// It is no address that could be asked.
    #[error("the address cannot be used: {0}")]
    Unusable(&'static str),
    /// It is not https.
    #[error("`{0}` is not asked, because it is not https; `gateway.egress.allowHttp` would allow it")]
    Plain(String),
    /// It leads somewhere private.
    #[error(
        "`{origin}` is not asked, because it leads to {address}, which is not a public address; `gateway.egress.allowPrivate` can name it"
    )]
    Private {
        /// What was to be asked.
        origin: String,
        /// Where it leads.
        address: IpAddr,
    },
    /// It wants to be asked elsewhere.
    #[error("`{origin}` answered HTTP {status}, a redirect that is not followed")]
    Redirected {
        /// What was asked.
        origin: String,
        /// Its status.
        status: u16,
    },
    /// The answer is too long.
    #[error("`{origin}` answered with more than {limit} bytes")]
    TooLong {
        /// What was asked.
        origin: String,
        /// The bound.
        limit: usize,
    },
    /// It took too long.
    #[error("`{0}` did not answer in time")]
    TooSlow(String),
    /// It cannot be reached.
    #[error("`{origin}` cannot be reached: {why}")]
    Unreachable {
        /// What was asked.
        origin: String,
        /// What the network said.
        why: String,
    },
    /// TLS cannot be used at all.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl EgressError {
    /// [`Self::Unreachable`] for the deepest cause of `error`.
    #[must_use]
    pub fn unreachable(url: &Url, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut deepest = error;
        while let Some(source) = deepest.source() {
            deepest = source;
        }
        Self::Unreachable { origin: origin(url), why: deepest.to_string() }
    }
}

/// What may be shown of `url`.
#[must_use]
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
