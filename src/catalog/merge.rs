//! The lists of all servers as one: renamed, filtered, every collision settled and reported.
//!
//! Items keep their text but for the value of `name`, which is replaced in place. It does not read or write anything;
//! remembered owners come in and the next ones go out.

use crate::catalog::lists::Item;
use crate::catalog::lists::ListKind;
use crate::catalog::lists::ServerLists;
use crate::catalog::name_budget::expose;
use crate::catalog::owners::Held;
use crate::catalog::owners::Owners;
use crate::catalog::route::Route;
use crate::catalog::tool_filter::Filter;
use crate::config::model::Naming;
use crate::config::model::Server;
use crate::config::model::Transport;
use crate::config::model::Wire;
use crate::name::ExposedName;
use crate::name::ServerName;
use crate::protocol::param_header;
use crate::protocol::version::Era;
use crate::wire::members::Members;
use serde_json::value::RawValue;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Longest name or URI of an item, in bytes: it must fit into a cursor.
pub const MAX_KEY: usize = 64 << 10;

/// One server of the file, in the order of the file.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// Its entry.
    pub server: &'a Server,
    /// What it offers; `None` while that is not known.
    pub lists: Option<Arc<ServerLists>>,
}

/// A tool or prompt as clients see it.
#[derive(Debug, Clone)]
pub struct Exposed {
    /// Its name to clients.
    pub name: ExposedName,
    /// Where a call of it goes.
    pub route: Route,
    /// The item as it is listed: with `name`, otherwise as the server sent it.
    pub raw: Box<RawValue>,
}

/// A resource or template; its URI is not rewritten.
#[derive(Debug, Clone)]
pub struct Owned {
    /// Its URI or URI template.
    pub uri: String,
    /// The server that reads it.
    pub server: ServerName,
    /// The item as the server sent it.
    pub raw: Box<RawValue>,
}

/// Two items that clients would see under one name or URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// The list.
    pub kind: ListKind,
    /// The exposed name or URI.
    pub name: String,
    /// The one clients see under it.
    pub kept: Route,
    /// The one clients cannot reach.
    pub left_out: Route,
}

/// An item that is not shown because of what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOutItem {
    /// The list.
    pub kind: ListKind,
    /// Whose it is, and its own name.
    pub route: Route,
    /// Why.
    pub reason: LeftOutReason,
}

/// Why an item is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeftOutReason {
    /// It is some other JSON value.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// Two readers could see two different names.
    #[error("its name or URI occurs twice in it")]
    KeyTwice,
    /// The name is absent, empty, no text, or not the one it is known under.
    #[error("it has no text as its name or URI")]
    NoKey,
    /// Longer than [`MAX_KEY`].
    #[error("its name or URI has more than {MAX_KEY} bytes")]
    TooLong,
    /// The server has it twice; the first is shown.
    #[error("the server lists it twice")]
    ListedTwice,
    /// Over HTTP such a tool must not be called.
    #[error("its `x-mcp-header` breaks the rules: {0}")]
    HeaderMark(&'static str),
    /// Left out for modern clients alone.
    #[error("to clients of 2026-07-28, because it runs only as a task of 2025-11-25")]
    OnlyAsTask,
}

/// The outcome of [`merge`].
#[derive(Debug, Clone, Default)]
pub struct Merged {
    /// Sorted by name; no name and no route occurs twice.
    pub tools: Vec<Exposed>,
    /// Sorted by name; no name and no route occurs twice.
    pub prompts: Vec<Exposed>,
    /// Sorted by URI; no URI occurs twice.
    pub resources: Vec<Owned>,
    /// Sorted by URI template; no template occurs twice.
    pub templates: Vec<Owned>,
    /// Names and URIs that two items wanted.
    pub collisions: Vec<Collision>,
    /// Items that could not be shown.
    pub left_out: Vec<LeftOutItem>,
    /// Servers whose lists are not known.
    pub missing: Vec<ServerName>,
    /// To be remembered for the next merge.
    pub owners: Owners,
}

/// Merges the lists of `parts`, which stand in the order of the file.
///
/// A name belongs to whom `owners` says as long as that server has it, or has not been heard of yet; otherwise to the
/// first in the order of the file.
#[must_use]
pub fn merge(parts: &[Part<'_>], naming: &Naming, owners: &Owners) -> Merged {
    let mut merger = Merger::new(parts, naming, owners);
    let tools = merger.exposed(ListKind::Tools);
    let prompts = merger.exposed(ListKind::Prompts);
    let resources = merger.owned(ListKind::Resources);
    let templates = merger.owned(ListKind::Templates);
    let unknown = parts.iter().filter(|part| part.lists.as_ref().is_none_or(|lists| lists.incomplete));
    let missing = unknown.map(|part| part.server.name.clone()).collect();
    Merged { tools, prompts, resources, templates, missing, ..merger.reports }
}

struct Source<'a> {
    server: &'a Server,
    lists: Option<&'a ServerLists>,
    filter: Filter,
}

