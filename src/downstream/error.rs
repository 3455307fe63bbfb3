//! Why a server could not be started or reached, by what the reader can do about it.
//!
//! Texts are written for a person, name the server, and hold no secret.

use crate::auth::outbound::changing::CredentialError;
use crate::downstream::lack::Lack;
use crate::downstream::process::SpawnError;
use crate::name::ServerName;
use crate::wire::pending::Lost;
use crate::wire::unauthorized::Unauthorized;
use std::sync::Arc;
use std::time::Duration;

/// A server did not become ready.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The process could not be started at all.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It ended before it was ready.
    #[error("server `{server}` ended before it was ready: it {how}{}", words(.last_words))]
    Ended {
        /// Which server.
        server: ServerName,
        /// How it ended.
        how: String,
        /// The end of its stderr.
        last_words: Vec<String>,
    },
    /// Too many others are starting.
    #[error(
        "server `{server}` was not started: for {} s too many others were starting (`gateway.limits.startsAtOnce`)",
        .after.as_secs_f32()
    )]
    Crowded {
        /// Which server.
        server: ServerName,
        /// How long it waited for its turn.
        after: Duration,
    },
    /// It did not answer the handshake.
    #[error("server `{server}` gave no answer to `{method}` within {} s{}", .after.as_secs_f32(), words(.last_words))]
    Silent {
        /// Which server.
        server: ServerName,
        /// What was asked.
        method: &'static str,
        /// How long was waited.
        after: Duration,
        /// The end of its stderr.
        last_words: Vec<String>,
    },
    /// It answered the handshake with an error, or with something that cannot be read.
    #[error("server `{server}` refused `{method}`: {why}")]
    Refused {
        /// Which server.
        server: ServerName,
        /// What was asked.
        method: &'static str,
        /// The HTTP status, where there was one and it was an error.
        status: Option<u16>,
        /// What it said.
        why: String,
    },
    /// It wants credentials that the entry does not give.
    #[error("server `{server}` answered {status}: it wants credentials; give them in `auth` or `headers`")]
    Unauthorized {
        /// Which server.
        server: ServerName,
        /// The HTTP status, 401 or 403.
        status: u16,
    },
    /// There is nothing to show it.
    #[error("server `{server}` was not asked: {why}")]
    NoCredential {
        /// Which server.
        server: ServerName,
        /// Why there is no credential.
        why: CredentialError,
    },
    /// Somebody has to log in there first.
    #[error("{0}")]
    NeedsLogin(Lack),
    /// It answered, and shows nothing before somebody has logged in. The text of a [`Lack`].
    #[error("{0}")]
    ShowsNothing(Unauthorized),
    /// It shows something else than what was approved.
    #[error("server `{server}` is held back: {why}")]
    Held {
        /// Which server.
        server: ServerName,
        /// What is not as it was approved, and what to do.
        why: String,
    },
    /// It cannot be reached.
    #[error("server `{server}` cannot be reached: {why}")]
    Unreachable {
        /// Which server.
        server: ServerName,
        /// What the network said.
        why: String,
    },
}

impl StartError {
    /// What those hear who waited for the start; `reason` is its text.
    #[must_use]
    pub fn lost(&self, reason: Arc<str>) -> Lost {
        match self {
            Self::Unauthorized { .. } | Self::NoCredential { .. } => {
                Lost::Unauthorized(Unauthorized { why: reason, login: None })
            }
            Self::NeedsLogin(lack) => {
                Lost::Unauthorized(Unauthorized { why: reason, login: Some(lack.wanted()) })
            }
            Self::ShowsNothing(wanted) => {
                Lost::Unauthorized(Unauthorized { why: reason, login: wanted.login.clone() })
            }
            Self::Held { .. } => Lost::Held(reason),
            _ => Lost::NotStarted(reason),
        }
    }

    /// The end of the stderr of a child that was started.
    #[must_use]
    pub fn last_words(&self) -> &[String] {
        match self {
            Self::Ended { last_words, .. } | Self::Silent { last_words, .. } => last_words,
            Self::Crowded { .. }
            | Self::Spawn(_)
            | Self::Refused { .. }
            | Self::Unauthorized { .. }
            | Self::NoCredential { .. }
            | Self::NeedsLogin(_)
            | Self::ShowsNothing(_)
            | Self::Held { .. }
            | Self::Unreachable { .. } => &[],
        }
    }
}

/// `; its last words: "…"`, or nothing.
#[must_use]
pub fn words(lines: &[String]) -> String {
    if lines.is_empty() { String::new() } else { format!("; its last words: \"{}\"", lines.join(" | ")) }
}
