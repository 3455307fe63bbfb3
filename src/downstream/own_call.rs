//! Requests of the gateway's own: handshakes and lists. The only calls here that are awaited.

use crate::downstream::link::Link;
use crate::downstream::request::Request;
use crate::telemetry::clean::clean;
use crate::wire::message::Outcome;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use crate::wire::pending::Owner;
use crate::wire::pending::Patience;
use crate::wire::pending::Question;
use crate::wire::pending::Waiter;
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::sync::oneshot;

/// Why a request of ours has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoResult {
    /// The server answered with this error object (JSON text).
    Error(String),
    /// No answer came.
    Lost(Lost),
    /// The connection ended before it was sent.
    Closed,
}

impl std::fmt::Display for NoResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(error) => write!(f, "it answered with an error: {}", message_of(error)),
            Self::Lost(Lost::Silent(after) | Lost::Endless(after)) => {
                write!(f, "it gave no answer within {} s", after.as_secs_f64())
            }
            Self::Lost(Lost::Unreadable(why)) => write!(f, "its answer cannot be read: {why}"),
            Self::Lost(Lost::Closed(how)) => write!(f, "it {how}"),
            Self::Lost(Lost::NotSent(why) | Lost::NotStarted(why) | Lost::Held(why)) => {
                write!(f, "it was not asked: {why}")
            }
            Self::Lost(Lost::Unauthorized(why)) => write!(f, "it was not asked: {why}"),
            Self::Lost(Lost::Cancelled) => f.write_str("the gateway gave it up"),
            Self::Closed => f.write_str("it closed the connection"),
        }
    }
}

/// What a person reads of an error object.
#[must_use]
pub fn message_of(error: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        code: i64,
        message: String,
    }
    match serde_json::from_str::<Said>(error) {
        Ok(said) => format!("{} ({})", clean(&said.message, 500), said.code),
        Err(_) => "an error that cannot be read".into(),
    }
}

/// What comes back.
pub type Back = Result<Box<RawValue>, NoResult>;

/// Waits for one answer and hands it over.
struct Once {
    sender: oneshot::Sender<Back>,
    /// What a request that stays open is known by.
    background: Option<Box<str>>,
}

impl Waiter for Once {
    fn answer(self: Box<Self>, answer: Answer<'_>) {
        // Nobody listens any more when the wait was given up: nothing to do then.
        let _ = self.sender.send(match answer {
            Answer::Outcome(Outcome::Result(raw)) => Ok(raw.to_owned()),
            Answer::Outcome(Outcome::Error(raw)) => Err(NoResult::Error(raw.get().to_owned())),
            Answer::Lost(lost) => Err(NoResult::Lost(lost)),
        });
    }
    fn progress(&self, _: &str) {}
    fn notice(&self, _: &str, _: Option<&str>) {}
    fn ask(&self, _: &Question<'_>) -> bool {
        false
    }
    fn owner(&self) -> Owner {
        0
    }
    fn is_background(&self) -> bool {
        self.background.is_some()
    }
    fn is(&self, id: &str) -> bool {
        self.background.as_deref() == Some(id)
    }
}

/// A waiter for one answer, and the way to it.
#[must_use]
pub fn once() -> (Box<dyn Waiter>, oneshot::Receiver<Back>) {
    let (sender, receiver) = oneshot::channel();
    (Box::new(Once { sender, background: None }), receiver)
}

/// As [`once`], for a request that stays open and is no call. It can be cancelled as `tag`.
#[must_use]
pub fn background(tag: &str) -> (Box<dyn Waiter>, oneshot::Receiver<Back>) {
    let (sender, receiver) = oneshot::channel();
    (Box::new(Once { sender, background: Some(tag.into()) }), receiver)
}

/// Sends `request` and waits for its result.
///
/// # Errors
/// [`NoResult`] when there is none.
pub async fn ask(
    link: &dyn Link,
    request: &Request<'_>,
    patience: Duration,
) -> Result<Box<RawValue>, NoResult> {
    let (waiter, answer) = once();
    link.call(request, waiter, Patience::flat(patience)).map_err(|_| NoResult::Closed)?;
    answer.await.unwrap_or(Err(NoResult::Closed))
}
