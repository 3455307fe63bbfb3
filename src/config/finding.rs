//! What the steps of loading find wrong, still without line numbers.
//!
//! A finding knows only the byte offset it is about; `problem.rs` turns it into something to show.

use crate::config::problem::Severity;

/// Something wrong at one byte offset of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Byte offset into the text without its byte order mark.
    pub at: usize,
    /// What was seen: a lower-case fragment.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    /// Adds what to do about it.
    pub fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }
}

/// A growing list of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    list: Vec<Finding>,
}

impl Findings {
    /// Adds an error: what it is about is not used.
    pub fn error(&mut self, at: usize, text: impl Into<String>) -> &mut Finding {
        self.add(Severity::Error, at, text.into())
    }

    /// Adds a warning: it is used, perhaps not as meant.
    pub fn warn(&mut self, at: usize, text: impl Into<String>) -> &mut Finding {
        self.add(Severity::Warning, at, text.into())
    }

    /// Adds a note: how something was read.
    pub fn note(&mut self, at: usize, text: impl Into<String>) -> &mut Finding {
        self.add(Severity::Note, at, text.into())
    }

    fn add(&mut self, severity: Severity, at: usize, text: String) -> &mut Finding {
        self.list.push(Finding { severity, at, text, hint: None });
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// The first error, in the order found.
    #[must_use]
    pub fn first_error(&self) -> Option<&Finding> {
        self.list.iter().find(|finding| finding.severity == Severity::Error)
    }

    /// Adds all of `other`.
    pub fn append(&mut self, other: Findings) {
        self.list.extend(other.list);
    }

    /// All of them, in the order found.
    #[must_use]
    pub fn into_list(self) -> Vec<Finding> {
        self.list
    }
}
