//! What one caller sees of a snapshot, when there are rules: which items, its first pages, its instructions.
//!
//! It is made when the caller first asks and kept with the snapshot; the rules themselves are `policy`.

use crate::auth::caller::Caller;
use crate::catalog::Catalog;
use crate::catalog::instructions;
use crate::catalog::instructions::Line;
use crate::catalog::lists::ListKind;
use crate::catalog::render::CursorError;
use crate::catalog::shown::Shown;
use crate::config::model::access::ObjectKind;
use crate::gateway::snapshot::Generations;
use crate::gateway::snapshot::Snapshot;
use crate::name::ServerName;
use crate::policy::access::Access;
use crate::policy::access::MOST_RIGHTS;
use crate::policy::access::RightsKey;
use crate::policy::lately::Lately;
use crate::policy::object::Object;
use crate::protocol::version::Era;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;

/// What is seen with the rights that were asked about last; callers with the same rights see the same.
#[derive(Debug)]
pub struct Sights(Lately<RightsKey, Arc<OnceLock<Sight>>>);

impl Default for Sights {
    fn default() -> Self {
        Self(Lately::new(MOST_RIGHTS))
    }
}

/// A page, with the page size it was made for.
type Page = (usize, Arc<[u8]>);

/// What one caller sees.
#[derive(Debug)]
pub struct Sight {
    shown: Shown,
    generations: Generations,
    instructions: String,
    /// Whether views of MCP Apps would work with what is seen.
    apps: bool,
    /// First pages, by kind and era.
    pages: [[OnceLock<Page>; 2]; 4],
}

impl Sights {
    /// Runs `then` with what `caller` sees of `snapshot`, whose these are, by the rules of `access`.
    pub(super) fn with<T>(
        &self,
        snapshot: &Snapshot,
        access: &Access,
        caller: &Caller,
        then: impl FnOnce(&Sight) -> T,
    ) -> T {
        // Making one takes a while with many tools: those with other rights do not wait for it.
        let sight = self.0.get(&access.rights_of(caller).key(), Arc::default);
        then(sight.get_or_init(|| Sight::new(snapshot, caller)))
    }
}

impl Sight {
    fn new(snapshot: &Snapshot, caller: &Caller) -> Self {
        let policy = &snapshot.policy;
        let shows = |kind: ListKind, server: &ServerName, name: &str| {
            policy.shows(caller, &Object { kind: kind_of(kind), server: server.as_str(), name })
        };
        let may_show = |server: &ServerName| policy.may_show(caller, server.as_str());
        let shown = snapshot.catalog.shown(shows, may_show);
        let generations = Generations::of(snapshot.catalog.prints(Some(&shown)));
        let instructions = instructions_of(snapshot, &shown, may_show);
        let tools = shown.of(ListKind::Tools);
        let views = |server: &ServerName, uri: &str| shows(ListKind::Resources, server, uri);
        let apps = snapshot.catalog.apps().are_clear_among(|at| tools[at], views);
        Self { shown, generations, instructions, apps, pages: Default::default() }
    }

    /// Numbers that change with what this caller sees.
    pub(super) fn generations(&self) -> Generations {
        self.generations
    }

    /// The merged instructions without servers of which nothing is seen.
    pub(super) fn instructions(&self) -> &str {
        &self.instructions
    }

    /// Whether views of MCP Apps would work with what this caller sees.
    pub(super) fn apps(&self) -> bool {
        self.apps
    }

    /// The result of a list request: first filtered, then cut into pages.
    pub(super) fn list_result(
        &self,
        catalog: &Catalog,
        kind: ListKind,
        era: Era,
        cursor: Option<&str>,
        page_size: usize,
    ) -> Result<Arc<[u8]>, CursorError> {
        let cursor = cursor.filter(|cursor| !cursor.is_empty());
        if cursor.is_some() {
            return catalog.list_of(&self.shown, kind, era, cursor, page_size);
        }
        let kept = &self.pages[kind as usize][era as usize];
        if let Some((_, page)) = kept.get().filter(|(size, _)| *size == page_size) {
            return Ok(Arc::clone(page));
        }
        let page = catalog.list_of(&self.shown, kind, era, None, page_size)?;
        let _ = kept.set((page_size, Arc::clone(&page)));
        Ok(page)
    }
}

/// What a rule calls an item of this list.
fn kind_of(kind: ListKind) -> ObjectKind {
    match kind {
        ListKind::Tools => ObjectKind::Tool,
        ListKind::Prompts => ObjectKind::Prompt,
        ListKind::Resources | ListKind::Templates => ObjectKind::Resource,
    }
}

fn instructions_of(snapshot: &Snapshot, shown: &Shown, may_show: impl Fn(&ServerName) -> bool) -> String {
    let catalog = &snapshot.catalog;
    // By server: all its items, those that are seen, and its tools among them.
    let mut counts: HashMap<&ServerName, [usize; 3]> = HashMap::new();
    let servers: [Vec<&ServerName>; 4] = [
        catalog.tools().map(|tool| &tool.route.server).collect(),
        catalog.prompts().map(|prompt| &prompt.route.server).collect(),
        catalog.resources().map(|owned| &owned.server).collect(),
        catalog.templates().map(|owned| &owned.server).collect(),
    ];
    for (kind, servers) in ListKind::ALL.into_iter().zip(&servers) {
        for (server, is_seen) in servers.iter().zip(shown.of(kind)) {
            let [all, seen, tools] = counts.entry(server).or_default();
            *all += 1;
            *seen += usize::from(*is_seen);
            *tools += usize::from(*is_seen && kind == ListKind::Tools);
        }
    }
    let seen = snapshot.servers.iter().filter(|(name, _)| {
        let [all, seen, _] = counts.get(name).copied().unwrap_or_default();
        may_show(name) && (all == 0 || seen > 0)
    });
    let seen: Vec<_> = seen.map(|(name, handle)| (name, handle.server(), handle.lists())).collect();
    let missing = catalog.missing();
    let lines: Vec<Line<'_>> = seen
        .iter()
        .map(|(name, server, lists)| Line {
            name: name.as_str(),
            description: server.description.as_deref(),
            instructions: lists.as_ref().and_then(|lists| lists.instructions.as_deref()),
            tools: (!missing.contains(name)).then(|| counts.get(name).map_or(0, |[_, _, tools]| *tools)),
        })
        .collect();
    instructions::merged(snapshot.config.settings.instructions.as_deref(), &lines)
}
