//! MCP Apps (`io.modelcontextprotocol/ui`): what views of servers need of a catalog.
//!
//! A view is a `ui://` resource that runs at the client and calls tools of its server by their own names, because it
//! knows nothing of a gateway. So those names lead somewhere too, where that is clear; they are never listed. What is in
//! `_meta.ui` passes as it is and is only read here.

use crate::catalog::lists::ListKind;
use crate::catalog::merge::Exposed;
use crate::catalog::merge::Merged;
use crate::catalog::merge::Part;
use crate::name::ServerName;
use crate::wire::members::Members;
use crate::wire::message::read_text;
use crate::wire::meta;
use memchr::memmem;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

/// The scheme of views.
const SCHEME: &str = "ui://";

/// Names and views of the servers that have any.
#[derive(Debug, Default)]
pub struct Apps {
    /// Own names of tools that a view may call, and the places of the tools.
    aliases: HashMap<String, usize>,
    /// Own names that could mean more than one tool, and the places of all.
    rivals: HashMap<String, Vec<usize>>,
    /// Views that only tools name.
    views: HashMap<String, ServerName>,
    /// Views that more than one server claims, with all of them.
    rival_views: BTreeMap<String, Vec<ServerName>>,
}

/// What `_meta.ui` of a tool says.
#[derive(Debug, PartialEq, Eq)]
struct Ui {
    view: Option<String>,
    for_apps: bool,
}

