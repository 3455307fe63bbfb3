//! What one server offers, held against what was approved of it.
//!
//! Every definition counts as a whole: any member of it, at any depth. It decides nothing about other servers.

use crate::catalog::lists::Item;
use crate::catalog::lists::ListKind;
use crate::catalog::lists::ServerLists;
use crate::catalog::lock::words::Detail;
use crate::catalog::lock::words::words;
use crate::config::canon::canonical;
use crate::config::canon::digest;
use crate::config::digest::pin_digest;
use crate::config::lockfile::EntryState;
use crate::config::lockfile::LockedItem;
use crate::config::lockfile::LockedServer;
use crate::config::model::Server;
use crate::name::ServerName;
use crate::telemetry::clean::clean;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;

/// Longest name shown, in bytes.
const NAME: usize = 120;

/// What is not as it was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Whose it is.
    pub server: ServerName,
    /// What it is about.
    pub subject: Subject,
    /// How it differs.
    pub change: Change,
    /// What changed, in words, safe to show.
    pub words: Vec<String>,
}

/// What a difference is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// What is started or connected to.
    Entry,
    /// The server's instructions.
    Instructions,
    /// A tool, prompt, resource or template, by its own name or URI.
    Item(ListKind, String),
}

/// How something differs from what was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    New,
    /// It is something else now.
    Changed,
    /// It is not there any more, which harms nobody.
    Gone,
}

/// Everything that was found about one server.
#[derive(Debug, Default)]
pub struct Judgement {
    differences: Vec<Difference>,
    /// Of each kind of list, by own name: where its difference stands. Filled only where it is held back.
    held: [HashMap<String, usize>; 4],
    /// Everything is held, because of the first difference.
    all: bool,
    instructions: bool,
    detail: Detail,
}

/// Holds `lists` of `server` against what was approved; `None` while they are not known. `detail` is for what changed.
#[must_use]
pub fn judge(server: &Server, lists: Option<&ServerLists>, detail: Detail) -> Judgement {
    let mut judgement = Judgement { all: server.pins.hold_all(), detail, ..Judgement::default() };
    let entry = match server.pins.entry {
        EntryState::Same => None,
        EntryState::New => Some((Change::New, Vec::new())),
        EntryState::Changed => Some((
            Change::Changed,
            vec!["what it starts, connects to or passes on is not what was locked".to_owned()],
        )),
    };
    if let Some((change, words)) = entry {
        judgement.add(server, Subject::Entry, change, words);
    }
    let nothing = LockedServer::default();
    let locked = match (&server.pins.locked, lists) {
        (_, None) => return judgement,
        (Some(locked), _) => &**locked,
        // That it is new says all.
        (None, _) if server.pins.entry == EntryState::New => return judgement,
        (None, _) => &nothing,
    };
    if let Some(lists) = lists {
        judgement.instructions(server, locked, lists);
        for kind in ListKind::ALL {
            judgement.list(server, kind, items_of(locked, kind), lists);
        }
    }
    judgement
}

/// What is to be written down of `server`, in a lock file with this salt, for it to count as approved.
#[must_use]
pub fn approve(server: &Server, lists: &ServerLists, salt: &str) -> LockedServer {
    let all = |kind: ListKind| {
        let mut items = BTreeMap::new();
        for item in lists.of(kind) {
            // Of two under one name the first is shown.
            items.entry(item.key.clone()).or_insert_with(|| locked_item(item.raw.get()));
        }
        items
    };
    LockedServer {
        entry: pin_digest(server, salt),
        instructions: lists.instructions.as_ref().map(|text| locked_item(&quoted(text))),
        tools: all(ListKind::Tools),
        prompts: all(ListKind::Prompts),
        resources: all(ListKind::Resources),
        resource_templates: all(ListKind::Templates),
    }
}

