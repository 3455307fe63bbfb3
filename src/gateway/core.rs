//! What a gateway owns: the current snapshot, the saved catalogs, its sessions. Servers are of its pool.
//!
//! It publishes and remembers; what a request means is `gateway.rs`, when the file is read again is `reload.rs`.

use crate::auth::caller::Caller;
use crate::catalog::Catalog;
use crate::catalog::lists::ServerLists;
use crate::catalog::lock::judge::judge;
use crate::catalog::lock::words::Detail;
use crate::catalog::merge::Part;
use crate::catalog::owners::Owners;
use crate::config::model::Config;
use crate::config::model::Server;
use crate::downstream::connect::Connect;
use crate::downstream::handle::ServerHandle;
use crate::downstream::surroundings::Surroundings;
use crate::downstream::updates::of_task;
use crate::downstream::usage::User;
use crate::gateway::lists;
use crate::gateway::load::Load;
use crate::gateway::login;
use crate::gateway::memory::Known;
use crate::gateway::memory::Memory;
use crate::gateway::own;
use crate::gateway::pool::Pool;
use crate::gateway::rates::in_flight_of;
use crate::gateway::session::Session;
use crate::gateway::sight::Sights;
use crate::gateway::snapshot::Generations;
use crate::gateway::snapshot::Snapshot;
use crate::gateway::standing::Standing;
use crate::gateway::subscribe::Subscribers;
use crate::gateway::updates::Registry;
use crate::name::ServerName;
use crate::policy::Policy;
use crate::telemetry::event;
use crate::wire::pending::Owner;
use crate::wire::tasks::Tasks;
use indexmap::IndexMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::watch;

/// A quiet time within which changes of lists become one notification.
const COALESCE: Duration = Duration::from_millis(300);

/// The inside of a gateway.
pub struct Core {
    pub(super) snapshot: watch::Sender<Arc<Snapshot>>,
    pub(super) around: Surroundings,
    pub(super) pool: Arc<Pool>,
    /// Its number in the pool.
    user: User,
    me: Weak<Self>,
    pub(super) tasks: Tasks,
    pub(super) memory: Option<Memory>,
    /// What it is called, when it is not the first of its pool.
    pub(super) label: Option<String>,
    sessions: Mutex<HashMap<Owner, Weak<Session>>>,
    /// One publication at a time.
    publishing: Mutex<()>,
    pub(super) subscribers: Subscribers,
    pub(super) registry: Registry,
    pub(super) standing: Standing,
    configured: AtomicBool,
    unsaved: Mutex<Vec<(Arc<Server>, Arc<ServerLists>)>>,
    dirty: Notify,
    changed: Notify,
}

impl Core {
    pub(super) fn new(
        me: &Weak<Self>,
        pool: Arc<Pool>,
        memory: Option<Memory>,
        label: Option<String>,
    ) -> Self {
        let snapshot = Snapshot {
            config: Arc::default(),
            servers: IndexMap::new(),
            catalog: Arc::new(Catalog::build(&[], &Config::default().settings, &Owners::default())),
            policy: Policy::default(),
            sights: Sights::default(),
            present: Arc::default(),
            meter: None,
            parking: Arc::default(),
            generations: Generations::default(),
            audit: None,
            tasks: Arc::default(),
        };
        Self {
            snapshot: watch::Sender::new(Arc::new(snapshot)),
            around: pool.around.clone(),
            user: pool.enter(me),
            me: Weak::clone(me),
            pool,
            tasks: Tasks::default(),
            memory,
            label,
            sessions: Mutex::default(),
            publishing: Mutex::default(),
            subscribers: Subscribers::default(),
            registry: Registry::default(),
            standing: Standing::default(),
            configured: AtomicBool::new(false),
            unsaved: Mutex::default(),
            dirty: Notify::new(),
            changed: Notify::new(),
        }
    }

