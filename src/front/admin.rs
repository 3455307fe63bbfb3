//! Pages for the person who runs the gateway: is it alive, does it take requests, and how are its servers.
//!
//! It only reads. Who may see these pages is decided by the HTTP front: programs on this machine, on an address that
//! only this machine reaches, and no proxy in between.

use serde_json::Value;
use serde_json::json;

/// Where the state of the gateway is shown.
pub const STATUS: &str = "/status";
/// Where a supervisor asks whether the process serves requests.
pub const HEALTH: &str = "/healthz";
/// Where it asks whether requests are to be sent here.
pub const READY: &str = "/readyz";

/// A page.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// True for an answer that says no: 503.
    pub unavailable: bool,
    /// JSON text.
    pub text: String,
}

/// True for a page that says yes or no and nothing else: it never needs a token.
#[must_use]
pub fn is_open(path: &str) -> bool {
    matches!(path, HEALTH | READY)
}

/// The page at `path`; `None` when there is none. `unready` is why requests are better sent elsewhere; `status` is asked
/// only where it is shown.
#[must_use]
pub fn page(path: &str, unready: Option<&str>, status: impl FnOnce() -> Value) -> Option<Page> {
    let yes = |page: &Value| Some(Page { unavailable: false, text: page.to_string() });
    match (path, unready) {
        (STATUS, _) => yes(&status()),
        (HEALTH, _) => yes(&json!({"status": "ok"})),
        (READY, None) => yes(&json!({"status": "ready"})),
        (READY, Some(why)) => {
            let text = json!({"status": "not ready", "reason": why}).to_string();
            Some(Page { unavailable: true, text })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &str, unready: Option<&str>) -> Option<(bool, String)> {
        page(path, unready, || json!({"servers": []})).map(|page| (page.unavailable, page.text))
    }

    #[test]
    fn every_known_path_has_a_page_and_no_other() {
        assert!([STATUS, HEALTH, READY].iter().all(|path| shown(path, None).is_some()));
        assert!(shown("/", None).is_none());
        assert!(is_open(HEALTH) && is_open(READY) && !is_open(STATUS));
    }

    #[test]
    fn only_readiness_depends_on_whether_requests_are_taken() {
        for unready in [None, Some("it ends")] {
            assert_eq!(shown(STATUS, unready), Some((false, r#"{"servers":[]}"#.to_owned())));
            assert_eq!(shown(HEALTH, unready), Some((false, r#"{"status":"ok"}"#.to_owned())));
        }
        assert_eq!(shown(READY, None), Some((false, r#"{"status":"ready"}"#.to_owned())));
        let no = r#"{"status":"not ready","reason":"it ends"}"#;
        assert_eq!(shown(READY, Some("it ends")), Some((true, no.to_owned())));
    }
}
