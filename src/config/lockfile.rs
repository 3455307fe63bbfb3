//! `mcp.lock.json`: what an administrator has seen and approved of each server.
//!
//! It is read and written here; whether a definition is the approved one is `catalog/lock.rs`. No value that could be
//! secret goes into it.

use crate::config::canon;
use crate::config::digest::pin_digest;
use crate::config::model::Config;
use crate::config::model::Server;
use crate::secret::hex::hex;
use crate::telemetry::clean::clean;
use crate::telemetry::clean::seen_json;
use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// The format of the file.
pub const FORMAT: u32 = 1;
/// The end of the name of a lock file.
pub const ENDING: &str = ".lock.json";
/// Longest name shown, in bytes.
const NAME: usize = 120;

/// What happens to what is new or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockMode {
    /// Nothing: there is no lock file.
    #[default]
    Off,
    /// It is reported.
    Warn,
    /// It is reported, hidden, and cannot be called.
    Enforce,
}

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockFile {
    lockfile_version: u32,
    /// Goes into the digests of entries.
    #[serde(default)]
    pub salt: String,
    /// By the name of the entry.
    pub servers: BTreeMap<String, Arc<LockedServer>>,
}

/// What was approved of one server.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockedServer {
    /// [`pin_digest`] of its entry.
    pub entry: String,
    /// Its instructions, when it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<LockedItem>,
    /// By own name.
    pub tools: BTreeMap<String, LockedItem>,
    /// By own name.
    pub prompts: BTreeMap<String, LockedItem>,
    /// By URI.
    pub resources: BTreeMap<String, LockedItem>,
    /// By URI template.
    pub resource_templates: BTreeMap<String, LockedItem>,
}

/// A definition that was approved.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LockedItem {
    /// What counts.
    pub digest: String,
    /// The definition, to say in words what changed.
    pub definition: Box<RawValue>,
}

impl PartialEq for LockedItem {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest && self.definition.get() == other.definition.get()
    }
}

/// What the lock file says of the entry of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EntryState {
    /// It was approved as it is.
    #[default]
    Same,
    /// It is not in the lock file, or there is none.
    New,
    /// It starts or connects to something else than what was approved.
    Changed,
}

/// What was approved of a server, as a part of its checked entry.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pins {
    /// What happens to what was not.
    pub mode: LockMode,
    /// How its entry stands.
    pub entry: EntryState,
    /// A digest of its entry as it stands in the file, without secrets; it is not to be stored unsalted.
    pub written: String,
    /// Its definitions.
    pub locked: Option<Arc<LockedServer>>,
}

/// Why a lock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    /// It was changed by something else, or is cut off.
    #[error("it is no lock file: {0}")]
    Corrupt(#[from] serde_json::Error),
    /// A newer release wrote it.
    #[error("it has format {0}, and this release reads format {FORMAT}")]
    OtherFormat(u32),
    /// What somebody reads there is not what was approved.
    #[error("the digest of {what} of server `{server}` is not that of the definition beside it")]
    Mismatch {
        /// Whose it is.
        server: String,
        /// Which definition, safe to show.
        what: String,
    },
}

impl LockFile {
    /// One without servers.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new() -> io::Result<Self> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        Ok(Self { lockfile_version: FORMAT, salt: hex(&salt), servers: BTreeMap::new() })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`LockFileError`]
    pub fn parse(text: &str) -> Result<Self, LockFileError> {
        let file: Self = serde_json::from_str(text)?;
        if file.lockfile_version != FORMAT {
            return Err(LockFileError::OtherFormat(file.lockfile_version));
        }
        file.servers.iter().try_for_each(|(name, server)| server.verify(name))?;
        Ok(file)
    }

    /// Its text: a definition to a line, with every hidden character to be seen.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = seen_json(&serde_json::to_string_pretty(self).unwrap_or_default());
        text.push('\n');
        text
    }

    /// Puts it in place of the file at `path`, in one step, and on the disk. A link stays one.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let number = getrandom::u64().map_err(io::Error::other)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".new-{number:016x}"));
        let temporary = path.with_file_name(name);
        let written = fs::File::create_new(&temporary).and_then(|mut file| {
            file.write_all(self.to_text().as_bytes())?;
            file.sync_all()?;
            drop(file);
            fs::rename(&temporary, path)
        });
        written.inspect_err(|_| _ = fs::remove_file(&temporary))
    }
}

