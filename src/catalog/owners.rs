//! Who held which exposed name or URI so far, so that a later arrival never takes it over.
//!
//! It does not decide who wins: that is `catalog/merge.rs`, which returns the next `Owners`.

use crate::catalog::lists::ListKind;
use crate::catalog::route::Route;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// Exposed name, or URI, to its owner.
pub type Held = BTreeMap<String, Route>;

/// The owners of all four lists, as they are kept between runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owners {
    tools: Held,
    prompts: Held,
    resources: Held,
    templates: Held,
}

impl Owners {
    /// The owners within one list.
    #[must_use]
    pub fn of(&self, kind: ListKind) -> &Held {
        match kind {
            ListKind::Tools => &self.tools,
            ListKind::Prompts => &self.prompts,
            ListKind::Resources => &self.resources,
            ListKind::Templates => &self.templates,
        }
    }

    /// Replaces the owners within one list.
    pub fn set(&mut self, kind: ListKind, held: Held) {
        match kind {
            ListKind::Tools => self.tools = held,
            ListKind::Prompts => self.prompts = held,
            ListKind::Resources => self.resources = held,
            ListKind::Templates => self.templates = held,
        }
    }
}
