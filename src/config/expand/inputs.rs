//! The `inputs` of VS Code: named values that its user is asked for.
//!
//! Nobody is asked here: a value comes from `INPUT_<ID>` in the environment, or from the input's `default`.

use crate::config::finding::Findings;
use crate::config::syntax::Node;
use crate::config::syntax::Value;

/// The inputs a file declares.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    list: Vec<(String, Option<String>)>,
}

impl Inputs {
    /// Reads the `inputs` list.
    pub fn read(node: Option<&Node>, findings: &mut Findings) -> Self {
        let mut inputs = Self::default();
        let Some(node) = node else { return inputs };
        let Value::List(items) = &node.value else {
            findings.warn(node.start, format!("`inputs` must be a list, not {}", node.kind()));
            return inputs;
        };
        for item in items {
            match item.get("id").and_then(|member| member.node.text()) {
                Some(id) => {
                    let default = item.get("default").and_then(|member| member.node.text());
                    inputs.list.push((id.to_owned(), default.map(str::to_owned)));
                }
                None => {
                    findings.warn(item.start, "an input needs an `id`");
                }
            }
        }
        inputs
    }

    /// True when the file declares the input.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.list.iter().any(|(known, _)| known == id)
    }

    /// The default of an input, when it has one.
    #[must_use]
    pub fn default_of(&self, id: &str) -> Option<&str> {
        self.list.iter().find(|(known, _)| known == id).and_then(|(_, default)| default.as_deref())
    }
}

/// The variable that gives input `id` its value: `github-token` → `INPUT_GITHUB_TOKEN`.
#[must_use]
pub fn variable(id: &str) -> String {
    let tail = id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    "INPUT_".chars().chain(tail).collect()
}
