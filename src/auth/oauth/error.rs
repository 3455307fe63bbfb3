//! Why nobody could log in, or a token could not be renewed.
//!
//! Texts are for a person, go on after the name of the server, and hold no secret: what an authorization server wrote is
//! shortened to its error code.

use crate::auth::egress::EgressError;

/// Somebody could not log in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// It answered without asking for a login.
    #[error("wants no login: it answered HTTP {0}")]
    NotNeeded(u16),
    /// It cannot be asked.
    #[error("cannot be reached: {0}")]
    Unreachable(EgressError),
    /// It does not say where to log in, or what it says cannot be used.
    #[error("does not say properly where to log in: {0}")]
    Discovery(String),
    /// The authorization server has no PKCE with S256.
    #[error(
        "cannot be logged in to safely: the authorization server `{issuer}` does not say that it knows PKCE with S256"
    )]
    NoPkce {
        /// Which one.
        issuer: String,
    },
    /// The server names another authorization server than the entry.
    #[error("names the authorization server `{named}`, and its entry wants `{wanted}` (`auth.issuer`)")]
    OtherIssuer {
        /// What the server says.
        named: String,
        /// What the entry says.
        wanted: String,
    },
    /// The secret of the entry would go where only the server says that it belongs.
    #[error(
        "names the authorization server `{issuer}`, which would get `clientSecret`: if that is right, add `\"issuer\": \"{issuer}\"` to `auth`"
    )]
    SecretNotBound {
        /// Who would get it.
        issuer: String,
    },
    /// There is no client id, and none can be had.
    #[error(
        "has an authorization server that takes no registrations (`{issuer}`): register there and put `clientId` into `auth`"
    )]
    NoRegistration {
        /// Which one.
        issuer: String,
    },
    /// The authorization server did not register the gateway.
    #[error("cannot be logged in to: registering at `{issuer}` failed: {why}")]
    Registration {
        /// Which one.
        issuer: String,
        /// What it said.
        why: String,
    },
    /// An address in the metadata is none that may be used.
    #[error("has an authorization server whose {what} cannot be used: {why}")]
    BadAddress {
        /// Which address.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The authorization server sent the browser back with an error.
    #[error("was not logged in to: the authorization server says `{0}`")]
    Denied(String),
    /// What the browser came back with does not belong to this login.
    #[error("was not logged in to: {0}")]
    BadReturn(String),
    /// The code was not exchanged for a token.
    #[error("was not logged in to: the authorization server gave no token: {0}")]
    NoToken(String),
    /// Nobody came back in time.
    #[error("was not logged in to within {0} s")]
    TooLate(u64),
    /// The login cannot be kept.
    #[error("was logged in to, but that cannot be kept: {0}")]
    Unkept(std::io::Error),
    /// Browsers cannot be sent back to this machine.
    #[error("cannot be logged in to: the address for the way back cannot be listened on: {0}")]
    NoListener(std::io::Error),
}

/// A token could not be renewed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The authorization server withdrew it: somebody has to log in again.
    #[error("the authorization server withdrew the login (`{0}`)")]
    Rejected(String),
    /// It may work later.
    #[error("the token cannot be renewed: {0}")]
    Failed(String),
}

/// A foreign word as it may be shown: letters, digits and a few signs, at most 60 of them.
#[must_use]
pub fn word(text: &str) -> String {
    let safe = |c: &char| c.is_ascii_alphanumeric() || "_-.:/ ".contains(*c);
    text.chars().filter(safe).take(60).collect()
}
