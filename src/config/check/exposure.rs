//! Whether somebody else could change who may use what, or read the secrets of callers: modes and owners of files.
//!
//! It reads none of them. Elsewhere than on Unix modes are not looked at.

use crate::config::environment::Environment;
use crate::config::finding::Findings;
use crate::config::model::Settings;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use std::path::Path;

/// How a file is open to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exposure {
    /// Everybody on this machine can change it.
    #[error("every user of this machine can change it (mode {0:03o}): `chmod go-w` it")]
    Everybody(u32),
    /// Those of its group can change it.
    #[error("the users of its group can change it (mode {0:03o}): `chmod go-w` it unless they may")]
    Group(u32),
    /// Somebody else owns it, who is not root.
    #[error("it belongs to another user (uid {0}), who can change it: make a copy that is yours")]
    Foreign(u32),
}

/// How the file at `path` can be changed by others than `user`, if it is there.
#[must_use]
pub fn of(path: &Path, user: Option<u32>) -> Option<Exposure> {
    let (owner, mode) = look(path)?;
    if user.is_some_and(|user| user != owner && owner != 0) {
        return Some(Exposure::Foreign(owner));
    }
    match mode {
        mode if mode & 0o002 != 0 => Some(Exposure::Everybody(mode)),
        mode if mode & 0o020 != 0 => Some(Exposure::Group(mode)),
        _ => None,
    }
}

/// Checks the file at `path`, called `what`, whose place is `at`. `guards`: it says who may use what. False when it must not be
/// used.
pub fn check(
    path: &Path,
    what: &str,
    at: usize,
    guards: bool,
    environment: &Environment,
    findings: &mut Findings,
) -> bool {
    let user = environment.user_id();
    let Some(exposure) = of(path, user) else { return true };
    let text = format!("{what} says who may use what, and {exposure}");
    match exposure {
        // In containers root often reads what belongs to the user outside.
        Exposure::Foreign(_) if user == Some(0) && !guards => {}
        Exposure::Foreign(_) if user == Some(0) => _ = findings.warn(at, text),
        Exposure::Everybody(_) | Exposure::Foreign(_) if guards => {
            findings.error(at, text);
            return false;
        }
        Exposure::Everybody(_) | Exposure::Foreign(_) => {
            findings.warn(at, format!("{what} says what is started, and {exposure}"));
        }
        // The default of many systems, where each user has a group of their own.
        Exposure::Group(_) => _ = findings.note(at, text),
    }
    true
}

/// Checks the file of the configuration itself. False when it must not be used.
pub fn check_file(
    path: &Path,
    gateway: Option<&Node>,
    settings: &Settings,
    environment: &Environment,
    findings: &mut Findings,
) -> bool {
    if let Some((_, mode)) = look(path)
        && mode & 0o004 != 0
        && gateway.is_some_and(holds_secrets)
    {
        let text = format!(
            "every user of this machine can read the secrets of callers in this file (mode {mode:03o})"
        );
        findings.warn(0, text).hint("`chmod 600` it, or take them from variables: `${NAME}`");
    }
    let guards =
        settings.access.is_some() || settings.rules.is_some() || settings.auth.asks_for_credentials();
    check(path, "this file", 0, guards, environment, findings)
}

/// True when a token or password of callers stands there as it is.
fn holds_secrets(gateway: &Node) -> bool {
    let at = |node: &Node, key: &str| node.get(key).map(|member| &member.node).cloned();
    let items = |node: Option<Node>| match node.map(|node| node.value) {
        Some(Value::List(items)) => items,
        _ => Vec::new(),
    };
    let is_plain = |node: &Node| node.text().is_some_and(|text| !text.contains("${"));
    let tokens = items(at(gateway, "http").and_then(|http| at(&http, "bearerTokens")));
    let users = items(at(gateway, "auth").and_then(|auth| at(&auth, "basic")));
    tokens.iter().any(is_plain)
        || users.iter().filter_map(|user| user.get("password")).any(|member| is_plain(&member.node))
}

/// The owner and the mode of a file.
#[cfg(unix)]
fn look(path: &Path) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some((found.uid(), found.mode() & 0o777))
}

#[cfg(not(unix))]
fn look(_: &Path) -> Option<(u32, u32)> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::config::finding::Finding;
    use crate::config::problem::Severity;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn who_else_can_change_a_file_counts_where_it_says_who_may_use_what() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mcp.json");
        std::fs::write(&path, "{}").unwrap();
        let owner = path.metadata().unwrap().uid();
        let found = |mode, guards, user| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let environment = Environment::new([("HOME", "/h")], "/h").user(user);
            let mut findings = Findings::default();
            let usable = check(&path, "it", 0, guards, &environment, &mut findings);
            let worst = findings.into_list().iter().map(|Finding { severity, .. }| *severity).max();
            (usable, worst)
        };
        for (mode, guards, usable, worst) in [
            (0o600, true, true, None),
            (0o644, true, true, None),
            (0o664, true, true, Some(Severity::Note)),
            (0o666, false, true, Some(Severity::Warning)),
            (0o666, true, false, Some(Severity::Error)),
            (0o602, true, false, Some(Severity::Error)),
        ] {
            assert_eq!(found(mode, guards, owner), (usable, worst), "{mode:o}, {guards}");
        }
        assert_eq!(of(&path, Some(owner)), Some(Exposure::Everybody(0o602)));
        if owner == 0 {
            assert_eq!(found(0o600, true, 7), (true, None), "root may own it");
        } else {
            assert_eq!(found(0o600, true, owner + 1), (false, Some(Severity::Error)));
            assert_eq!(found(0o600, true, 0), (true, Some(Severity::Warning)), "root of a container");
        }
    }
}