fn locked_item(json: &str) -> LockedItem {
    let text = canonical(json);
    let definition = RawValue::from_string(text).or_else(|_| RawValue::from_string(json.to_owned()));
    LockedItem { digest: digest(json), definition: definition.unwrap_or_default() }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn items_of(locked: &LockedServer, kind: ListKind) -> &BTreeMap<String, LockedItem> {
    match kind {
        ListKind::Tools => &locked.tools,
        ListKind::Prompts => &locked.prompts,
        ListKind::Resources => &locked.resources,
        ListKind::Templates => &locked.resource_templates,
    }
}

impl Judgement {
    fn add(&mut self, server: &Server, subject: Subject, change: Change, words: Vec<String>) {
        if let Subject::Item(kind, key) = &subject
            && server.pins.are_enforced()
            && change != Change::Gone
        {
            self.held[*kind as usize].insert(key.clone(), self.differences.len());
        }
        self.differences.push(Difference { server: server.name.clone(), subject, change, words });
    }

    fn instructions(&mut self, server: &Server, locked: &LockedServer, lists: &ServerLists) {
        let now = lists.instructions.as_ref().map(|text| quoted(text));
        let (change, words) = match (&locked.instructions, &now) {
            (None, Some(_)) => (Change::New, Vec::new()),
            (Some(was), Some(now)) if was.digest != digest(now) => {
                (Change::Changed, words(was.definition.get(), now, self.detail))
            }
            (Some(_), None) => (Change::Gone, Vec::new()),
            _ => return,
        };
        self.instructions = server.pins.are_enforced() && change != Change::Gone;
        self.add(server, Subject::Instructions, change, words);
    }

    fn list(
        &mut self,
        server: &Server,
        kind: ListKind,
        locked: &BTreeMap<String, LockedItem>,
        lists: &ServerLists,
    ) {
        for Item { key, raw } in lists.of(kind) {
            let (change, words) = match locked.get(key) {
                Some(was) if was.digest == digest(raw.get()) => continue,
                Some(was) => (Change::Changed, words(was.definition.get(), raw.get(), self.detail)),
                None => (Change::New, Vec::new()),
            };
            self.add(server, Subject::Item(kind, key.clone()), change, words);
        }
        if lists.incomplete {
            return;
        }
        let gone = locked.keys().filter(|key| !lists.of(kind).iter().any(|item| item.key == **key));
        for key in gone {
            self.add(server, Subject::Item(kind, key.clone()), Change::Gone, Vec::new());
        }
    }

    /// Everything found.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Why this is held back.
    #[must_use]
    pub fn held(&self, kind: ListKind, own_name: &str) -> Option<&Difference> {
        let at = if self.all { Some(0) } else { self.held[kind as usize].get(own_name).copied() };
        self.differences.get(at?)
    }

    /// What is wrong with the entry.
    #[must_use]
    pub fn of_entry(&self) -> Option<&Difference> {
        self.differences.first().filter(|first| first.subject == Subject::Entry)
    }

    /// True when anything is held back.
    #[must_use]
    pub fn holds_any(&self) -> bool {
        self.all || self.instructions || self.held.iter().any(|held| !held.is_empty())
    }

    /// `lists` without what is held back.
    #[must_use]
    pub fn without_held(&self, lists: &ServerLists) -> ServerLists {
        let shown = |kind: ListKind| {
            let items = lists.of(kind).iter().filter(|item| self.held(kind, &item.key).is_none());
            items.cloned().collect()
        };
        ServerLists {
            tools: shown(ListKind::Tools),
            prompts: shown(ListKind::Prompts),
            resources: shown(ListKind::Resources),
            templates: shown(ListKind::Templates),
            instructions: lists.instructions.clone().filter(|_| !self.instructions),
            capabilities: lists.capabilities.clone(),
            era: lists.era,
            version: lists.version.clone(),
            server_info: lists.server_info.clone(),
            asks: lists.asks,
            incomplete: lists.incomplete,
        }
    }
}

impl Difference {
    /// What a caller is told who asks for it: no text of the server, which nobody has approved.
    #[must_use]
    pub fn denial(&self) -> String {
        let (server, command) = (&self.server, format!("run `mcp-manifold lock --update {}`", self.server));
        match (&self.subject, self.change) {
            (Subject::Entry, Change::Changed) => {
                format!("the entry of server `{server}` changed since it was locked: {command}")
            }
            (Subject::Entry, _) => format!("server `{server}` is not in the lock file: {command}"),
            (subject, Change::Changed) => {
                format!("definition of {} changed since it was locked: {command}", Named(subject))
            }
            (subject, _) => {
                format!("{} of server `{server}` is not in the lock file: {command}", Named(subject))
            }
        }
    }
}

/// A subject by its name alone.
struct Named<'a>(&'a Subject);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Subject::Entry => f.write_str("the entry"),
            Subject::Instructions => f.write_str("the instructions"),
            Subject::Item(_, name) => write!(f, "`{}`", clean(name, NAME)),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.subject {
            Subject::Item(kind, _) => format!("{} ", kind.word()),
            _ => String::new(),
        };
        let how = match self.change {
            Change::New => "is new",
            Change::Changed => "changed",
            Change::Gone => "is gone",
        };
        write!(f, "{}: {kind}{} {how}", self.server, Named(&self.subject))?;
        if !self.words.is_empty() {
            write!(f, ": {}", self.words.join("; "))?;
        }
        Ok(())
    }
}
