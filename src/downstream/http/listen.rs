//! The stream on which a legacy server says what belongs to no request.
//!
//! It is opened again when it drops, more and more slowly, and given up when the server does not want it. What is said
//! on it is taken in by `talk.rs`.

use crate::downstream::http::mark;
use crate::downstream::http::reply::Messages;
use crate::downstream::http::reply::Reply;
use crate::downstream::http::session::Session;
use crate::downstream::http::session::Stamp;
use crate::downstream::http::talk::Talk;
use crate::downstream::link::Link;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;
use tokio::time::Instant;

/// A stream that lived this long was worth opening.
const WORTH: Duration = Duration::from_secs(10);
/// So many streams in a row that were not worth it, and no more are opened.
const ATTEMPTS: u32 = 6;
/// Longest wait before the next attempt.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How a stream ended.
enum End {
    /// The server has no such stream, or the connection ended.
    Unwanted,
    /// It knows the session no more.
    SessionLost,
    /// It was there and dropped; `true` when it was worth opening.
    Dropped(bool),
    /// It did not come about.
    Failed,
}

/// Listens until the server does not want it, or the connection ends.
pub async fn listen(talk: Arc<Talk>, link: Weak<dyn Link>) {
    let Some(session) = &talk.session else { return };
    let (mut vain, mut last) = (0u32, None);
    let mut asked_for = None;
    while talk.ended.borrow().is_none() {
        let stamp = session.stamp();
        let end = tokio::select! {
            end = follow(&talk, &link, &stamp, &mut last, &mut asked_for) => end,
            () = session.replaced(stamp.generation) => End::Dropped(true),
        };
        match end {
            End::Unwanted => return,
            End::SessionLost => {
                if !renewed(&talk, &link, session, stamp.generation).await {
                    return;
                }
                (vain, last) = (0, None);
                continue;
            }
            End::Dropped(true) => vain = 0,
            End::Dropped(false) | End::Failed => vain += 1,
        }
        if session.stamp().generation != stamp.generation {
            (vain, last) = (0, None);
            continue;
        }
        if vain >= ATTEMPTS {
            tracing::debug!(server = %talk.endpoint.server, "its stream drops again and again, and is given up");
            return;
        }
        let usual = Duration::from_secs(1) * 2u32.pow(vain.saturating_sub(1));
        let pause = asked_for.filter(|_| vain == 0).unwrap_or(usual);
        tokio::time::sleep(LONGEST_WAIT.min(pause)).await;
    }
}

async fn renewed(talk: &Talk, link: &Weak<dyn Link>, session: &Session, seen: u64) -> bool {
    match link.upgrade() {
        Some(link) => talk.renew(&link, session, seen).await.is_ok(),
        None => false,
    }
}

async fn follow(
    talk: &Talk,
    link: &Weak<dyn Link>,
    stamp: &Stamp,
    last: &mut Option<String>,
    asked_for: &mut Option<Duration>,
) -> End {
    let response = match talk.endpoint.get(mark::listening(stamp, last.as_deref())).await {
        Ok(response) => response,
        Err(failure) => {
            talk.failed(&failure);
            return End::Failed;
        }
    };
    talk.reached();
    match Reply::of(response, talk.endpoint.limits.message_bytes).await {
        Reply::Messages(mut messages) if messages.are_events() => {
            let end = read(talk, link, &mut messages, last).await;
            // Also that of an event without a message, with which a server begins that lets go soon (2025-11-25).
            *last = messages.last_id().map(str::to_owned).or(last.take());
            *asked_for = messages.retry();
            end
        }
        Reply::Messages(_) | Reply::Strange(_) | Reply::Nothing(_) => End::Unwanted,
        Reply::Refused(mut refusal) => {
            let lost = stamp.id.is_some() && refusal.ends_session(0, talk.endpoint.limits.depth);
            match lost {
                true => End::SessionLost,
                false if refusal.may_pass() => End::Failed,
                false => End::Unwanted,
            }
        }
    }
}

async fn read(talk: &Talk, link: &Weak<dyn Link>, messages: &mut Messages, last: &mut Option<String>) -> End {
    let opened = Instant::now();
    let mut heard = false;
    while let Ok(Some(mut text)) = messages.next().await {
        if let Some(id) = messages.last_id() {
            *last = Some(id.to_owned());
        }
        let Some(link) = link.upgrade() else { return End::Unwanted };
        talk.hear(&link, None, &mut text);
        heard = true;
    }
    End::Dropped(heard || messages.retry().is_some() || opened.elapsed() >= WORTH)
}
