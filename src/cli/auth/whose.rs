//! `--caller` of `auth`: which principal is meant, by itself or by a name that the file knows.
//!
//! Whether there is such a caller is not asked of anybody: tokens of issuers name callers that no file has.

use crate::auth::caller::Caller;
use crate::auth::key_store::KeyStore;
use crate::config::model::Settings;
use std::collections::BTreeSet;

/// How principals begin.
const KINDS: [&str; 5] = ["key:", "basic:", "jwt:", "token:", "name:"];

/// The principal that `named` is; `None` when it is a name at most.
pub(super) fn written(named: &str) -> Option<&str> {
    let is_whole = KINDS.iter().any(|kind| named.strip_prefix(kind).is_some_and(|rest| !rest.is_empty()));
    (is_whole || named == Caller::Local.principal()).then_some(named)
}

/// The principal that `named` means with these settings.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn principal(settings: &Settings, named: &str) -> Result<String, String> {
    if let Some(principal) = written(named) {
        return Ok(principal.to_owned());
    }
    let mut found = BTreeSet::new();
    found.extend(settings.callers.known.contains_key(named).then(|| format!("name:{named}")));
    let auth = &settings.auth;
    let mut store = auth.keys_file.clone().map(KeyStore::new);
    let of_file = store.as_mut().map(|store| {
        store.refresh();
        store.keys()
    });
    let keys = auth.keys.iter().chain(of_file.unwrap_or_default());
    found.extend(keys.filter(|key| key.holder.name == named).map(|key| format!("key:{}", key.id)));
    let users = auth.basic.iter().filter(|user| user.user == named || user.holder.name == named);
    found.extend(users.map(|user| format!("basic:{}", user.user)));
    let all: Vec<String> = found.into_iter().collect();
    match all.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(format!(
            "no caller `{named}` is known: say its principal (`key:ID`, `basic:USER`, `jwt:ISSUER|SUBJECT`, `token:1`, `name:NAME`, `local`)"
        )),
        several => Err(format!("`{named}` may be {}: say which", several.join(" or "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::auth::ApiKey;
    use crate::config::model::auth::AuthSettings;
    use crate::config::model::auth::Holder;
    use std::sync::Arc;

    fn key(id: &str, name: &str) -> ApiKey {
        let holder = Holder { name: name.into(), ..Holder::default() };
        ApiKey { id: id.into(), digest: [0; 32], holder, expires: None }
    }

    #[test]
    fn a_name_must_be_one_callers() {
        let keys = vec![key("1", "ann"), key("2", "bob"), key("3", "bob")];
        let auth = Arc::new(AuthSettings { keys, ..AuthSettings::default() });
        let mut settings = Settings { auth, ..Settings::default() };
        settings.callers.known.insert("ci".into(), Holder::default());
        let found = |named: &str| principal(&settings, named);
        for (named, expected) in [
            ("ann", "key:1"),
            ("ci", "name:ci"),
            ("local", "local"),
            ("key:9", "key:9"),
            ("jwt:i|s", "jwt:i|s"),
        ] {
            assert_eq!(found(named).as_deref(), Ok(expected));
        }
        assert!(found("bob").unwrap_err().contains("key:2 or key:3"));
        for nobody in ["gateway", "key:", "eve", ""] {
            assert!(found(nobody).unwrap_err().contains("no caller"), "{nobody}");
        }
    }
}
