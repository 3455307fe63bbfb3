//! `subscriptions/listen`: a modern client's open request that is told when lists or resources change.
//!
//! Source: 2026-07-28, `basic/patterns/subscriptions`. Every message carries the id of the request. Who wants which
//! resource is kept in `updates.rs`.

use crate::auth::caller::Caller;
use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::permission;
use crate::gateway::reply::Failure;
use crate::gateway::session::Session;
use crate::gateway::snapshot::Generations;
use crate::gateway::snapshot::Snapshot;
use crate::gateway::tasks::followed;
use crate::gateway::tasks::table::Task;
use crate::gateway::updates::Place;
use crate::gateway::updates::Subscriber;
use crate::gateway::updates::permitted;
use crate::gateway::updates::tagged;
use crate::gateway::updates::word;
use crate::name::ServerName;
use crate::wire::members::Members;
use crate::wire::pending::Owner;
use std::sync::Arc;
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
pub struct Subscribers(Mutex<Vec<Open>>);

#[derive(Debug)]
struct Open {
    exchange: Exchange,
    wants: [bool; 3],
    seen: Generations,
    /// Nothing is told before the acknowledgement.
    acknowledged: bool,
    /// The tasks it hears of.
    tasks: Vec<Task>,
}

/// Acknowledges the request and keeps it open; when it wants resources, their servers say a word first.
pub(super) fn open(core: &Arc<Core>, snapshot: &Snapshot, incoming: &Incoming<'_>, exchange: Exchange) {
    let limit = snapshot.config.settings.limits.subscriptions_per_client;
    let found = filter(incoming).and_then(|filter| {
        let tasks = followed::wanted(snapshot, incoming, &exchange, &filter, limit)?;
        Ok((wanted(incoming, &filter)?, tasks))
    });
    let ((wants, uris), tasks) = match found {
        Ok(found) => found,
        Err(failure) => return exchange.fail(&failure),
    };
    let (key, id) = (exchange.session().key(), Box::<str>::from(exchange.id()));
    let who = Subscriber::Listen(key, id.clone());
    let mut asked = Vec::new();
    for uri in uris {
        let owner = permission::owner_of_uri(snapshot, exchange.session().caller(), &uri);
        let Ok(server) = owner else { continue };
        let Ok(Ok(handle)) = permitted(snapshot, incoming, &exchange, server, &uri) else { continue };
        if core.registry.add(&Place::of(&handle), &uri, &who, limit) {
            handle.want_updates(&uri);
            asked.push((handle, uri));
        }
    }
    let seen = snapshot.generations_of(exchange.session().caller());
    core.subscribers.keep(exchange, wants, seen, tasks.clone());
    if asked.is_empty() && tasks.is_empty() {
        return core.subscribers.acknowledge(key, &id, &[], &[], snapshot);
    }
    let tasks =
        tasks.into_iter().filter_map(|task| Some((snapshot.server(&task.route.server)?.clone(), task)));
    let tasks: Vec<_> = tasks.collect();
    let core = Arc::clone(core);
    core.clone().tasks.spawn(async move {
        let words = asked.into_iter().map(async |(handle, uri)| (word(&handle, &uri).await, handle, uri));
        let mut honoured = Vec::new();
        for (word, handle, uri) in futures_util::future::join_all(words).await {
            match word {
                Ok(()) => honoured.push(uri),
                Err(why) => {
                    let (server, place) = (&handle.server().name, Place::of(&handle));
                    tracing::info!(%server, uri, why, "a subscription is not honoured");
                    core.unsubscribe(|at, of, one| *at == place && *of == *uri && *one == who);
                }
            }
        }
        let words = tasks
            .iter()
            .map(async |(handle, task)| followed::follow(handle, task).await.then_some(&*task.id));
        let tasks: Vec<&str> = futures_util::future::join_all(words).await.into_iter().flatten().collect();
        core.subscribers.acknowledge(key, &id, &honoured, &tasks, &core.current());
    });
}

impl Subscribers {
    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn keep(&self, exchange: Exchange, wants: [bool; 3], seen: Generations, tasks: Vec<Task>) {
        self.lock().push(Open { exchange, wants, seen, acknowledged: false, tasks });
    }

    /// How many of this session are open.
    pub(super) fn count_of(&self, session: &Session) -> usize {
        self.lock().iter().filter(|one| one.exchange.session().key() == session.key()).count()
    }

    /// The server's ids of the tasks of `server` that somebody listens to.
    pub(super) fn tasks_of(&self, server: &ServerName) -> Vec<Box<str>> {
        let open = self.lock();
        let tasks = open.iter().flat_map(|one| &one.tasks).filter(|task| task.route.server == *server);
        tasks.map(|task| task.own_id.clone()).collect()
    }

    /// Tells whoever listens to this task; `shown` makes the params for each.
    pub(super) fn tell_task(
        &self,
        server: &ServerName,
        own_id: &str,
        method: &str,
        permitted: impl Fn(&Task) -> bool,
        mut shown: impl FnMut(&Task) -> String,
    ) {
        for one in self.lock().iter().filter(|one| one.acknowledged) {
            let its = |task: &&Task| task.route.server == *server && *task.own_id == *own_id;
            if let Some(task) = one.tasks.iter().find(its).filter(|task| permitted(task))
                && let Ok(members) = Members::parse_with_duplicates(&shown(task))
            {
                one.exchange.notify(method, Some(&tagged(&members, Some(one.exchange.id()))));
            }
        }
    }

