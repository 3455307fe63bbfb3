//! `gateway.lock` and the lock file beside the configuration → what was approved of every server.
//!
//! Only entries are compared here; definitions are not known before a server has told them.

use crate::config::check::section::Section;
use crate::config::dialect::Found;
use crate::config::expand::files::Files;
use crate::config::finding::Findings;
use crate::config::lockfile::EntryState;
use crate::config::lockfile::LockFile;
use crate::config::lockfile::LockMode;
use crate::config::lockfile::path_for;
use crate::config::model::Config;
use std::path::Path;

/// Reads `gateway.lock`.
pub fn mode(section: &mut Section<'_>, findings: &mut Findings) -> LockMode {
    let Some(node) = section.text("lock", findings) else { return LockMode::Off };
    match node.text() {
        Some("off") => LockMode::Off,
        Some("warn") => LockMode::Warn,
        Some("enforce") => LockMode::Enforce,
        _ => {
            findings.error(node.start, "`gateway.lock` must be `off`, `warn` or `enforce`");
            LockMode::Off
        }
    }
}

/// Gives every server of `config`, which stands in the file at `path`, what its lock file says of it. `None` when that
/// cannot be used: then nothing is known to be approved, and the file is refused.
pub fn pin(
    mut config: Config,
    path: &Path,
    found: &Found<'_>,
    files: &mut Files,
    findings: &mut Findings,
) -> Option<Config> {
    let mode = config.settings.lock;
    if mode == LockMode::Off {
        return Some(config);
    }
    let at = found.gateway.and_then(|gateway| gateway.get("lock")).map_or(0, |lock| lock.node.start);
    let lock = path_for(path);
    // It is asked for even when it is not there: then it is followed, and comes into use when it is written.
    let text = files.read(&lock);
    let parsed = match text {
        Ok(text) => LockFile::parse(&text).map(Some).map_err(|error| error.to_string()),
        Err(_) if !lock.exists() => Ok(None),
        Err(why) => Err(why),
    };
    let file = parsed
        .map_err(|why| {
            let text = format!("the lock file `{}` cannot be used: {why}", lock.display());
            findings.error(at, text).hint("restore it, or remove it and run `mcp-manifold lock`");
        })
        .ok()?;
    if file.is_none() {
        let text = format!("there is no lock file `{}`, so that nothing is approved", lock.display());
        findings.warn(at, text).hint("run `mcp-manifold lock`");
    }
    config.pin(mode, file.as_ref());
    for server in config.servers.values().filter(|_| file.is_some()) {
        let words = match server.pins.entry {
            EntryState::Same => continue,
            EntryState::New => "is not in the lock file",
            EntryState::Changed => "changed since it was locked",
        };
        let entry = found.entries.iter().find(|raw| raw.name == server.name.as_str());
        let effect = if mode == LockMode::Enforce { ", and is held back" } else { "" };
        findings
            .warn(entry.map_or(at, |raw| raw.at), format!("the entry `{}` {words}{effect}", server.name))
            .hint(format!("look at it, then run `mcp-manifold lock --update {}`", server.name));
    }
    Some(config)
}
