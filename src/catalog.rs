//! What clients see: the merged lists of all servers, and where each name in them leads.
//!
//! A catalog never changes; a change is a new one. It starts no server and knows no caller: what a caller may see is
//! `policy`.

pub mod apps;
pub mod arguments;
pub mod execution;
pub mod hints;
pub mod instructions;
pub mod lists;
pub mod lock;
pub mod merge;
pub mod name_budget;
pub mod owners;
pub mod render;
pub mod route;
pub mod shown;
pub mod store;
pub mod suspicion;
pub mod tool_filter;
pub mod uri_owner;
pub mod uri_template;

use crate::catalog::apps::Apps;
use crate::catalog::arguments::Checker;
use crate::catalog::arguments::Checkers;
use crate::catalog::arguments::Unusable;
use crate::catalog::instructions::Line;
use crate::catalog::lists::ListKind;
use crate::catalog::lock::Lock;
use crate::catalog::merge::Collision;
use crate::catalog::merge::Exposed;
use crate::catalog::merge::LeftOutItem;
use crate::catalog::merge::Merged;
use crate::catalog::merge::Owned;
use crate::catalog::merge::Part;
use crate::catalog::owners::Owners;
use crate::catalog::render::CursorError;
use crate::catalog::render::Frame;
use crate::catalog::route::Route;
use crate::catalog::shown::Shown;
use crate::catalog::shown::exposed_after;
use crate::catalog::shown::owned_after;
use crate::catalog::uri_owner::UriError;
use crate::catalog::uri_owner::UriOwners;
use crate::config::model::Settings;
use crate::name::ExposedName;
use crate::name::ServerName;
use crate::protocol::param_header;
use crate::protocol::param_header::ParamHeader;
use crate::protocol::version::Era;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::OnceLock;

/// Names longer than this are not compared for a suggestion, in bytes.
const MAX_COMPARED: usize = 256;
/// Names less alike than this are not suggested; 1 is equal.
const LEAST_ALIKE: f64 = 0.8;

/// The merged lists of all servers at one time.
#[derive(Debug)]
pub struct Catalog {
    merged: Merged,
    tools: HashMap<ExposedName, usize>,
    prompts: HashMap<ExposedName, usize>,
    /// Of the tools that have any.
    param_headers: HashMap<ExposedName, Box<[ParamHeader]>>,
    /// Tools that modern clients are not shown.
    only_tasks: HashSet<ExposedName>,
    apps: Apps,
    uris: UriOwners,
    instructions: String,
    lock: Lock,
    checkers: Checkers,
    /// First pages, by kind and era.
    pages: [[OnceLock<FirstPage>; 2]; 4],
}

/// A first page, with the page size it was made for.
type FirstPage = (usize, Arc<[u8]>);

