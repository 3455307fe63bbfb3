//! What a tool says of itself: whether it may be called twice.
//!
//! Hints are believed only where the file says so (2025-11-25, `ToolAnnotations`: they come from the server).

use crate::catalog::merge::Exposed;
use crate::config::model::terms::Retry;
use serde::Deserialize;

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    annotations: Hints,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Hints {
    read_only_hint: bool,
    idempotent_hint: bool,
}

/// True when a call of `tool` may be sent twice where the file allows `allowed`.
#[must_use]
pub fn allow(tool: &Exposed, allowed: Retry) -> bool {
    let Ok(Said { annotations: hints }) = serde_json::from_str(tool.raw.get()) else { return false };
    match allowed {
        Retry::Never => false,
        Retry::ReadOnly => hints.read_only_hint,
        Retry::Idempotent => hints.read_only_hint || hints.idempotent_hint,
    }
}
