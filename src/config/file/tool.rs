//! What an entry says about some of its tools, as users write it, for the JSON Schema.
//!
//! `check/tool_terms.rs` is what reads it.

use schemars::JsonSchema;

/// What holds for these tools instead of what the entry says.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Tool {
    /// Longest time without an answer or progress for one call.
    pub call_timeout: Option<String>,
    /// Longest time for one call, whatever progress it reports.
    pub max_call_time: Option<String>,
    /// Which calls are sent once more when the server ended before it answered.
    pub retry: Option<RetryName>,
}

/// Which calls are sent once more. A tool that says nothing of itself is never called twice.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub enum RetryName {
    /// None.
    Never,
    /// Those of tools with `readOnlyHint`.
    ReadOnly,
    /// Those of tools with `readOnlyHint` or `idempotentHint`.
    Idempotent,
}
