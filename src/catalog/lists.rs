//! What one server offers, as it was read from it: every item with its raw text.
//!
//! Nothing here is renamed or filtered; that is `catalog/merge.rs`.

use crate::protocol::version::Era;
use crate::wire::members::Members;
use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;

/// The four lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListKind {
    /// `tools/list`
    Tools,
    /// `prompts/list`
    Prompts,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
}

impl ListKind {
    /// All four, in the order they are read.
    pub const ALL: [Self; 4] = [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];

    /// The method that lists it.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
        }
    }

    /// The member of the result that holds the items.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// One of its items, as a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tools => "tool",
            Self::Prompts => "prompt",
            Self::Resources => "resource",
            Self::Templates => "resource template",
        }
    }

    /// The member of an item that identifies it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }
}

/// One tool, prompt, resource or template.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Item {
    /// Its own name, URI or URI template.
    pub key: String,
    /// The whole item as the server sent it (line breaks outside strings removed).
    pub raw: Box<RawValue>,
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.raw.get() == other.raw.get()
    }
}

/// Everything one server said about itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerLists {
    /// The era it speaks; remembered so that the next start need not find out.
    pub era: Era,
    /// The protocol revision it speaks.
    pub version: String,
    /// Its `capabilities` object, raw.
    pub capabilities: Box<RawValue>,
    /// Its `serverInfo`, raw.
    pub server_info: Option<Box<RawValue>>,
    /// Its `instructions`.
    pub instructions: Option<String>,
    /// Its tools, in its order.
    pub tools: Vec<Item>,
    /// Its prompts.
    pub prompts: Vec<Item>,
    /// Its resources.
    pub resources: Vec<Item>,
    /// Its resource templates.
    pub templates: Vec<Item>,
    /// It was seen asking its client for something (roots, sampling, elicitation): each session may want a connection of
    /// its own.
    #[serde(default)]
    pub asks: bool,
    /// A list could not be read and nothing was known of it: it is not saved, and read again.
    #[serde(skip)]
    pub incomplete: bool,
}

impl ServerLists {
    /// The items of one list.
    #[must_use]
    pub fn of(&self, kind: ListKind) -> &[Item] {
        match kind {
            ListKind::Tools => &self.tools,
            ListKind::Prompts => &self.prompts,
            ListKind::Resources => &self.resources,
            ListKind::Templates => &self.templates,
        }
    }
}

impl ServerLists {
    /// True when its tools can be called as tasks of 2025-11-25.
    #[must_use]
    pub fn runs_tasks(&self) -> bool {
        let member = |raw: &RawValue, key: &str| {
            let members = Members::parse_with_duplicates(raw.get()).ok()?;
            Some(members.get(key)?.to_owned())
        };
        let path = ["tasks", "requests", "tools"];
        let found = path.iter().try_fold(self.capabilities.clone(), |raw, key| member(&raw, key));
        self.era == Era::Legacy && found.is_some_and(|tools| member(&tools, "call").is_some())
    }
}

impl PartialEq for ServerLists {
    fn eq(&self, other: &Self) -> bool {
        let text = |raw: &Option<Box<RawValue>>| raw.as_ref().map(|r| r.get().to_owned());
        self.era == other.era
            && self.version == other.version
            && self.capabilities.get() == other.capabilities.get()
            && text(&self.server_info) == text(&other.server_info)
            && self.instructions == other.instructions
            && self.asks == other.asks
            && ListKind::ALL.iter().all(|kind| self.of(*kind) == other.of(*kind))
    }
}
