//! What a gateway remembers between runs: lists of servers, and who had which name.
//!
//! It is written to disk by `catalog/store.rs`; a folder that cannot be written costs a warning, nothing else.

use crate::catalog::lists::ServerLists;
use crate::catalog::owners::Owners;
use crate::catalog::store::Store;
use crate::config::digest::entry_digest;
use crate::config::digest::secret_digest;
use crate::config::digest::whole_digest;
use crate::config::model::Server;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

/// Catalogs of entries that no file has any more are kept this long: people switch between files.
const FORGET_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Where saved catalogs are kept, for which configuration.
#[derive(Debug, Clone)]
pub struct Memory {
    store: Store,
    config_id: String,
    /// The gateway stands beside another one of the same file, which resolves otherwise there.
    beside: bool,
}

/// What is known of a server before its first start: its lists, and when they were read.
pub(super) type Known = (Option<Arc<ServerLists>>, Option<SystemTime>);

impl Memory {
    /// In this folder. Owners of names are remembered under `config_id`: one text per configuration file.
    #[must_use]
    pub fn new(store: Store, config_id: String) -> Self {
        Self { store, config_id, beside: false }
    }

    /// For one more gateway over the same file: no lists are taken for its entries that were read with other secrets, and
    /// owners of names are only looked up, because it may lack entries that the first one has.
    pub(super) fn beside(&self) -> Self {
        Self { beside: true, ..self.clone() }
    }

    /// What is saved of this entry.
    pub(super) fn known(&self, entry: &Server) -> Known {
        let stored = self.key(entry).and_then(|key| self.store.load(&key).found());
        let Some(stored) = stored else { return (None, None) };
        let saved_at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(stored.saved_at));
        (Some(Arc::new(stored.lists)), saved_at)
    }

    /// Saves lists that were read.
    pub(super) fn save(&self, unsaved: Vec<(Arc<Server>, Arc<ServerLists>)>) {
        for (server, lists) in unsaved {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
            let saved = self.store.key().and_then(|secret| match self.key(&server) {
                Some(key) => self.store.save(&key, &lists, &secret_digest(&server, &secret), now),
                None => Ok(()),
            });
            if let Err(error) = saved {
                tracing::warn!(server = %server.name, %error, "catalog cannot be saved");
            }
        }
    }

    /// Who had which name, when that was saved.
    pub(super) fn owners(&self) -> Option<Owners> {
        self.store.load_owners(&self.config_id).found()
    }

    /// Saves who has which name.
    pub(super) fn save_owners(&self, owners: &Owners) {
        if !self.beside
            && let Err(error) = self.store.save_owners(&self.config_id, owners)
        {
            tracing::warn!(%error, "owners of names cannot be saved");
        }
    }

    /// Removes what no entry has used for a long time, but for that of `servers`.
    pub(super) fn tidy<'a>(&self, servers: impl Iterator<Item = &'a Server>) {
        let Some(before) = SystemTime::now().checked_sub(FORGET_AFTER).filter(|_| !self.beside) else {
            return;
        };
        if let Err(error) = self.store.prune(&servers.map(entry_digest).collect(), before) {
            tracing::debug!(%error, "old catalogs cannot be removed");
        }
    }

    fn key(&self, entry: &Server) -> Option<String> {
        match self.beside {
            false => Some(entry_digest(entry)),
            true => self.store.key().ok().map(|secret| whole_digest(entry, &secret)),
        }
    }
}
