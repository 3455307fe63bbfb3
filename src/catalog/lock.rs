//! What is held back because nobody approved it: found against the lock file, taken out of the merged lists.
//!
//! Names stay with those who have them while they are held, so that nobody else comes to stand under one. Nothing is
//! asked per call: what is held has no route.

pub mod judge;
pub mod words;

use crate::catalog::lists::ListKind;
use crate::catalog::lists::ServerLists;
use crate::catalog::lock::judge::Change;
use crate::catalog::lock::judge::Difference;
use crate::catalog::lock::judge::Judgement;
use crate::catalog::lock::judge::judge;
use crate::catalog::lock::words::Detail;
use crate::catalog::merge::Merged;
use crate::catalog::merge::Part;
use crate::catalog::route::Route;
use crate::catalog::uri_template::UriTemplate;
use crate::config::lockfile::LockMode;
use crate::config::lockfile::LockedServer;
use crate::config::lockfile::Pins;
use crate::name::ServerName;
use std::collections::HashMap;
use std::sync::Arc;

/// The lock file, held against the lists of all servers.
#[derive(Debug, Default)]
pub struct Lock {
    judged: HashMap<ServerName, Judged>,
    tools: HashMap<String, Arc<HeldItem>>,
    prompts: HashMap<String, Arc<HeldItem>>,
    resources: HashMap<String, Arc<HeldItem>>,
    templates: Vec<(UriTemplate, Arc<HeldItem>)>,
}

/// Something that clients would see otherwise.
#[derive(Debug)]
pub struct HeldItem {
    /// Where it would lead.
    pub route: Route,
    /// What a caller is told who may see it.
    pub denial: String,
}

/// A judgement, and what it was made from.
#[derive(Debug, Clone)]
struct Judged {
    lists: Option<Arc<ServerLists>>,
    pins: Pins,
    judgement: Arc<Judgement>,
}

