//! `subscriptions/listen`: a modern client's open request that is told when lists change.
//!
//! Source: 2026-07-28, `basic/patterns/subscriptions`. Every message carries the id of the request. Updates of single
//! resources are not subscribed to here yet: the acknowledgement leaves them out, as the protocol allows.

use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::reply::Failure;
use crate::gateway::session::Session;
use crate::gateway::snapshot::Generations;
use crate::wire::members::Members;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// What can be asked for, and how it is told.
const KINDS: [(&str, &str); 3] = [
    ("toolsListChanged", "notifications/tools/list_changed"),
    ("promptsListChanged", "notifications/prompts/list_changed"),
    ("resourcesListChanged", "notifications/resources/list_changed"),
];

/// The open requests of all clients.
#[derive(Debug, Default)]
pub struct Subscribers(Mutex<Vec<Subscriber>>);

#[derive(Debug)]
struct Subscriber {
    exchange: Exchange,
    wants: [bool; 3],
    seen: Generations,
}

impl Subscribers {
    /// Acknowledges the request and keeps it open.
    pub(super) fn open(&self, incoming: &Incoming<'_>, exchange: Exchange, now: Generations) {
        let wants = match wanted(incoming) {
            Ok(wants) => wants,
            Err(failure) => return exchange.fail(&failure),
        };
        let honoured = KINDS.iter().zip(wants).filter(|(_, wanted)| *wanted);
        let honoured: Vec<String> = honoured.map(|((key, _), _)| format!("\"{key}\":true")).collect();
        let params = format!(r#"{{{},"notifications":{{{}}}}}"#, tag(&exchange), honoured.join(","));
        exchange.notify("notifications/subscriptions/acknowledged", Some(&params));
        self.lock().push(Subscriber { exchange, wants, seen: now });
    }

    /// Tells everybody what changed since they were told last.
    pub(super) fn tell(&self, now: Generations) {
        for subscriber in &mut *self.lock() {
            let before = std::mem::replace(&mut subscriber.seen, now);
            let params = format!("{{{}}}", tag(&subscriber.exchange));
            let changed = before.differs(now).into_iter().zip(subscriber.wants).zip(KINDS);
            for ((_, _), (_, method)) in changed.filter(|((changed, wanted), _)| *changed && *wanted) {
                subscriber.exchange.notify(method, Some(&params));
            }
        }
    }

    /// The client no longer wants the request `id`. `false` when there is none.
    pub(super) fn cancel(&self, session: &Session, id: &str) -> bool {
        let mut open = self.lock();
        let at = open
            .iter()
            .position(|one| one.exchange.session().key() == session.key() && one.exchange.id() == id);
        let found = at.map(|at| open.swap_remove(at));
        drop(open);
        found.map(|subscriber| subscriber.exchange.forget()).is_some()
    }

    /// Ends the requests of `session`, or of everybody, with the result that says so.
    pub(super) fn end(&self, session: Option<&Session>) {
        let mut open = self.lock();
        let all = std::mem::take(&mut *open);
        let theirs =
            |one: &Subscriber| session.is_none_or(|session| one.exchange.session().key() == session.key());
        let (ended, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(theirs);
        *open = kept;
        drop(open);
        for subscriber in ended {
            let result = format!(r#"{{"resultType":"complete",{}}}"#, tag(&subscriber.exchange));
            subscriber.exchange.result(result.as_bytes());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Subscriber>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The member that every message of a subscription carries.
fn tag(exchange: &Exchange) -> String {
    format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{}}}"#, exchange.id())
}

fn wanted(incoming: &Incoming<'_>) -> Result<[bool; 3], Failure> {
    let bad = |why: &str| Failure::bad_params(incoming.method, format!("`notifications` {why}"));
    let raw = incoming.params.get("notifications").ok_or_else(|| bad("is missing"))?;
    let filter = Members::parse(raw.get()).map_err(|_| bad("is not an object"))?;
    Ok(KINDS.map(|(key, _)| filter.get(key).is_some_and(|raw| raw.get() == "true")))
}
