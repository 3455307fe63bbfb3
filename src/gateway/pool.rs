//! The servers of all gateways of a process: entries that resolve equally are started once and used together.
//!
//! A gateway alone has a pool of its own. Who hears a server is `notify.rs`; what a gateway shows of it is its snapshot.

use crate::config::diff::needs_restart;
use crate::config::model::Limits;
use crate::config::model::Server;
use crate::config::model::audit::AuditSettings;
use crate::downstream::connect::Connect;
use crate::downstream::connect::LinkLimits;
use crate::downstream::handle::ServerHandle;
use crate::downstream::surroundings::Surroundings;
use crate::downstream::survey::ListLimits;
use crate::downstream::task;
use crate::downstream::usage::User;
use crate::gateway::audit::Audit;
use crate::gateway::core::Core;
use crate::gateway::load::Loads;
use crate::gateway::memory::Known;
use crate::gateway::memory::Memory;
use crate::gateway::notify::Ears;
use crate::gateway::rates::Meter;
use crate::telemetry::metric::Metrics;
use crate::wire::tasks::Tasks;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use tokio::sync::Semaphore;

/// What a gateway needs besides its configuration.
pub struct Parts {
    /// Makes connections to servers.
    pub connector: Arc<dyn Connect>,
    /// Saved catalogs; `None` keeps them in memory only.
    pub memory: Option<Memory>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Bounds that hold for the life of the gateway.
    pub limits: Limits,
}

/// The servers of gateways that stand beside each other, and what bounds them together.
pub(super) struct Pool {
    pub(super) around: Surroundings,
    /// Requests in flight.
    pub(super) loads: Loads,
    /// Calls made.
    pub(super) meter: Arc<Meter>,
    /// The lives of the servers.
    tasks: Tasks,
    table: Mutex<Table>,
    audit: Mutex<Option<Arc<Audit>>>,
}

#[derive(Default)]
struct Table {
    running: Vec<Running>,
    gateways: Vec<Weak<Core>>,
    last_user: User,
}

/// A server that is not retired.
struct Running {
    handle: ServerHandle,
    ears: Arc<Ears>,
    users: Vec<User>,
}

impl Pool {
    /// A pool without servers; what is saved is each gateway's.
    pub(super) fn new(parts: Parts) -> (Self, Option<Memory>) {
        let Parts { connector, memory, metrics, limits } = parts;
        let around = Surroundings {
            connector,
            starts: Arc::new(Semaphore::new(limits.starts_at_once)),
            metrics: Arc::clone(&metrics),
            limits: LinkLimits {
                message_bytes: limits.message_bytes,
                depth: limits.depth,
                queue_bytes: limits.server_queue_bytes,
            },
            lists: ListLimits::of(&limits),
            private_connections: limits.private_connections,
        };
        let loads = Loads::new(limits.in_flight_total, limits.in_flight_per_caller, metrics);
        (
            Self {
                around,
                loads,
                meter: Arc::default(),
                tasks: Tasks::default(),
                table: Mutex::default(),
                audit: Mutex::default(),
            },
            memory,
        )
    }

    /// Where calls are written down: one log for all gateways, opened anew when the file says something else.
    pub(super) fn audit(&self, settings: Option<&AuditSettings>) -> Option<Arc<Audit>> {
        let mut kept = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = settings?;
        if kept.as_ref().is_none_or(|audit| audit.settings() != settings) {
            *kept = Some(Arc::new(Audit::open(settings.clone())));
        }
        kept.clone()
    }

    /// A number for one more gateway.
    pub(super) fn enter(&self, core: &Weak<Core>) -> User {
        let mut table = self.lock();
        table.gateways.retain(|other| other.strong_count() > 0);
        table.gateways.push(Weak::clone(core));
        table.last_user += 1;
        table.last_user
    }

    /// The other gateways, oldest first.
    pub(super) fn beside(&self, core: &Core) -> Vec<Arc<Core>> {
        let all = self.lock().gateways.iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
        all.into_iter().filter(|other| !std::ptr::eq(&**other, core)).collect()
    }

    /// The server of `entry` for the gateway `core`: one that runs for another gateway, or a new one of which `known` says
    /// what is known.
    pub(super) fn take(
        &self,
        user: User,
        core: &Weak<Core>,
        entry: Arc<Server>,
        known: impl FnOnce(&Server) -> Known,
    ) -> ServerHandle {
        let mut table = self.lock();
        if let Some(running) = table.running.iter_mut().find(|running| running.serves(&entry)) {
            running.ears.join(user, core);
            if !running.users.contains(&user) {
                running.users.push(user);
            }
            return running.handle.used_by(user, entry);
        }
        let (lists, listed) = known(&entry);
        let ears = Arc::new(Ears::of(user, core));
        let listener = Arc::clone(&ears);
        let handle = task::launch(user, entry, lists, &self.around, listener, &self.tasks);
        if let Some(when) = listed {
            handle.note_listed(when);
        }
        table.running.push(Running { handle: handle.clone(), ears, users: vec![user] });
        handle
    }

    /// `user` needs this server no longer. `true` when nobody does, so that it is to be stopped.
    pub(super) fn give_back(&self, user: User, handle: &ServerHandle) -> bool {
        let mut table = self.lock();
        let Some(at) = table.running.iter().position(|running| running.handle.is_same(handle)) else {
            return true;
        };
        table.running[at].users.retain(|other| *other != user);
        let is_last = table.running[at].users.is_empty();
        if is_last {
            table.running.swap_remove(at);
        }
        is_last
    }

    /// The gateways that use this server.
    pub(super) fn users_of(&self, handle: &ServerHandle) -> Vec<Arc<Core>> {
        let table = self.lock();
        let found = table.running.iter().find(|running| running.handle.is_same(handle));
        let ears = found.map(|running| Arc::clone(&running.ears));
        drop(table);
        ears.map(|ears| ears.users(&handle.server().name)).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// True when what runs can serve `entry`: only names, filters or times may differ.
    fn serves(&self, entry: &Server) -> bool {
        let own = self.handle.server();
        own.name == entry.name && !needs_restart(own, entry)
    }
}