impl LockedServer {
    /// Every definition is the one that its digest is of: what people read there is what counts.
    fn verify(&self, name: &str) -> Result<(), LockFileError> {
        let kinds = [
            ("tool", &self.tools),
            ("prompt", &self.prompts),
            ("resource", &self.resources),
            ("template", &self.resource_templates),
        ];
        let items = kinds.into_iter().flat_map(|(kind, items)| {
            items.iter().map(move |(key, item)| (format!("{kind} `{}`", clean(key, NAME)), item))
        });
        let instructions = self.instructions.iter().map(|item| ("the instructions".to_owned(), item));
        match items.chain(instructions).find(|(_, item)| item.digest != canon::digest(item.definition.get()))
        {
            None => Ok(()),
            Some((what, _)) => Err(LockFileError::Mismatch { server: clean(name, NAME), what }),
        }
    }
}

impl Config {
    /// Gives every server what `file` says of it; no file approves nothing.
    pub fn pin(&mut self, mode: LockMode, file: Option<&LockFile>) {
        self.settings.lock = mode;
        for server in self.servers.values_mut() {
            let pins = Pins::of(server, mode, file);
            Arc::make_mut(server).pins = pins;
        }
    }
}

impl Pins {
    /// What `file` says of `server`; no file is one without servers.
    #[must_use]
    pub fn of(server: &Server, mode: LockMode, file: Option<&LockFile>) -> Self {
        let written = server.pins.written.clone();
        if mode == LockMode::Off {
            return Self { written, ..Self::default() };
        }
        let salt = file.map_or("", |file| &file.salt);
        let locked = file.and_then(|file| file.servers.get(server.name.as_str())).cloned();
        let entry = match &locked {
            None => EntryState::New,
            Some(locked) if locked.entry == pin_digest(server, salt) => EntryState::Same,
            Some(_) => EntryState::Changed,
        };
        Self { mode, entry, written, locked }
    }

    /// True when nothing of the server may be shown, called or started.
    #[must_use]
    pub fn hold_all(&self) -> bool {
        self.mode == LockMode::Enforce && self.entry != EntryState::Same
    }

    /// True when what was not approved is held back.
    #[must_use]
    pub fn are_enforced(&self) -> bool {
        self.mode == LockMode::Enforce
    }
}

/// The lock file of the configuration file `config`: `mcp.json` has `mcp.lock.json`.
#[must_use]
pub fn path_for(config: &Path) -> PathBuf {
    let name = config.file_name().unwrap_or_default().to_string_lossy();
    let stem = [".jsonc", ".json5", ".json"].iter().find_map(|ending| name.strip_suffix(ending));
    config.with_file_name(format!("{}{ENDING}", stem.unwrap_or(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_beside_the_file() {
        for (config, lock) in [
            ("/w/mcp.json", "/w/mcp.lock.json"),
            (".mcp.json", ".mcp.lock.json"),
            ("a.jsonc", "a.lock.json"),
            ("x", "x.lock.json"),
        ] {
            assert_eq!(path_for(Path::new(config)), Path::new(lock));
        }
    }

    #[test]
    fn hidden_characters_are_written_so_that_they_are_seen_and_come_back() {
        let definition = serde_json::to_string("a\u{200b}b\u{e0041}\u{7f}").unwrap();
        let (digest, definition) = (canon::digest(&definition), RawValue::from_string(definition).unwrap());
        let item = LockedItem { digest, definition };
        let server = LockedServer { instructions: Some(item), ..LockedServer::default() };
        let mut file = LockFile::new().unwrap();
        file.servers.insert("s".to_owned(), Arc::new(server));
        let text = file.to_text();
        assert!(text.contains(r"a\u200bb\udb40\udc41\u007f"), "{text}");
        let back = LockFile::parse(&text).unwrap();
        let said = &back.servers["s"].instructions.as_ref().unwrap().definition;
        assert_eq!(serde_json::from_str::<String>(said.get()).unwrap(), "a\u{200b}b\u{e0041}\u{7f}");
        assert!(matches!(
            LockFile::parse(r#"{"lockfileVersion":9,"servers":{}}"#),
            Err(LockFileError::OtherFormat(9))
        ));
        assert!(LockFile::parse("{").is_err());
        let harmless = text.replace("a\\u200bb", "harmless");
        assert_ne!(harmless, text);
        let refused = LockFile::parse(&harmless).unwrap_err().to_string();
        assert!(refused.contains("the instructions of server `s`"), "{refused}");
    }
}
