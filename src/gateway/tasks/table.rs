//! The tasks that servers run for callers: the gateway's id → whose it is, which server has it under which id.
//!
//! Servers choose their own ids, and two of them may choose the same; so clients get ids of ours, unguessable and bound
//! to the caller. It asks no server; what is known of a task is what went through here.

use crate::auth::caller::Caller;
use crate::catalog::route::Route;
use crate::downstream::private::Key;
use crate::name::ServerName;
use crate::protocol::version::Era;
use crate::secret::hex::random;
use crate::wire::pending::Owner;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;

/// Tasks remembered for one caller; beyond, the oldest is forgotten.
pub const MOST_PER_CALLER: usize = 1_000;
/// A task is remembered this much longer than it lives: the server is the one who says that it is over.
const GRACE: Duration = Duration::from_secs(60);
/// No life is longer than this, whatever a server says.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Who may see a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The identity.
    pub caller: Caller,
    /// The session it was begun in. Others of the same caller may use it when they know the id.
    pub session: Owner,
}

/// One task.
#[derive(Debug, Clone)]
pub struct Task {
    /// The id that clients know.
    pub id: Box<str>,
    /// The id that its server knows.
    pub own_id: Box<str>,
    /// The tool that runs as this task.
    pub route: Route,
    /// The connection it runs on, when that is not shared.
    pub on: Option<Key>,
    /// Whose it is.
    pub holder: Holder,
    /// The era of the server and of the client.
    pub era: Era,
    /// When it is forgotten; `None` for a task that lives until it is told otherwise.
    pub expires: Option<Instant>,
    /// What was last heard of it (legacy only): the task object as JSON text, with our id.
    pub seen: Option<Box<str>>,
}

/// All tasks of all callers.
#[derive(Debug, Default)]
pub struct TaskTable(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    by_id: HashMap<Box<str>, Task>,
    by_own: HashMap<(ServerName, Box<str>), Vec<Box<str>>>,
    /// Ids in the order they were given.
    by_caller: HashMap<Caller, VecDeque<Box<str>>>,
}

impl TaskTable {
    /// Remembers a new task; the id for its client. `None` when the system gives no random numbers.
    pub fn add(
        &self,
        holder: Holder,
        era: Era,
        route: Route,
        own_id: &str,
        on: Option<&Key>,
    ) -> Option<Box<str>> {
        let id = new_id()?;
        let mut inner = self.lock();
        inner.forget_old(&holder.caller);
        inner.by_caller.entry(holder.caller.clone()).or_default().push_back(id.clone());
        inner.by_own.entry((route.server.clone(), own_id.into())).or_default().push(id.clone());
        let (own_id, on) = (own_id.into(), on.cloned());
        let task = Task { id: id.clone(), own_id, route, on, holder, era, expires: None, seen: None };
        inner.by_id.insert(id.clone(), task);
        Some(id)
    }

    /// The task that `caller` of `era` knows as `id`. Somebody else's is like one that does not exist.
    #[must_use]
    pub fn find(&self, id: &str, caller: &Caller, era: Era) -> Option<Task> {
        let inner = self.lock();
        let task = inner.by_id.get(id)?;
        (task.holder.caller == *caller && task.era == era && !task.is_over()).then(|| task.clone())
    }

    /// The task that `server` knows as `own_id` on the connection `on`; `None` is the one that all share.
    #[must_use]
    pub fn of_server(&self, server: &ServerName, own_id: &str, on: Option<&Key>) -> Option<Task> {
        let inner = self.lock();
        let ids = inner.by_own.get(&(server.clone(), own_id.into()))?;
        let tasks = ids.iter().filter_map(|id| inner.by_id.get(id));
        tasks.filter(|task| !task.is_over()).find(|task| task.on.as_ref() == on).cloned()
    }

    /// Notes what a server said of the task `id`: how long it lives from now on, and itself.
    pub fn note(&self, id: &str, life: Option<Duration>, seen: Option<&str>) {
        if let Some(task) = self.lock().by_id.get_mut(id) {
            task.expires = life.map(|life| Instant::now() + life.min(LONGEST) + GRACE);
            task.seen = seen.map(Into::into).or(task.seen.take());
        }
    }