struct Candidate<'a, K> {
    name: K,
    route: Route,
    raw: &'a RawValue,
    /// Where the value of the key stands in `raw`.
    spot: Range<usize>,
}

struct Merger<'a> {
    sources: Vec<Source<'a>>,
    by_name: HashMap<&'a str, usize>,
    naming: &'a Naming,
    remembered: &'a Owners,
    /// Only collisions, left out items and owners are filled here.
    reports: Merged,
}

impl<'a> Merger<'a> {
    fn new(parts: &'a [Part<'_>], naming: &'a Naming, remembered: &'a Owners) -> Self {
        let source = |part: &'a Part<'_>| Source {
            server: part.server,
            lists: part.lists.as_deref(),
            filter: Filter::new(&part.server.tools),
        };
        let by_name = parts.iter().enumerate().map(|(at, part)| (part.server.name.as_str(), at)).collect();
        let sources = parts.iter().map(source).collect();
        Self { sources, by_name, naming, remembered, reports: Merged::default() }
    }

    fn exposed(&mut self, kind: ListKind) -> Vec<Exposed> {
        let naming = self.naming;
        let name_of =
            |server: &Server, own: &str| expose(&server.name, server.prefix.as_deref(), own, naming);
        let candidates = self.candidates(kind, name_of);
        let winners = self.settle(kind, candidates, name_of);
        let exposed = winners.into_iter().map(|winner| {
            let raw = renamed(winner.raw, winner.spot, &winner.name);
            Exposed { raw, name: winner.name, route: winner.route }
        });
        exposed.collect()
    }

    fn owned(&mut self, kind: ListKind) -> Vec<Owned> {
        let name_of = |_: &Server, uri: &str| uri.to_owned();
        let candidates = self.candidates(kind, name_of);
        let winners = self.settle(kind, candidates, name_of);
        let owned = winners.into_iter().map(|winner| Owned {
            uri: winner.name,
            server: winner.route.server,
            raw: winner.raw.to_owned(),
        });
        owned.collect()
    }

    /// Every item that can be shown, in the order of the file.
    fn candidates<K>(
        &mut self,
        kind: ListKind,
        name_of: impl Fn(&Server, &str) -> K,
    ) -> Vec<Candidate<'a, K>> {
        let mut candidates = Vec::new();
        for source in &self.sources {
            let mut seen = HashSet::new();
            for item in source.lists.map_or(&[][..], |lists| lists.of(kind)) {
                if kind == ListKind::Tools && !source.filter.shows(&item.key) {
                    continue;
                }
                let route = Route { server: source.server.name.clone(), own_name: item.key.clone() };
                let spot = key_spot(item, kind).and_then(|spot| {
                    if seen.insert(&*item.key) { Ok(spot) } else { Err(LeftOutReason::ListedTwice) }
                });
                let spot = spot.and_then(|spot| match header_fault(source, kind, item) {
                    Some(fault) => Err(LeftOutReason::HeaderMark(fault)),
                    None => Ok(spot),
                });
                match spot {
                    Ok(spot) => {
                        let name = name_of(source.server, &item.key);
                        candidates.push(Candidate { name, route, raw: &item.raw, spot });
                    }
                    Err(reason) => self.reports.left_out.push(LeftOutItem { kind, route, reason }),
                }
            }
        }
        candidates
    }

    /// Gives every name to one of its candidates, and returns those sorted by name.
    fn settle<K: Borrow<str> + Ord>(
        &mut self,
        kind: ListKind,
        candidates: Vec<Candidate<'a, K>>,
        name_of: impl Fn(&Server, &str) -> K,
    ) -> Vec<Candidate<'a, K>> {
        let mut held = self.still_held(kind, &candidates, name_of);
        let mut looks = Looks::of(kind, &held);
        let mut winners = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let name: &str = candidate.name.borrow();
            let holder = match held.get(name).or_else(|| looks.alike(name, &candidate.route)) {
                Some(holder) => holder,
                None => {
                    looks.add(name, &candidate.route);
                    held.entry(name.to_owned()).or_insert_with(|| candidate.route.clone())
                }
            };
            if *holder == candidate.route {
                winners.push(candidate);
            } else {
                let (name, kept) = (name.to_owned(), holder.clone());
                self.reports.collisions.push(Collision { kind, name, kept, left_out: candidate.route });
            }
        }
        winners.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        self.reports.owners.set(kind, held);
        winners
    }

    /// The remembered owners that still have their name, or may have it once their server is heard of.
    fn still_held<K: Borrow<str>>(
        &self,
        kind: ListKind,
        candidates: &[Candidate<'a, K>],
        name_of: impl Fn(&Server, &str) -> K,
    ) -> Held {
        let offered: HashSet<(&str, &Route)> =
            candidates.iter().map(|candidate| (candidate.name.borrow(), &candidate.route)).collect();
        let holds = |name: &str, route: &Route| {
            let Some(source) = self.by_name.get(route.server.as_str()).map(|at| &self.sources[*at]) else {
                return false;
            };
            if source.lists.is_some() {
                return offered.contains(&(name, route));
            }
            let shown = kind != ListKind::Tools || source.filter.shows(&route.own_name);
            shown && name_of(source.server, &route.own_name).borrow() == name
        };
        let remembered = self.remembered.of(kind).iter();
        let still = remembered.filter(|(name, route)| holds(name, route));
        still.map(|(name, route)| (name.clone(), route.clone())).collect()
    }
}

