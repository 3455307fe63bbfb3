//! What is checked of calls to one server: its arguments, the size of its results.
//!
//! It holds what the file says; `gateway/checks.rs` checks.

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checks {
    /// Whether arguments are held against the schema of the tool. `None`: those of programs and commands are, what a
    /// client sends is not.
    pub arguments: Option<bool>,
    /// Longest result, in bytes.
    pub result_limit: Option<usize>,
}