impl Catalog {
    /// Merges the lists of `parts`, which stand in the order of the file.
    #[must_use]
    pub fn build(parts: &[Part<'_>], settings: &Settings, owners: &Owners) -> Self {
        Self::after(parts, settings, owners, None)
    }

    /// As [`Catalog::build`]; what is as it was `before` is not held against the lock file again.
    #[must_use]
    pub fn after(parts: &[Part<'_>], settings: &Settings, owners: &Owners, before: Option<&Self>) -> Self {
        let mut merged = merge::merge(parts, &settings.naming, owners);
        let lock = Lock::of(parts, before.map(|before| &before.lock)).hold(&mut merged);
        let shown = lock.shown(parts);
        Self { lock, ..Self::new(&shown, merged, settings.instructions.as_deref()) }
    }

    /// What is held back.
    #[must_use]
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// The catalog of `merged`, which was made from `parts`; `own` stands at the head of its instructions.
    #[must_use]
    pub fn new(parts: &[Part<'_>], mut merged: Merged, own: Option<&str>) -> Self {
        let only_tasks = execution::settle(parts, &mut merged);
        let instructions = instructions::merged(own, &lines(parts, &merged));
        Self {
            tools: index(&merged.tools),
            prompts: index(&merged.prompts),
            param_headers: param_headers(&merged.tools),
            only_tasks,
            apps: Apps::new(parts, &merged),
            uris: UriOwners::new(parts, &merged),
            instructions,
            lock: Lock::default(),
            checkers: Checkers::new(merged.tools.len()),
            pages: Default::default(),
            merged,
        }
    }

    /// Where a call of the tool `name` goes: a listed name, or one that a view of MCP Apps may use.
    #[must_use]
    pub fn resolve_tool(&self, name: &str) -> Option<&Route> {
        self.tool(name).map(|tool| &tool.route)
    }

    /// The tool that a client calls `name`.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Exposed> {
        let at = self.tools.get(name).copied().or_else(|| self.apps.alias(name))?;
        self.merged.tools.get(at)
    }

    /// What arguments of the tool that a client calls `name` are held against; `tell` hears once why there is nothing.
    pub fn checker(&self, name: &str, tell: impl FnOnce(&Unusable)) -> Option<&Checker> {
        let at = self.tools.get(name).copied().or_else(|| self.apps.alias(name))?;
        self.checkers.of(at, self.merged.tools.get(at)?.raw.get(), tell)
    }

    /// What views of MCP Apps need.
    #[must_use]
    pub fn apps(&self) -> &Apps {
        &self.apps
    }

    /// The names of the tools that a view could mean with `own_name`, when there are several.
    pub fn rivals(&self, own_name: &str) -> impl Iterator<Item = &Exposed> {
        self.apps.rivals(own_name).iter().map(|at| &self.merged.tools[*at])
    }

    /// True for a tool that a client of `era` is not shown, because it runs only as a task of the other one.
    #[must_use]
    pub fn is_hidden(&self, name: &str, era: Era) -> bool {
        era == Era::Modern && !self.only_tasks.is_empty() && self.only_tasks.contains(self.listed_name(name))
    }

    /// The arguments of the tool `name` that modern HTTP repeats in headers.
    #[must_use]
    pub fn param_headers(&self, name: &str) -> &[ParamHeader] {
        if self.param_headers.is_empty() {
            return &[];
        }
        self.param_headers.get(self.listed_name(name)).map_or(&[], |headers| headers)
    }

    /// The name under which the tool is listed that a view of MCP Apps calls `name`; else `name`.
    fn listed_name<'n>(&'n self, name: &'n str) -> &'n str {
        self.apps.alias(name).map_or(name, |at| self.merged.tools[at].name.as_str())
    }

    /// Where the prompt `name` is.
    #[must_use]
    pub fn resolve_prompt(&self, name: &str) -> Option<&Route> {
        self.prompts.get(name).map(|at| &self.merged.prompts[*at].route)
    }

    /// The server that reads `uri`: the one that lists it, else the one that names it as the view of a tool, else
    /// the one whose template it matches, else the only one
    /// that uses its scheme, else the only one that has resources.
    ///
    /// # Errors
    /// [`UriError`] when there is none, or more than one of the first that apply.
    pub fn owner_of_uri(&self, uri: &str) -> Result<&ServerName, UriError> {
        if self.lock.by_uri(uri).is_some() {
            return Err(UriError::NotFound);
        }
        match self.merged.resources.binary_search_by(|owned| owned.uri.as_str().cmp(uri)) {
            Ok(at) => Ok(&self.merged.resources[at].server),
            Err(_) => self.apps.owner_of_view(uri).map_or_else(|| self.uris.find(uri), Ok),
        }
    }

    /// As [`Catalog::owner_of_uri`], as if the servers that `among` leaves out had no resources.
    ///
    /// # Errors
    /// As [`Catalog::owner_of_uri`].
    pub fn owner_of_uri_among(
        &self,
        uri: &str,
        among: &dyn Fn(&ServerName) -> bool,
    ) -> Result<&ServerName, UriError> {
        if self.lock.by_uri(uri).is_some_and(|held| among(&held.route.server)) {
            return Err(UriError::NotFound);
        }
        let listed = self.merged.resources.binary_search_by(|owned| owned.uri.as_str().cmp(uri)).ok();
        let listed = listed.map(|at| &self.merged.resources[at].server).filter(|server| among(server));
        let view = || self.apps.owner_of_view(uri).filter(|server| among(server));
        listed.or_else(view).map_or_else(|| self.uris.find_among(uri, among), Ok)
    }

    /// The server whose resource template `template` is, word for word (completion names templates like this).
    #[must_use]
    pub fn owner_of_template(&self, template: &str) -> Option<&ServerName> {
        let at = self.merged.templates.binary_search_by(|owned| owned.uri.as_str().cmp(template)).ok()?;
        Some(&self.merged.templates[at].server)
    }

    /// The tools, sorted by name.
    pub fn tools(&self) -> impl ExactSizeIterator<Item = &Exposed> {
        self.merged.tools.iter()
    }

    /// The prompts, sorted by name.
    pub fn prompts(&self) -> impl ExactSizeIterator<Item = &Exposed> {
        self.merged.prompts.iter()
    }

    /// The resources, sorted by URI.
    pub fn resources(&self) -> impl ExactSizeIterator<Item = &Owned> {
        self.merged.resources.iter()
    }

    /// The resource templates, sorted by URI template.
    pub fn templates(&self) -> impl ExactSizeIterator<Item = &Owned> {
        self.merged.templates.iter()
    }

    /// Servers whose lists are not known, in the order of the file.
    #[must_use]
    pub fn missing(&self) -> &[ServerName] {
        &self.merged.missing
    }

    /// Names and URIs that two items wanted.
    #[must_use]
    pub fn collisions(&self) -> &[Collision] {
        &self.merged.collisions
    }

    /// Items that could not be shown.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOutItem] {
        &self.merged.left_out
    }

    /// Who holds which name now; to be stored and given to the next catalog.
    #[must_use]
    pub fn owners(&self) -> &Owners {
        &self.merged.owners
    }

    /// The merged instructions, at most [`instructions::MAX_BYTES`] long.
    #[must_use]
    pub fn instructions(&self) -> &str {
        &self.instructions
    }

    /// The tool whose name is most like `name`, or that `name` is the own name of, of those that `among` says.
    #[must_use]
    pub fn suggest_tool(&self, name: &str, among: &dyn Fn(&Route) -> bool) -> Option<&str> {
        if name.len() > MAX_COMPARED {
            return None;
        }
        let likeness = |tool: &Exposed| {
            let own = if tool.route.own_name == name { 1.0 } else { 0.0 };
            strsim::jaro_winkler(tool.name.as_str(), name).max(own)
        };
        let tools = self.merged.tools.iter().filter(|tool| among(&tool.route));
        let rated = tools.map(|tool| (likeness(tool), tool));
        let best = rated.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.name.cmp(&a.1.name)))?;
        (best.0 >= LEAST_ALIKE).then(|| best.1.name.as_str())
    }

    /// The result of a list request of a client of `era`, for the page after `cursor`.
    ///
    /// # Errors
    /// [`CursorError`] when `cursor` is not one that was given out.
    pub fn list_result(
        &self,
        kind: ListKind,
        era: Era,
        cursor: Option<&str>,
        page_size: usize,
    ) -> Result<Arc<[u8]>, CursorError> {
        let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else {
            return Ok(self.first_page(kind, era, page_size));
        };
        let after = render::key_of(cursor)?;
        Ok(self.page(kind, era, &after, page_size, None))
    }

    /// As [`Catalog::list_result`], of what is `shown`. It is made anew each time.
    ///
    /// # Errors
    /// As [`Catalog::list_result`].
    pub fn list_of(
        &self,
        shown: &Shown,
        kind: ListKind,
        era: Era,
        cursor: Option<&str>,
        page_size: usize,
    ) -> Result<Arc<[u8]>, CursorError> {
        let after = cursor.map(render::key_of).transpose()?.unwrap_or_default();
        Ok(self.page(kind, era, &after, page_size, Some(shown)))
    }

    /// What `shows` says is shown to somebody, and of which servers; `may_show` says which of the missing ones to name.
    #[must_use]
    pub fn shown(
        &self,
        shows: impl Fn(ListKind, &ServerName, &str) -> bool,
        may_show: impl Fn(&ServerName) -> bool,
    ) -> Shown {
        Shown::new(&self.merged, shows, may_show)
    }

    /// Numbers that are the same as long as the lists are (to somebody to whom only a part is shown), in the order of
    /// [`ListKind::ALL`].
    #[must_use]
    pub fn prints(&self, shown: Option<&Shown>) -> [u64; 4] {
        shown::prints(&self.merged, shown)
    }

    fn first_page(&self, kind: ListKind, era: Era, page_size: usize) -> Arc<[u8]> {
        let kept = &self.pages[kind as usize][era as usize];
        let (size, page) = kept.get_or_init(|| (page_size, self.page(kind, era, "", page_size, None)));
        if *size == page_size { Arc::clone(page) } else { self.page(kind, era, "", page_size, None) }
    }

    fn page(
        &self,
        kind: ListKind,
        era: Era,
        after: &str,
        page_size: usize,
        shown: Option<&Shown>,
    ) -> Arc<[u8]> {
        let missing = shown.map_or(&*self.merged.missing, |shown| &shown.missing);
        let frame = Frame { kind, era, page_size, missing };
        let items = shown.map(|shown| shown.of(kind));
        let page = match kind {
            ListKind::Tools => {
                let shown = exposed_after(&self.merged.tools, after, items);
                render::page(frame, shown.filter(|(name, _)| !self.is_hidden(name, era)))
            }
            ListKind::Prompts => render::page(frame, exposed_after(&self.merged.prompts, after, items)),
            ListKind::Resources => render::page(frame, owned_after(&self.merged.resources, after, items)),
            ListKind::Templates => render::page(frame, owned_after(&self.merged.templates, after, items)),
        };
        page.into()
    }
}

/// The annotated arguments of the tools that have any.
fn param_headers(tools: &[Exposed]) -> HashMap<ExposedName, Box<[ParamHeader]>> {
    let headers = tools.iter().map(|tool| (&tool.name, param_header::of_tool(tool.raw.get())));
    let some = headers.filter(|(_, headers)| !headers.is_empty());
    some.map(|(name, headers)| (name.clone(), headers.into())).collect()
}

fn index(list: &[Exposed]) -> HashMap<ExposedName, usize> {
    list.iter().enumerate().map(|(at, item)| (item.name.clone(), at)).collect()
}

fn lines<'a>(parts: &'a [Part<'_>], merged: &Merged) -> Vec<Line<'a>> {
    let mut counts: HashMap<&ServerName, usize> = HashMap::new();
    for tool in &merged.tools {
        *counts.entry(&tool.route.server).or_default() += 1;
    }
    let line = |part: &'a Part<'_>| Line {
        name: part.server.name.as_str(),
        description: part.server.description.as_deref(),
        instructions: part.lists.as_ref().and_then(|lists| lists.instructions.as_deref()),
        tools: part.lists.as_ref().map(|_| counts.get(&part.server.name).copied().unwrap_or_default()),
    };
    parts.iter().map(line).collect()
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
