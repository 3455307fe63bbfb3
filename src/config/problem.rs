//! Something wrong in the user's file, with its place, ready to be shown.
//!
//! It never carries a value that could be a secret: texts name keys and kinds, not what was expanded.

use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// How something was read; nothing to mend.
    Note,
    /// Used, but perhaps not as meant.
    Warning,
    /// The entry, or the whole file, is not used.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One problem of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as the user named it.
    pub file: Arc<str>,
    /// Where in the file's structure, for example `mcpServers.files.command`; empty for the whole file.
    pub place: String,
    /// The entry it belongs to, when it belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What was seen: a lower-case fragment.
    pub text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}: ", self.file, self.line, self.column, self.severity)?;
        if let Some(server) = &self.server {
            write!(f, "server `{server}`: ")?;
        }
        f.write_str(&self.text)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Counts in words: `2 errors and 1 warning`, `no problems`. Notes are counted only when there is nothing worse.
///
/// ```
/// assert_eq!(mcp_manifold::config::problem::summary(&[]), "no problems");
/// ```
#[must_use]
pub fn summary(problems: &[Problem]) -> String {
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    match (errors, warnings, notes) {
        (0, 0, 0) => "no problems".to_owned(),
        (0, 0, notes) => plural(notes, "note"),
        (0, warnings, _) => plural(warnings, "warning"),
        (errors, 0, _) => plural(errors, "error"),
        (errors, warnings, _) => format!("{} and {}", plural(errors, "error"), plural(warnings, "warning")),
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// `text` with control characters made visible, so that a file cannot write to the reader's terminal.
#[must_use]
pub fn visible(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(severity: Severity) -> Problem {
        Problem {
            severity,
            file: "mcp.json".into(),
            place: "mcpServers.files.comand".into(),
            server: Some("files".into()),
            line: 12,
            column: 7,
            text: "unknown key `comand`".into(),
            hint: Some("did you mean `command`?".into()),
        }
    }

    #[test]
    fn shows_place_server_text_and_hint() {
        assert_eq!(
            problem(Severity::Warning).to_string(),
            "mcp.json:12:7: warning: server `files`: unknown key `comand`\n  hint: did you mean `command`?"
        );
    }

    #[test]
    fn counts_in_words() {
        let (error, warning, note) =
            (problem(Severity::Error), problem(Severity::Warning), problem(Severity::Note));
        assert_eq!(summary(std::slice::from_ref(&note)), "1 note");
        assert_eq!(summary(&[error.clone(), note.clone()]), "1 error");
        assert_eq!(summary(&[error.clone(), error, warning, note]), "2 errors and 1 warning");
    }

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(visible("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
    }
}