    /// Of `gone`, those that nobody else listens to.
    fn unheard(&self, gone: Vec<Task>) -> Vec<Task> {
        let open = self.lock();
        let same = |a: &Task, b: &Task| a.route.server == b.route.server && a.own_id == b.own_id;
        let heard = |task: &Task| open.iter().flat_map(|one| &one.tasks).any(|other| same(task, other));
        gone.into_iter().filter(|task| !heard(task)).collect()
    }

    /// Tells the client of the request `id` (JSON text) what it will hear of, unless it is gone, and what changed since it
    /// asked.
    fn acknowledge(&self, session: Owner, id: &str, uris: &[String], tasks: &[&str], now: &Snapshot) {
        let mut open = self.lock();
        let Some(subscriber) = open.iter_mut().find(|one| one.is(session, id)) else { return };
        subscriber.acknowledged = true;
        let honoured = KINDS.iter().zip(subscriber.wants).filter(|(_, wanted)| *wanted);
        let mut honoured: Vec<String> = honoured.map(|((key, _), _)| format!("\"{key}\":true")).collect();
        if !uris.is_empty() {
            let uris = serde_json::to_string(uris).unwrap_or_default();
            honoured.push(format!("\"resourceSubscriptions\":{uris}"));
        }
        if !tasks.is_empty() {
            let tasks = serde_json::to_string(tasks).unwrap_or_default();
            honoured.push(format!("\"taskIds\":{tasks}"));
        }
        let exchange = &subscriber.exchange;
        let params = format!(r#"{{{},"notifications":{{{}}}}}"#, tag(exchange), honoured.join(","));
        exchange.notify("notifications/subscriptions/acknowledged", Some(&params));
        let now = now.generations_of(subscriber.exchange.session().caller());
        subscriber.tell(now);
    }

    /// Tells one open request of a changed resource, if `permitted` says so of its caller.
    pub(super) fn tell_update(
        &self,
        session: Owner,
        id: &str,
        params: &str,
        permitted: impl Fn(&Caller) -> bool,
    ) {
        let open = self.lock();
        let one = open.iter().find(|one| one.acknowledged && one.is(session, id));
        if let Some(one) = one.filter(|one| permitted(one.exchange.session().caller())) {
            one.exchange.notify("notifications/resources/updated", Some(params));
        }
    }

    /// Tells everybody what changed since they were told last.
    pub(super) fn tell(&self, now: &Snapshot) {
        for one in self.lock().iter_mut().filter(|one| one.acknowledged) {
            one.tell(now.generations_of(one.exchange.session().caller()));
        }
    }

    /// The client no longer wants the request `id`: what it listened to that nobody else does. `None` when there is none.
    pub(super) fn cancel(&self, session: &Session, id: &str) -> Option<Vec<Task>> {
        let mut open = self.lock();
        let at = open.iter().position(|one| one.is(session.key(), id))?;
        let found = open.swap_remove(at);
        drop(open);
        found.exchange.forget();
        Some(self.unheard(found.tasks))
    }

    /// Ends the requests of `session`, or of everybody, with the result that says so. What nobody listens to any more.
    pub(super) fn end(&self, session: Option<&Session>) -> Vec<Task> {
        let mut open = self.lock();
        let all = std::mem::take(&mut *open);
        let theirs = |one: &Open| session.is_none_or(|session| one.exchange.session().key() == session.key());
        let (ended, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(theirs);
        *open = kept;
        drop(open);
        let mut gone = Vec::new();
        for subscriber in ended {
            let result = format!(r#"{{"resultType":"complete",{}}}"#, tag(&subscriber.exchange));
            subscriber.exchange.result(result.as_bytes());
            gone.extend(subscriber.tasks);
        }
        self.unheard(gone)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The member that every message of a subscription carries.
fn tag(exchange: &Exchange) -> String {
    format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{}}}"#, exchange.id())
}

impl Open {
    /// Tells what it wants to hear of and has not.
    fn tell(&mut self, now: Generations) {
        let before = std::mem::replace(&mut self.seen, now);
        let params = format!("{{{}}}", tag(&self.exchange));
        let changed = before.differs(now).into_iter().zip(self.wants).zip(KINDS);
        for ((_, _), (_, method)) in changed.filter(|((changed, wanted), _)| *changed && *wanted) {
            self.exchange.notify(method, Some(&params));
        }
    }

    fn is(&self, session: Owner, id: &str) -> bool {
        self.exchange.session().key() == session && self.exchange.id() == id
    }
}

/// What is asked for.
fn filter<'a>(incoming: &Incoming<'a>) -> Result<Members<'a>, Failure> {
    let bad = |why: &str| Failure::bad_params(incoming.method, format!("`notifications` {why}"));
    let raw = incoming.params.get("notifications").ok_or_else(|| bad("is missing"))?;
    Members::parse(raw.get()).map_err(|_| bad("is not an object"))
}

fn wanted(incoming: &Incoming<'_>, filter: &Members<'_>) -> Result<([bool; 3], Vec<String>), Failure> {
    let uris = filter.get("resourceSubscriptions").map(|raw| serde_json::from_str(raw.get()));
    let uris: Vec<String> = match uris {
        None => Vec::new(),
        Some(uris) => uris.map_err(|_| {
            let why = "`notifications` has `resourceSubscriptions` that is no list of texts";
            Failure::bad_params(incoming.method, why)
        })?,
    };
    Ok((KINDS.map(|(key, _)| filter.get(key).is_some_and(|raw| raw.get() == "true")), uris))
}
