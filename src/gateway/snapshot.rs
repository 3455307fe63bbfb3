//! Everything one request needs, frozen: the configuration, the servers, the merged catalog, the policy.
//!
//! A request takes the current snapshot once and keeps it; a reload publishes the next one beside it.

use crate::auth::caller::Caller;
use crate::catalog::Catalog;
use crate::catalog::lists::ListKind;
use crate::config::model::Config;
use crate::downstream::handle::ServerHandle;
use crate::downstream::private::Key;
use crate::gateway::audit::Audit;
use crate::gateway::parking::Parking;
use crate::gateway::rates::Meter;
use crate::gateway::sight::Sight;
use crate::gateway::sight::Sights;
use crate::gateway::tasks::table::TaskTable;
use crate::name::ServerName;
use crate::policy::Policy;
use crate::policy::Present;
use indexmap::IndexMap;
use std::sync::Arc;

/// A number for each kind of list, which changes with it; sessions remember what they saw last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Generations {
    /// `tools/list`
    pub tools: u64,
    /// `prompts/list`
    pub prompts: u64,
    /// `resources/list` and `resources/templates/list`
    pub resources: u64,
}

impl Generations {
    /// From the numbers of the four lists.
    #[must_use]
    pub fn of([tools, prompts, resources, templates]: [u64; 4]) -> Self {
        Self { tools, prompts, resources: resources.rotate_left(1) ^ templates }
    }

    /// Which of tools, prompts and resources have changed between this and `now`.
    #[must_use]
    pub fn differs(self, now: Self) -> [bool; 3] {
        [self.tools != now.tools, self.prompts != now.prompts, self.resources != now.resources]
    }

    /// The number of one list; resources and templates share one, as they share a notification.
    pub fn of_mut(&mut self, kind: ListKind) -> &mut u64 {
        match kind {
            ListKind::Tools => &mut self.tools,
            ListKind::Prompts => &mut self.prompts,
            ListKind::Resources | ListKind::Templates => &mut self.resources,
        }
    }
}

/// One frozen state of the gateway.
#[derive(Debug)]
pub struct Snapshot {
    /// The configuration it was made from.
    pub config: Arc<Config>,
    /// Its servers, in the order of the file.
    pub servers: IndexMap<ServerName, ServerHandle>,
    /// Their lists as one.
    pub catalog: Arc<Catalog>,
    /// Who may do what.
    pub policy: Policy,
    /// What callers see, when there are rules.
    pub sights: Sights,
    /// The policy that holds now: the same in every snapshot.
    pub present: Arc<Present>,
    /// Counts calls, when there are rates; the same in every snapshot.
    pub meter: Option<Arc<Meter>>,
    /// What waits for a client to come back.
    pub parking: Arc<Parking>,
    /// Of the lists as a whole.
    pub generations: Generations,
    /// Where calls are written down.
    pub audit: Option<Arc<Audit>>,
    /// Tasks of all callers: the same in every snapshot.
    pub tasks: Arc<TaskTable>,
}

impl Snapshot {
    /// The server `name`; every route of the catalog leads to one of this snapshot.
    #[must_use]
    pub fn server(&self, name: &ServerName) -> Option<&ServerHandle> {
        self.servers.get(name)
    }

    /// Runs `then` with what `caller` sees; with nothing when there are no rules, so that everybody sees everything.
    pub(super) fn sight<T>(&self, caller: &Caller, then: impl FnOnce(Option<&Sight>) -> T) -> T {
        match self.policy.access() {
            None => then(None),
            Some(access) => self.sights.with(self, access, caller, |sight| then(Some(sight))),
        }
    }

    /// The numbers of the lists as `caller` sees them.
    #[must_use]
    pub fn generations_of(&self, caller: &Caller) -> Generations {
        self.sight(caller, |sight| sight.map_or(self.generations, Sight::generations))
    }

    /// Whether views of MCP Apps would work for `caller`: what it does not see is in nobody's way.
    #[must_use]
    pub fn apps_are_clear(&self, caller: &Caller) -> bool {
        self.catalog.apps().are_clear() || self.sight(caller, |sight| sight.is_some_and(Sight::apps))
    }

    /// A connection of the server `name`, if there is one: the one that all share, or that of `whose`.
    #[must_use]
    pub fn connection(&self, name: &ServerName, whose: Option<&Key>) -> Option<ServerHandle> {
        let shared = self.server(name)?;
        whose.map_or_else(|| Some(shared.clone()), |key| shared.open(key))
    }
}