    /// The tasks that `holder` may list, oldest first: those of its session, and of the other sessions of a caller that
    /// showed who it is.
    #[must_use]
    pub fn of_holder(&self, holder: &Holder, era: Era) -> Vec<Task> {
        let inner = self.lock();
        let ids = inner.by_caller.get(&holder.caller);
        let tasks = ids.into_iter().flatten().filter_map(|id| inner.by_id.get(id));
        let named = !holder.caller.is_anonymous();
        tasks
            .filter(|task| task.era == era && !task.is_over())
            .filter(|task| named || task.holder.session == holder.session)
            .cloned()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    fn is_over(&self) -> bool {
        self.expires.is_some_and(|end| end <= Instant::now())
    }
}

impl Inner {
    /// Makes room for one more task of `caller`.
    fn forget_old(&mut self, caller: &Caller) {
        let Some(ids) = self.by_caller.get_mut(caller) else { return };
        let by_id = &self.by_id;
        let mut excess = (ids.len() + 1).saturating_sub(MOST_PER_CALLER);
        let (mut gone, mut kept) = (Vec::new(), VecDeque::with_capacity(ids.len()));
        for id in ids.drain(..) {
            if by_id.get(&id).is_none_or(Task::is_over) {
                excess = excess.saturating_sub(1);
                gone.push(id);
            } else {
                kept.push_back(id);
            }
        }
        gone.extend(kept.drain(..excess.min(kept.len())));
        *ids = kept;
        for id in gone {
            self.forget(&id);
        }
    }

    fn forget(&mut self, id: &str) {
        let Some(task) = self.by_id.remove(id) else { return };
        let key = (task.route.server, task.own_id);
        if let Some(ids) = self.by_own.get_mut(&key) {
            ids.retain(|other| **other != *id);
            if ids.is_empty() {
                self.by_own.remove(&key);
            }
        }
    }
}

/// 128 random bits, in hexadecimal.
fn new_id() -> Option<Box<str>> {
    Some(format!("task-{}", random::<16>()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::downstream::private::Who;

    fn holder(name: &str, session: Owner) -> Holder {
        Holder { caller: Caller::Named(name.into()), session }
    }

    fn route(server: &str) -> Route {
        Route { server: ServerName::new(server).unwrap(), own_name: "build".into() }
    }

    #[tokio::test(start_paused = true)]
    async fn an_id_is_good_for_its_caller_and_as_long_as_the_task_lives() {
        let table = TaskTable::default();
        let first = table.add(holder("x", 1), Era::Modern, route("a"), "t", None).unwrap();
        let second = table.add(holder("x", 1), Era::Modern, route("b"), "t", None).unwrap();
        assert_ne!(first, second, "own ids of two servers may be equal");
        let find = |id: &str, name: &str, era| table.find(id, &Caller::Named(name.into()), era);
        assert_eq!(find(&first, "x", Era::Modern).unwrap().route, route("a"));
        assert!(find(&first, "y", Era::Modern).is_none() && find(&first, "x", Era::Legacy).is_none());
        assert!(find("t", "x", Era::Modern).is_none(), "the server's own id means nothing here");
        table.note(&first, Some(Duration::from_secs(5)), None);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(find(&first, "x", Era::Modern).is_some(), "the server decides when it is over");
        tokio::time::advance(GRACE).await;
        assert!(find(&first, "x", Era::Modern).is_none() && find(&second, "x", Era::Modern).is_some());
    }

    #[tokio::test]
    async fn a_caller_has_a_bounded_number_of_tasks() {
        let table = TaskTable::default();
        let other = table.add(holder("y", 2), Era::Legacy, route("a"), "other", None).unwrap();
        for n in 0..MOST_PER_CALLER + 5 {
            table.add(holder("x", 1), Era::Legacy, route("a"), &n.to_string(), None).unwrap();
        }
        let left = table.of_holder(&holder("x", 1), Era::Legacy);
        assert_eq!((left.len(), &*left[0].own_id), (MOST_PER_CALLER, "5"));
        assert!(table.of_server(&route("a").server, "4", None).is_none());
        assert!(table.find(&other, &Caller::Named("y".into()), Era::Legacy).is_some());
    }

    #[tokio::test]
    async fn what_two_connections_of_a_server_say_is_told_apart() {
        let table = TaskTable::default();
        let key = |session| Key { who: Who::Session(session), capabilities: "{}".into(), personal: None };
        for session in [1, 2] {
            table.add(holder("x", session), Era::Legacy, route("a"), "t", Some(&key(session))).unwrap();
        }
        let of = |on: Option<Key>| table.of_server(&route("a").server, "t", on.as_ref());
        assert_eq!(of(Some(key(2))).unwrap().holder.session, 2);
        assert!(of(Some(key(3))).is_none() && of(None).is_none());
        let anonymous = |session| Holder { caller: Caller::Anonymous, session };
        table.add(anonymous(5), Era::Legacy, route("a"), "u", None).unwrap();
        assert!(table.of_holder(&anonymous(6), Era::Legacy).is_empty(), "nobody knows who they are");
    }
}
