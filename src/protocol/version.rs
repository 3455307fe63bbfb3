//! Protocol revisions and the two eras.
//!
//! Source: the specification's `basic/versioning` page; the constants come from `rmcp`.

use rmcp::model::ProtocolVersion;

/// How two peers talk: with an `initialize` handshake, or with everything in each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    /// 2024-11-05 … 2025-11-25: `initialize`, a session, requests in both directions.
    Legacy,
    /// 2026-07-28: stateless, `_meta` in every request, no requests from servers.
    Modern,
}

/// The newest legacy revision, offered to servers and answered to clients that ask for an unknown one.
pub const NEWEST_LEGACY: &str = "2025-11-25";
/// The newest modern revision.
pub const NEWEST_MODERN: &str = "2026-07-28";
/// What an HTTP request without `MCP-Protocol-Version` is taken for (`basic/transports`, 2025-11-25).
pub const ASSUMED_WITHOUT_HEADER: &str = "2025-03-26";

/// All revisions this gateway speaks to clients, oldest first.
#[must_use]
pub fn supported() -> Vec<&'static str> {
    ProtocolVersion::KNOWN_VERSIONS.iter().filter_map(|v| canonical(v.as_str())).collect()
}

/// The `'static` spelling of a revision we speak, or `None`.
///
/// ```
/// use mcp_manifold::protocol::version;
/// assert_eq!(version::canonical("2025-06-18"), Some("2025-06-18"));
/// assert_eq!(version::canonical("1999-01-01"), None);
/// ```
#[must_use]
pub fn canonical(version: &str) -> Option<&'static str> {
    ["2024-11-05", "2025-03-26", "2025-06-18", NEWEST_LEGACY, NEWEST_MODERN]
        .into_iter()
        .find(|v| *v == version)
}

/// The era of a revision we speak; unknown revisions have none.
#[must_use]
pub fn era_of(version: &str) -> Option<Era> {
    canonical(version).map(|v| if v == NEWEST_MODERN { Era::Modern } else { Era::Legacy })
}

/// The revision answered to `initialize`: the one asked for if it is a legacy one we speak, else the newest legacy.
///
/// ```
/// use mcp_manifold::protocol::version::negotiate_legacy;
/// assert_eq!(negotiate_legacy("2024-11-05"), "2024-11-05");
/// assert_eq!(negotiate_legacy("2026-07-28"), "2025-11-25");
/// ```
#[must_use]
pub fn negotiate_legacy(asked: &str) -> &'static str {
    match (canonical(asked), era_of(asked)) {
        (Some(version), Some(Era::Legacy)) => version,
        _ => NEWEST_LEGACY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_list_is_the_list_of_rmcp() {
        let known: Vec<&str> = ProtocolVersion::KNOWN_VERSIONS.iter().map(|v| v.as_str()).collect();
        assert_eq!(supported(), known);
    }
}