    /// The current snapshot.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot> {
        self.snapshot.borrow().clone()
    }

    /// Makes its connections.
    #[must_use]
    pub fn connector(&self) -> &dyn Connect {
        &*self.around.connector
    }

    /// What it remembers of itself.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The server `name` of the current snapshot.
    pub(super) fn server(&self, name: &ServerName) -> Option<ServerHandle> {
        self.current().server(name).cloned()
    }

    /// The server of `entry`. One that is new begins with what is saved of its lists, or else with `provisional` ones.
    #[must_use]
    pub fn launch(&self, entry: Arc<Server>, provisional: Option<Arc<ServerLists>>) -> ServerHandle {
        self.pool.take(self.user, &self.me, entry, |entry| self.known(entry, provisional))
    }

    fn known(&self, entry: &Server, provisional: Option<Arc<ServerLists>>) -> Known {
        let (stored, saved_at) = self.memory.as_ref().map(|memory| memory.known(entry)).unwrap_or_default();
        // Whether the entry that was there before asked its client says nothing of this one.
        let provisional = provisional.map(|lists| match lists.asks {
            true => Arc::new(ServerLists { asks: false, ..(*lists).clone() }),
            false => lists,
        });
        (stored.or(provisional), saved_at)
    }

    /// The server is no longer needed here: calls in flight have `drain` to finish. `false` when it goes on for others.
    pub fn retire(&self, handle: &ServerHandle, drain: Duration) -> bool {
        let is_last = self.pool.give_back(self.user, handle);
        match is_last {
            true => handle.retire(drain),
            false => handle.let_go(self.sessions().iter().map(|session| session.key()), drain),
        }
        is_last
    }

    /// Ends the server `name`, which finishes its calls, and starts it anew. `false` when other gateways use it too.
    pub(super) fn restart(&self, name: &ServerName) -> bool {
        let _one_at_a_time = lock(&self.publishing);
        let current = self.current();
        let Some(old) = current.server(name).filter(|old| self.pool.users_of(old).len() <= 1) else {
            return false;
        };
        if self.retire(old, current.config.settings.drain_timeout) {
            self.standing.leaves(old.clone());
        }
        let new = self.launch(Arc::clone(old.server()), old.lists());
        let mut servers = current.servers.clone();
        servers.insert(name.clone(), new.clone());
        self.replace(Arc::clone(&current.config), servers);
        new.want();
        true
    }

    /// Makes `config` with `servers` the current snapshot, in one step. `true` for the first configuration ever.
    pub fn publish(&self, config: Arc<Config>, servers: IndexMap<ServerName, ServerHandle>) -> bool {
        let _one_at_a_time = lock(&self.publishing);
        self.replace(config, servers);
        !self.configured.swap(true, Ordering::Relaxed)
    }

    /// Merges the lists of the current servers anew.
    pub(super) fn rebuild(&self) {
        let _one_at_a_time = lock(&self.publishing);
        let current = self.current();
        self.replace(Arc::clone(&current.config), current.servers.clone());
    }

    fn replace(&self, config: Arc<Config>, servers: IndexMap<ServerName, ServerHandle>) {
        let before = self.current();
        let entries: Vec<_> =
            servers.values().map(|handle| (Arc::clone(handle.server()), handle.lists())).collect();
        let same_rules = Arc::ptr_eq(&config, &before.config);
        let policy = if same_rules { before.policy.clone() } else { Policy::new(&config.settings) };
        let parts = entries.iter().map(|(server, lists)| Part { server, lists: lists.clone() });
        let parts: Vec<_> = parts.chain(own::part(&policy)).collect();
        let remembered = self.owners(&before.catalog);
        let catalog = Catalog::after(&parts, &config.settings, &remembered, Some(&before.catalog));
        self.report(&before.catalog, &catalog);
        if let Some(memory) = self.memory.as_ref().filter(|_| *catalog.owners() != remembered) {
            memory.save_owners(catalog.owners());
        }
        let generations = Generations::of(catalog.prints(None));
        let no_rules = policy.is_open() && before.policy.is_open();
        let changed = generations != before.generations || !(same_rules || no_rules);
        let (tasks, parking) = (Arc::clone(&before.tasks), Arc::clone(&before.parking));
        let (sights, present) = (Sights::default(), Arc::clone(&before.present));
        present.set(policy.clone());
        let catalog = Arc::new(catalog);
        let audit = self.pool.audit(config.settings.audit.as_ref());
        let rates = &config.settings.rates;
        let meter = (!rates.is_empty()).then(|| Arc::clone(&self.pool.meter));
        if !same_rules {
            self.around.connector.keep_offers(&|asked| login::may(&policy, asked));
            let own = |caller: &Caller| in_flight_of(&rates.callers, caller);
            self.pool.loads.limit(own);
        }
        let next = Snapshot {
            config,
            servers,
            catalog,
            policy,
            sights,
            present,
            meter,
            parking,
            generations,
            audit,
            tasks,
        };
        let startable = next.servers.values().filter(|handle| !handle.server().pins.hold_all());
        for handle in startable {
            self.registry.ask(handle);
            let tasks = self.subscribers.tasks_of(&handle.server().name);
            tasks.iter().for_each(|task| handle.want_updates(&of_task(task)));
        }
        let next = Arc::new(next);
        self.standing.published(&next);
        self.snapshot.send_replace(next);
        if changed {
            self.changed.notify_one();
        }
    }

    fn owners(&self, before: &Catalog) -> Owners {
        let nothing = *before.owners() == Owners::default();
        let memory = self.memory.as_ref().filter(|_| nothing);
        let stored = memory.and_then(Memory::owners);
        stored.unwrap_or_else(|| before.owners().clone())
    }

    fn report(&self, before: &Catalog, now: &Catalog) {
        for collision in now.collisions().iter().filter(|new| !before.collisions().contains(new)) {
            let (kept, left_out) = (&collision.kept.server, &collision.left_out.server);
            event::collision(&self.around.metrics, &collision.name, kept, left_out);
        }
        let known: HashSet<_> =
            before.lock().alarming().map(|old| (&old.server, &old.subject, &old.words)).collect();
        for new in
            now.lock().alarming().filter(|new| !known.contains(&(&new.server, &new.subject, &new.words)))
        {
            event::not_as_locked(&self.around.metrics, &new.server, new);
        }
        for item in now.left_out().iter().filter(|new| !before.left_out().contains(new)) {
            tracing::warn!(server = %item.route.server, item = %item, "left out of the lists");
        }
    }

    /// A server's lists were read: they are saved, and merged after a quiet time.
    pub(super) fn note_lists(&self, server: &ServerName, lists: &Arc<ServerLists>) {
        if !lists.incomplete
            && let Some(handle) = self.current().server(server)
        {
            lock(&self.unsaved).push((Arc::clone(handle.server()), Arc::clone(lists)));
        }
        self.note_change();
    }

    /// What nobody approved is taken out of the lists before anything else happens.
    pub(super) fn hold_at_once(&self, server: &ServerName, lists: &ServerLists) {
        let current = self.current();
        let entry =
            current.server(server).map(ServerHandle::server).filter(|entry| entry.pins.are_enforced());
        if entry.is_some_and(|entry| judge(entry, Some(lists), Detail::Brief).holds_any()) {
            self.rebuild();
        }
    }

    /// Lists of a server may have changed.
    pub(super) fn note_change(&self) {
        self.dirty.notify_one();
    }

    /// Saves and merges lists as they come. Never ends.
    pub(super) async fn keep_catalog(self: Arc<Self>) {
        loop {
            self.dirty.notified().await;
            self.save();
            lists::wait_for_coming(&self.current()).await;
            self.rebuild();
        }
    }

    /// Tells clients about changed lists, many changes at once. Never ends.
    pub(super) async fn tell_changes(self: Arc<Self>) {
        loop {
            self.changed.notified().await;
            tokio::time::sleep(COALESCE).await;
            let current = self.current();
            self.subscribers.tell(&current);
            for session in self.sessions() {
                let [tools, prompts, resources] =
                    session.note_lists(current.generations_of(session.caller()));
                let methods = [
                    (tools, "notifications/tools/list_changed"),
                    (prompts, "notifications/prompts/list_changed"),
                    (resources, "notifications/resources/list_changed"),
                ];
                for (_, method) in methods.iter().filter(|(changed, _)| *changed) {
                    session.notify(method, None);
                }
            }
        }
    }

    /// Writes what was read since the last time.
    pub(super) fn save(&self) {
        let unsaved = std::mem::take(&mut *lock(&self.unsaved));
        if let Some(memory) = &self.memory {
            memory.save(unsaved);
        }
    }

    /// Removes saved catalogs that no entry of the file has used for a long time.
    pub fn tidy(&self) {
        if let Some(audit) = &self.current().audit {
            audit.flush();
        }
        if let Some(memory) = &self.memory {
            memory.tidy(self.current().servers.values().map(|handle| &**handle.server()));
        }
    }

    /// What a session of `caller` counts towards, and how many requests it may have at once.
    fn bounds(&self, current: &Snapshot, caller: &Caller) -> (usize, Arc<Load>) {
        let settings = &current.config.settings;
        let own = in_flight_of(&settings.rates.callers, caller);
        (settings.limits.in_flight_per_client, self.pool.loads.of(caller, own))
    }

    /// A session for one request, of which nobody else knows.
    pub(super) fn lone(&self, caller: Caller) -> Arc<Session> {
        let (limit, load) = self.bounds(&self.current(), &caller);
        Arc::new(Session::lone(caller, limit, load))
    }

    pub(super) fn register(&self, caller: Caller) -> Arc<Session> {
        let current = self.current();
        let (limit, load) = self.bounds(&current, &caller);
        let generations = current.generations_of(&caller);
        let session = Arc::new(Session::new(caller, limit, load));
        session.note_lists(generations);
        let mut sessions = lock(&self.sessions);
        sessions.retain(|_, session| session.strong_count() > 0);
        sessions.insert(session.key(), Arc::downgrade(&session));
        session
    }

    pub(super) fn forget(&self, session: &Session) {
        lock(&self.sessions).remove(&session.key());
    }

    /// The session with this number, if it has not ended. Sessions of single requests are not known here.
    pub(super) fn session(&self, key: Owner) -> Option<Arc<Session>> {
        lock(&self.sessions).get(&key).and_then(Weak::upgrade)
    }

    pub(super) fn sessions(&self) -> Vec<Arc<Session>> {
        lock(&self.sessions).values().filter_map(Weak::upgrade).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
