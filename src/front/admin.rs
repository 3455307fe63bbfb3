//! Pages for the person who runs the gateway: is it alive, and how are its servers.
//!
//! It only reads. Who may see these pages is decided by the HTTP front: programs on this machine, on an address that
//! only this machine reaches, and no proxy in between.

use serde_json::Value;
use serde_json::json;

/// Where the state of the gateway is shown.
pub const STATUS: &str = "/status";
/// Where a supervisor asks whether the process serves requests. The only page that never needs a token.
pub const HEALTH: &str = "/healthz";

/// True for a path of this module.
#[must_use]
pub fn knows(path: &str) -> bool {
    path == STATUS || path == HEALTH
}

/// The JSON text of the page at `path`; `None` when there is no such page. `status` is asked only where it is shown.
#[must_use]
pub fn page(path: &str, status: impl FnOnce() -> Value) -> Option<String> {
    match path {
        STATUS => Some(status().to_string()),
        HEALTH => Some(json!({"status": "ok"}).to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_path_has_a_page_and_no_other() {
        for path in [STATUS, HEALTH] {
            assert!(knows(path) && page(path, || json!({"servers": []})).is_some());
        }
        assert!(!knows("/") && page("/", || Value::Null).is_none());
        assert_eq!(page(STATUS, || json!({"servers": []})).unwrap(), r#"{"servers":[]}"#);
    }
}
