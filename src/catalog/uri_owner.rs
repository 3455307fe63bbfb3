//! Which server reads a URI that a client names.
//!
//! URIs are never rewritten, so this is a search: by listing, then by template, then by scheme. It does not ask a
//! server.

use crate::catalog::lists::ListKind;
use crate::catalog::lists::ServerLists;
use crate::catalog::merge::MAX_KEY;
use crate::catalog::merge::Merged;
use crate::catalog::merge::Owned;
use crate::catalog::merge::Part;
use crate::catalog::uri_template::UriTemplate;
use crate::name::ServerName;
use crate::wire::members::Members;
use std::collections::HashMap;

/// Why no server was found for a URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// No server has anything like it.
    #[error("no server has this resource")]
    NotFound,
    /// Several could have it, and none lists it.
    #[error("no server lists this resource, and {} could have it; read it under a URI that one of them lists", names(.0))]
    Ambiguous(Vec<ServerName>),
}

fn names(candidates: &[ServerName]) -> String {
    let quoted: Vec<String> = candidates.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// What is needed to find the server of a URI, besides the listed resources.
#[derive(Debug, Default)]
pub struct UriOwners {
    templates: Vec<(UriTemplate, ServerName)>,
    /// Lower-case scheme to the servers that list something with it, in file order.
    schemes: HashMap<String, Vec<ServerName>>,
    /// Servers with resources of any kind, in file order.
    servers: Vec<ServerName>,
}

impl UriOwners {
    /// Gathers the templates and schemes of `merged` and `parts`.
    #[must_use]
    pub fn new(parts: &[Part<'_>], merged: &Merged) -> Self {
        let parsed = |owned: &Owned| Some((UriTemplate::parse(&owned.uri)?, owned.server.clone()));
        let templates = merged.templates.iter().filter_map(parsed).collect();
        let mut owners = Self { templates, ..Self::default() };
        for part in parts {
            if let Some(lists) = &part.lists {
                owners.add(&part.server.name, lists);
            }
        }
        owners
    }

    fn add(&mut self, server: &ServerName, lists: &ServerLists) {
        let uris = || lists.resources.iter().chain(&lists.templates).map(|item| &*item.key);
        for scheme in uris().filter_map(scheme) {
            let users = self.schemes.entry(scheme).or_default();
            if users.last() != Some(server) {
                users.push(server.clone());
            }
        }
        let announced = Members::parse_with_duplicates(lists.capabilities.get());
        let announced = announced.is_ok_and(|members| members.get(ListKind::Resources.member()).is_some());
        if announced || uris().next().is_some() {
            self.servers.push(server.clone());
        }
    }

    /// The server of `uri`, which nobody lists.
    ///
    /// # Errors
    /// [`UriError`] when there is none, or more than one.
    pub fn find(&self, uri: &str) -> Result<&ServerName, UriError> {
        self.find_among(uri, &|_| true)
    }

    /// The server of `uri` among those that `among` says.
    ///
    /// # Errors
    /// As [`UriOwners::find`].
    pub fn find_among(
        &self,
        uri: &str,
        among: &dyn Fn(&ServerName) -> bool,
    ) -> Result<&ServerName, UriError> {
        if uri.len() > MAX_KEY {
            return Err(UriError::NotFound);
        }
        let mut by_template: Vec<&ServerName> = Vec::new();
        for (template, server) in &self.templates {
            if !by_template.contains(&server) && template.matches(uri) && among(server) {
                by_template.push(server);
            }
        }
        if !by_template.is_empty() {
            let in_file_order = self.servers.iter().filter(|server| by_template.contains(server));
            return only(&in_file_order.collect::<Vec<_>>());
        }
        let left = |servers: &'_ [ServerName]| -> Vec<usize> {
            (0..servers.len()).filter(|at| among(&servers[*at])).collect()
        };
        let users = scheme(uri).and_then(|scheme| self.schemes.get(&scheme));
        let users = users.map(|users| (users, left(users))).filter(|(_, left)| !left.is_empty());
        if let Some((users, left)) = users {
            return only(&left.into_iter().map(|at| &users[at]).collect::<Vec<_>>());
        }
        match left(&self.servers).as_slice() {
            [one] => Ok(&self.servers[*one]),
            _ => Err(UriError::NotFound),
        }
    }
}

fn only<'s>(servers: &[&'s ServerName]) -> Result<&'s ServerName, UriError> {
    match servers {
        [] => Err(UriError::NotFound),
        [server] => Ok(server),
        several => Err(UriError::Ambiguous(several.iter().map(|server| (*server).clone()).collect())),
    }
}

/// The scheme of `uri` in lower case.
fn scheme(uri: &str) -> Option<String> {
    let (scheme, _) = uri.split_once(':')?;
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    valid.then(|| scheme.to_ascii_lowercase())
}
