//! The file with keys, followed: what it says is known at the next question.
//!
//! A file that is gone, open to others or wrong gives no keys at all: who was let in by it is not any more.

use crate::auth::keys::KeyList;
use crate::auth::stamp::Stamp;
use crate::config::model::auth::ApiKey;
use crate::config::model::auth::KeysFile;
use crate::config::private_file;
use crate::config::private_file::Others;
use std::fs::File;
use std::io::Read;
use std::time::Duration;
use tokio::time::Instant;

/// Longest file, in bytes.
const LONGEST: u64 = 16 << 20;
/// How often it is looked for a file that nobody named and that is not there.
const SELDOM: Duration = Duration::from_millis(500);

/// The file and what it said last.
#[derive(Debug)]
pub struct KeyStore {
    file: KeysFile,
    seen: Option<Stamp>,
    is_settled: bool,
    looked: Option<Instant>,
    keys: Vec<ApiKey>,
    fault: Option<String>,
}

impl KeyStore {
    /// Nothing was read yet.
    #[must_use]
    pub fn new(file: KeysFile) -> Self {
        Self { file, seen: None, is_settled: false, looked: None, keys: Vec::new(), fault: None }
    }

    /// Which file it is.
    #[must_use]
    pub fn file(&self) -> &KeysFile {
        &self.file
    }

    /// Reads the file if it is another than before. `true` when what is known changed.
    pub fn refresh(&mut self) -> bool {
        if self.is_settled && self.seen.is_none() && !self.file.named {
            if self.looked.is_some_and(|looked| looked.elapsed() < SELDOM) {
                return false;
            }
            self.looked = Some(Instant::now());
        }
        let stamp = Stamp::of(&self.file.path);
        if self.is_settled && stamp == self.seen {
            return false;
        }
        // What changed a moment ago may change once more without its stamp showing it: it is read again next time.
        self.is_settled = stamp.as_ref().is_none_or(Stamp::is_settled);
        let (keys, fault) = match self.read() {
            Ok(keys) => (keys, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        if let Some(why) = fault.as_ref().filter(|why| self.fault.as_ref() != Some(why)) {
            tracing::error!(file = %self.file.path.display(), %why, "no key of this file is accepted");
        }
        let changed = self.keys != keys || self.fault != fault || self.seen.is_some() != stamp.is_some();
        (self.keys, self.fault, self.seen) = (keys, fault, stamp);
        changed
    }

    /// Its keys.
    #[must_use]
    pub fn keys(&self) -> &[ApiKey] {
        &self.keys
    }

    /// True when it is to be asked: it was named, or it is there.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.file.named || self.seen.is_some()
    }

    fn read(&self) -> Result<Vec<ApiKey>, String> {
        let path = &self.file.path;
        if !self.file.named && !path.exists() {
            return Ok(Vec::new());
        }
        private_file::check(path, self.file.user, Others::Nothing).map_err(|exposed| exposed.to_string())?;
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(|error| error.to_string())?;
        file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() as u64 > LONGEST {
            return Err(format!("it has more than {LONGEST} bytes"));
        }
        KeyList::parse(&bytes).and_then(|list| list.keys()).map_err(|error| error.to_string())
    }
}