impl Lock {
    /// Judges `parts`; what has not changed since `before` is not looked at again.
    #[must_use]
    pub fn of(parts: &[Part<'_>], before: Option<&Self>) -> Self {
        let locked = parts.iter().filter(|part| part.server.pins.mode != LockMode::Off);
        let judged = locked.map(|part| {
            let name = &part.server.name;
            let known = before.and_then(|lock| lock.judged.get(name)).filter(|known| known.is_for(part));
            (name.clone(), known.cloned().unwrap_or_else(|| Judged::of(part)))
        });
        Self { judged: judged.collect(), ..Self::default() }
    }

    /// Takes what is held out of `merged`, and remembers it by the name that clients would use.
    #[must_use]
    pub fn hold(mut self, merged: &mut Merged) -> Self {
        if self.judged.is_empty() {
            return self;
        }
        for (kind, kept) in [(ListKind::Tools, &mut merged.tools), (ListKind::Prompts, &mut merged.prompts)] {
            let mut held = HashMap::new();
            kept.retain(|item| match self.denial(kind, &item.route.server, &item.route.own_name) {
                Some(denial) => {
                    let one = HeldItem { route: item.route.clone(), denial };
                    held.insert(item.name.as_str().to_owned(), Arc::new(one));
                    false
                }
                None => true,
            });
            *self.named_mut(kind) = held;
        }
        let mut held = Vec::new();
        for (kind, kept) in
            [(ListKind::Resources, &mut merged.resources), (ListKind::Templates, &mut merged.templates)]
        {
            kept.retain(|item| match self.denial(kind, &item.server, &item.uri) {
                Some(denial) => {
                    let route = Route { server: item.server.clone(), own_name: item.uri.clone() };
                    held.push((kind, Arc::new(HeldItem { route, denial })));
                    false
                }
                None => true,
            });
        }
        for (kind, one) in held {
            let uri = one.route.own_name.clone();
            match UriTemplate::parse(&uri).filter(|_| kind == ListKind::Templates) {
                Some(template) => self.templates.push((template, one)),
                None => _ = self.resources.insert(uri, one),
            }
        }
        merged.missing.retain(|name| !self.holds_all(name));
        self
    }

    /// `parts` without what is held.
    #[must_use]
    pub fn shown<'a>(&self, parts: &[Part<'a>]) -> Vec<Part<'a>> {
        let parts = parts.iter().filter(|part| !self.holds_all(&part.server.name));
        let shown = |part: &Part<'a>| match self.judged.get(&part.server.name) {
            Some(judged) if judged.judgement.holds_any() => {
                let lists = part.lists.as_ref().map(|lists| Arc::new(judged.judgement.without_held(lists)));
                Part { server: part.server, lists }
            }
            _ => part.clone(),
        };
        parts.map(shown).collect()
    }

    /// True when nothing of this server may be shown or started.
    #[must_use]
    pub fn holds_all(&self, server: &ServerName) -> bool {
        self.judged.get(server).is_some_and(|judged| judged.pins.hold_all())
    }

    /// The tool or prompt that clients would see under `name`.
    #[must_use]
    pub fn named(&self, kind: ListKind, name: &str) -> Option<&HeldItem> {
        let held = if kind == ListKind::Prompts { &self.prompts } else { &self.tools };
        held.get(name).map(|held| &**held)
    }

    /// The held resource or template that `uri` belongs to.
    #[must_use]
    pub fn by_uri(&self, uri: &str) -> Option<&HeldItem> {
        let exact = self.resources.get(uri);
        let found = exact.or_else(|| {
            let fits = |(template, one): &&(UriTemplate, Arc<HeldItem>)| {
                one.route.own_name == uri || template.matches(uri)
            };
            self.templates.iter().find(fits).map(|(_, one)| one)
        });
        found.map(|held| &**held)
    }

    /// What a caller is told who asks for something of a server that is held as a whole.
    #[must_use]
    pub fn denial_of_all(&self, server: &ServerName) -> Option<String> {
        let judged = self.judged.get(server).filter(|judged| judged.pins.hold_all())?;
        judged.judgement.of_entry().map(Difference::denial)
    }

    /// Everything that is not as it was approved, in no order.
    pub fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.judged.values().flat_map(|judged| judged.judgement.differences())
    }

    /// Those that matter: what is new or changed.
    pub fn alarming(&self) -> impl Iterator<Item = &Difference> {
        self.differences().filter(|difference| difference.change != Change::Gone)
    }

    fn denial(&self, kind: ListKind, server: &ServerName, own_name: &str) -> Option<String> {
        self.judged.get(server)?.judgement.held(kind, own_name).map(Difference::denial)
    }

    fn named_mut(&mut self, kind: ListKind) -> &mut HashMap<String, Arc<HeldItem>> {
        if kind == ListKind::Prompts { &mut self.prompts } else { &mut self.tools }
    }
}

impl Judged {
    fn of(part: &Part<'_>) -> Self {
        let judgement = Arc::new(judge(part.server, part.lists.as_deref(), Detail::Brief));
        Self { lists: part.lists.clone(), pins: part.server.pins.clone(), judgement }
    }

    fn is_for(&self, part: &Part<'_>) -> bool {
        let same_lists = match (&self.lists, &part.lists) {
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            (mine, theirs) => mine.is_none() && theirs.is_none(),
        };
        let same_locked = |mine: &Arc<LockedServer>, theirs: &Arc<LockedServer>| Arc::ptr_eq(mine, theirs);
        let pins = &part.server.pins;
        same_lists
            && self.pins.mode == pins.mode
            && self.pins.entry == pins.entry
            && match (&self.pins.locked, &pins.locked) {
                (Some(mine), Some(theirs)) => same_locked(mine, theirs),
                (mine, theirs) => mine.is_none() && theirs.is_none(),
            }
    }
}

#[cfg(test)]
mod tests;
