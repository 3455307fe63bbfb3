//! Everybody that the configuration names: holders of keys, passwords and tokens, and the callers on stdio.
//!
//! It checks no credential, and knows nobody of whom only an issuer speaks.

use crate::auth::caller::Caller;
use crate::auth::holders::Holders;
use crate::auth::key_store::KeyStore;
use crate::auth::local;
use crate::config::model::Settings;

/// Those with this principal; if there is none, those with this name. The file with keys is read for it.
#[must_use]
pub fn called(settings: &Settings, name: &str) -> Vec<Caller> {
    let all = everybody(settings);
    let by = |text: fn(&Caller) -> &str| -> Vec<Caller> {
        all.iter().filter(|caller| text(caller) == name).cloned().collect()
    };
    let found = by(Caller::principal);
    if found.is_empty() { by(Caller::name) } else { found }
}

fn everybody(settings: &Settings) -> Vec<Caller> {
    let mut store = settings.auth.keys_file.clone().map(KeyStore::new);
    if let Some(store) = &mut store {
        store.refresh();
    }
    let of_file = store.as_ref().map(KeyStore::keys).unwrap_or_default();
    let callers = &settings.callers;
    let stdio = callers.known.keys().filter_map(|name| local::caller(callers, Some(name)).ok());
    let holders = Holders::new(&settings.auth, of_file);
    [Caller::Local, Caller::Anonymous].into_iter().chain(stdio).chain(holders.callers().cloned()).collect()
}