/// Names by what they look like when case does not count, so that nobody comes to stand beside a name of another server
/// that some reader takes for the same. URIs are never taken for each other.
struct Looks(Option<HashMap<String, Route>>);

impl Looks {
    fn of(kind: ListKind, held: &Held) -> Self {
        let names = matches!(kind, ListKind::Tools | ListKind::Prompts);
        let folded = || held.iter().map(|(name, route)| (name.to_ascii_lowercase(), route.clone())).collect();
        Self(names.then(folded))
    }

    /// Who has such a name, if that is another server.
    fn alike(&self, name: &str, route: &Route) -> Option<&Route> {
        let holder = self.0.as_ref()?.get(&name.to_ascii_lowercase())?;
        (holder.server != route.server).then_some(holder)
    }

    fn add(&mut self, name: &str, route: &Route) {
        if let Some(looks) = &mut self.0 {
            looks.entry(name.to_ascii_lowercase()).or_insert_with(|| route.clone());
        }
    }
}

/// What is wrong with the header marks of a tool that is called over modern HTTP.
fn header_fault(source: &Source<'_>, kind: ListKind, item: &Item) -> Option<&'static str> {
    let over_http = matches!(&source.server.transport, Transport::Http(http) if http.wire != Wire::WebSocket);
    let modern = source.lists.is_some_and(|lists| lists.era == Era::Modern);
    if kind == ListKind::Tools && over_http && modern { param_header::fault(item.raw.get()) } else { None }
}

/// Where the text of the key of `item` stands in it, quotes included.
fn key_spot(item: &Item, kind: ListKind) -> Result<Range<usize>, LeftOutReason> {
    if item.key.len() > MAX_KEY {
        return Err(LeftOutReason::TooLong);
    }
    if item.key.is_empty() {
        return Err(LeftOutReason::NoKey);
    }
    let members = Members::parse_with_duplicates(item.raw.get()).map_err(|_| LeftOutReason::NotAnObject)?;
    if members.count(kind.key()) > 1 {
        return Err(LeftOutReason::KeyTwice);
    }
    let value = members.get(kind.key()).ok_or(LeftOutReason::NoKey)?;
    let text: String = serde_json::from_str(value.get()).map_err(|_| LeftOutReason::NoKey)?;
    if text != item.key {
        return Err(LeftOutReason::NoKey);
    }
    members.value_range(kind.key()).ok_or(LeftOutReason::NoKey)
}

/// `raw` with `name` at `spot`; every other byte as it was.
fn renamed(raw: &RawValue, spot: Range<usize>, name: &ExposedName) -> Box<RawValue> {
    let raw = raw.get();
    let text = [&raw[..spot.start], "\"", name.as_str(), "\"", &raw[spot.end..]].concat();
    RawValue::from_string(text).expect("a string in place of a string leaves valid JSON")
}

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, kept, left_out } = self;
        let kind = kind.word();
        write!(
            f,
            "{kind} `{}` of server `{}` is left out: ",
            left_out.own_name.escape_debug(),
            left_out.server
        )?;
        write!(f, "`{}` belongs to `{}` of ", name.escape_debug(), kept.own_name.escape_debug())?;
        write!(f, "server `{}`", kept.server)
    }
}

impl fmt::Display for LeftOutItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, route, reason } = self;
        let kind = kind.word();
        let own_name = route.own_name.escape_debug();
        write!(f, "{kind} `{own_name}` of server `{}` is left out: {reason}", route.server)
    }
}

#[cfg(test)]
mod tests;
