//! Why a request over HTTP got no answer, and whether that says something of the server.
//!
//! It tells nobody: that is `talk.rs`.

use crate::downstream::http::failure::Failure;
use crate::downstream::http::reply::Broken;
use crate::wire::pending::Lost;

/// Why a call got no answer.
pub enum Trouble {
    /// For the one who waits.
    Lost(Lost),
    /// The same, and the server or the way to it is at fault.
    Failing(Lost),
    /// The network failed, which may mean the end of the connection.
    Network(Failure),
}

impl Trouble {
    /// An answer that ended before the result; `odd` is what was wrong with what came.
    #[must_use]
    pub fn broken_off(how: Option<Broken>, odd: Option<String>) -> Self {
        match (how, odd) {
            (Some(Broken::Cut(why) | Broken::TooLong(why)), _) => Self::closed(&why),
            (None, Some(odd)) => Self::unreadable(odd),
            (None, None) => Self::closed("ended its answer without a result"),
        }
    }

    /// An answer that cannot be read.
    #[must_use]
    pub fn unreadable(why: String) -> Self {
        Self::Lost(Lost::Unreadable(why.into()))
    }

    /// The answer broke off.
    #[must_use]
    pub fn closed(why: &str) -> Self {
        Self::Failing(Lost::Closed(why.into()))
    }
}