impl Apps {
    /// Reads the tools of the servers that have views.
    #[must_use]
    pub fn new(parts: &[Part<'_>], merged: &Merged) -> Self {
        let said: Vec<Option<Ui>> = merged.tools.iter().map(ui_of).collect();
        let mut servers = servers_with_views(parts);
        servers.extend(
            merged.tools.iter().zip(&said).filter(|(_, ui)| ui.is_some()).map(|(t, _)| &t.route.server),
        );
        let mut apps = Self::default();
        if servers.is_empty() {
            return apps;
        }
        let by_name: HashMap<&str, usize> =
            merged.tools.iter().enumerate().map(|(at, tool)| (tool.name.as_str(), at)).collect();
        for (at, tool) in merged.tools.iter().enumerate() {
            let callable = said[at].as_ref().is_none_or(|ui| ui.for_apps);
            if servers.contains(&tool.route.server) && callable {
                apps.add_name(&tool.route.own_name, at, by_name.get(tool.route.own_name.as_str()).copied());
            }
        }
        apps.add_views(parts, merged, &said);
        apps
    }

    /// The place of the tool that a view calls `own_name`.
    #[must_use]
    pub fn alias(&self, own_name: &str) -> Option<usize> {
        if self.aliases.is_empty() { None } else { self.aliases.get(own_name).copied() }
    }

    /// The places of the tools that a view could mean with `own_name`, when there are several.
    #[must_use]
    pub fn rivals(&self, own_name: &str) -> &[usize] {
        self.rivals.get(own_name).map_or(&[], |places| places)
    }

    /// The server of a view that is not listed.
    #[must_use]
    pub fn owner_of_view(&self, uri: &str) -> Option<&ServerName> {
        self.views.get(uri)
    }

    /// True when every view works: each name it may call, and each view, belongs to one server.
    #[must_use]
    pub fn are_clear(&self) -> bool {
        self.rivals.is_empty() && self.rival_views.is_empty()
    }

    /// The same for somebody who sees tools by their places, and views by server and URI, as these say.
    pub fn are_clear_among(
        &self,
        tools: impl Fn(usize) -> bool,
        views: impl Fn(&ServerName, &str) -> bool,
    ) -> bool {
        let names = self.rivals.values().all(|places| places.iter().filter(|at| tools(**at)).count() < 2);
        let sees = |uri: &str, servers: &[ServerName]| servers.iter().filter(|one| views(one, uri)).count();
        names && self.rival_views.iter().all(|(uri, servers)| sees(uri, servers) < 2)
    }

    /// `exposed` is the tool that clients see under this very name.
    fn add_name(&mut self, own_name: &str, at: usize, exposed: Option<usize>) {
        if exposed == Some(at) {
            return;
        }
        let other = exposed.or_else(|| self.aliases.remove(own_name));
        match (self.rivals.get_mut(own_name), other) {
            (Some(rivals), _) => rivals.push(at),
            (None, Some(other)) => {
                self.rivals.insert(own_name.to_owned(), vec![other, at]);
            }
            (None, None) => {
                self.aliases.insert(own_name.to_owned(), at);
            }
        }
    }

    /// In the order of the file: the first server owns a view, as with all resources.
    fn add_views(&mut self, parts: &[Part<'_>], merged: &Merged, said: &[Option<Ui>]) {
        let mut named: HashMap<&ServerName, Vec<&str>> = HashMap::new();
        for (tool, ui) in merged.tools.iter().zip(said) {
            if let Some(view) = ui.as_ref().and_then(|ui| ui.view.as_deref()) {
                named.entry(&tool.route.server).or_default().push(view);
            }
        }
        let listed: HashMap<&str, &ServerName> =
            merged.resources.iter().map(|owned| (owned.uri.as_str(), &owned.server)).collect();
        for part in parts {
            let server = &part.server.name;
            for view in named.remove(server).unwrap_or_default() {
                let owner = listed.get(view).copied().or_else(|| self.views.get(view));
                match owner {
                    Some(owner) if owner != server => {
                        let owner = owner.clone();
                        self.add_rivals(view, [&owner, server]);
                    }
                    Some(_) => {}
                    None => {
                        self.views.insert(view.to_owned(), server.clone());
                    }
                }
            }
        }
        let resources = merged.collisions.iter().filter(|collision| collision.kind == ListKind::Resources);
        for collision in resources.filter(|collision| collision.name.starts_with(SCHEME)) {
            self.add_rivals(&collision.name, [&collision.kept.server, &collision.left_out.server]);
        }
    }

    fn add_rivals(&mut self, view: &str, servers: [&ServerName; 2]) {
        let rivals = self.rival_views.entry(view.to_owned()).or_default();
        for server in servers {
            if !rivals.contains(server) {
                rivals.push(server.clone());
            }
        }
    }
}

fn servers_with_views<'a>(parts: &'a [Part<'_>]) -> HashSet<&'a ServerName> {
    let has_views = |part: &&Part<'_>| {
        let lists = part.lists.as_deref();
        lists.is_some_and(|lists| {
            lists.resources.iter().chain(&lists.templates).any(|item| item.key.starts_with(SCHEME))
        })
    };
    parts.iter().filter(has_views).map(|part| &part.server.name).collect()
}

/// `None` for a tool that says nothing of views.
fn ui_of(tool: &Exposed) -> Option<Ui> {
    let raw = tool.raw.get();
    memmem::find(raw.as_bytes(), b"\"ui")?;
    let members = Members::parse_with_duplicates(raw).ok()?;
    let meta = Members::parse_with_duplicates(members.get(meta::META)?.get()).ok()?;
    let text = |raw| read_text(raw).ok().map(std::borrow::Cow::into_owned);
    let Some(ui) = meta.get("ui").and_then(|raw| Members::parse_with_duplicates(raw.get()).ok()) else {
        // The form of before 2026.
        let view = text(meta.get("ui/resourceUri")?);
        return Some(Ui { view, for_apps: true });
    };
    let visibility: Option<Vec<String>> =
        ui.get("visibility").and_then(|raw| serde_json::from_str(raw.get()).ok());
    let for_apps = visibility.is_none_or(|all| all.iter().any(|one| one == "app"));
    Some(Ui { view: ui.get("resourceUri").and_then(text), for_apps })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::catalog::fixtures;
    use crate::catalog::fixtures::part;
    use crate::catalog::fixtures::server;
    use crate::catalog::lists::Item;
    use crate::catalog::lists::ServerLists;
    use crate::catalog::owners::Owners;
    use crate::config::model::Settings;

    /// Tools with the text of their `_meta`.
    fn tools(items: &[(&str, &str)]) -> ServerLists {
        let item = |(name, meta): &(&str, &str)| Item {
            key: (*name).to_owned(),
            raw: fixtures::raw(&format!(r#"{{"name":"{name}","_meta":{{{meta}}}}}"#)),
        };
        ServerLists { tools: items.iter().map(item).collect(), ..fixtures::empty() }
    }

    fn catalog(parts: &[Part<'_>]) -> Catalog {
        Catalog::build(parts, &Settings::default(), &Owners::default())
    }

    const SHOWN: &str = r#""ui":{"resourceUri":"ui://a/view"}"#;
    const FOR_THE_MODEL: &str = r#""ui":{"visibility":["model"]}"#;

    #[test]
    fn a_view_calls_tools_by_their_own_names() {
        let (a, b) = (server("a"), server("b"));
        let catalog = catalog(&[
            part(&a, tools(&[("show", SHOWN), ("refresh", ""), ("ask", FOR_THE_MODEL)])),
            part(&b, tools(&[("refresh", ""), ("other", "")])),
        ]);
        let leads = |name: &str| catalog.resolve_tool(name).map(|route| route.server.to_string());
        assert_eq!((leads("show"), leads("refresh")), (Some("a".into()), Some("a".into())));
        assert_eq!(leads("ask"), None, "not for apps");
        assert_eq!(leads("other"), None, "its server has no views");
        assert!(catalog.apps().are_clear());
        assert_eq!(catalog.owner_of_uri("ui://a/view").unwrap().as_str(), "a");
        assert!(!catalog.tools().any(|tool| tool.name.as_str() == "show"), "it is not listed");
    }

    #[test]
    fn a_name_of_two_servers_with_views_leads_nowhere() {
        let (a, b) = (server("a"), server("b"));
        let other = r#""ui/resourceUri":"ui://b/view""#;
        let catalog = catalog(&[
            part(&a, tools(&[("show", SHOWN), ("refresh", "")])),
            part(&b, tools(&[("chart", other), ("refresh", "")])),
        ]);
        assert!(catalog.resolve_tool("refresh").is_none() && !catalog.apps().are_clear());
        assert_eq!(catalog.apps().rivals("refresh").len(), 2);
        assert_eq!(catalog.resolve_tool("chart").unwrap().server.as_str(), "b");
        assert_eq!(catalog.owner_of_uri("ui://b/view").unwrap().as_str(), "b");
    }

    #[test]
    fn a_name_that_clients_know_is_not_taken_over() {
        let (a, mut b) = (server("a"), server("b"));
        b.prefix = Some(String::new());
        let mut clear = tools(&[("show", SHOWN), ("refresh", "")]);
        let taken = catalog(&[part(&a, clear.clone()), part(&b, tools(&[("refresh", "")]))]);
        assert_eq!(taken.resolve_tool("refresh").unwrap().server.as_str(), "b");
        assert!(!taken.apps().are_clear(), "a view of the other would reach the wrong one");
        clear.tools.pop();
        assert!(catalog(&[part(&a, clear), part(&b, tools(&[("show_all", "")]))]).apps().are_clear());
    }

    #[test]
    fn one_view_of_two_servers_is_the_first_ones_and_not_clear() {
        let (a, b) = (server("a"), server("b"));
        let catalog = catalog(&[part(&a, tools(&[("x", SHOWN)])), part(&b, tools(&[("y", SHOWN)]))]);
        assert_eq!(catalog.owner_of_uri("ui://a/view").unwrap().as_str(), "a");
        assert!(!catalog.apps().are_clear());
    }
}
