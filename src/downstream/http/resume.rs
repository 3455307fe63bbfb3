//! Going on with an answer whose stream broke off: a GET with the id of the last event that came (2025-11-25,
//! `basic/transports`, resumability).
//!
//! A request is never sent again. Modern servers have no such thing.

use crate::downstream::http::mark;
use crate::downstream::http::reply::Messages;
use crate::downstream::http::reply::Reply;
use crate::downstream::http::talk::Talk;
use std::time::Duration;
use tokio::time::sleep;

/// So many attempts in a row without an event, unless the server said when to come back.
const ATTEMPTS: u32 = 5;
/// The wait before an attempt, where the server named none; it doubles.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest wait before an attempt.
const LONGEST: Duration = Duration::from_secs(30);

/// What is known of one answer.
#[derive(Default)]
pub struct Resumption {
    last: Option<String>,
    retry: Option<Duration>,
    vain: u32,
}

impl Resumption {
    /// Opens the stream again after `ended` broke off. `Ok(None)` when it cannot be resumed.
    ///
    /// # Errors
    /// Why it could not be, going on after the name of the server.
    pub async fn go_on(&mut self, talk: &Talk, ended: &Messages) -> Result<Option<Box<Messages>>, String> {
        if let Some(id) = ended.last_id() {
            self.vain = if self.last.as_deref() == Some(id) { self.vain } else { 0 };
            self.last = Some(id.to_owned());
        }
        self.retry = ended.retry().or(self.retry);
        let (Some(session), Some(last)) = (&talk.session, self.last.clone()) else { return Ok(None) };
        loop {
            let polled = self.retry.is_some();
            if self.vain >= ATTEMPTS {
                return Err(format!("broke its answer off {ATTEMPTS} times and did not go on"));
            }
            let usual = PAUSE * 2u32.pow(self.vain);
            sleep(self.retry.unwrap_or(usual).min(LONGEST)).await;
            let response = match talk.endpoint.get(mark::listening(&session.stamp(), Some(&last))).await {
                Ok(response) => response,
                Err(failure) if self.vain + 1 >= ATTEMPTS => {
                    return Err(format!("broke its answer off and cannot be reached: {}", failure.why));
                }
                Err(_) => {
                    self.vain += 1;
                    continue;
                }
            };
            talk.reached();
            match Reply::of(response, talk.endpoint.limits.message_bytes).await {
                Reply::Messages(messages) if messages.are_events() => {
                    // A server that says when to come back may have nothing yet: the call's own time limit ends that.
                    self.vain += u32::from(!polled);
                    return Ok(Some(messages));
                }
                Reply::Refused(refusal) if refusal.may_pass() => self.vain += 1,
                Reply::Refused(refusal) => {
                    return Err(format!("broke its answer off, and then {}", refusal.text()));
                }
                Reply::Messages(_) | Reply::Nothing(_) | Reply::Strange(_) => {
                    return Err("broke its answer off, and does not let it be resumed".into());
                }
            }
        }
    }
}
