//! The secrets that are known here, by their digests: tokens, keys, passwords.
//!
//! All are compared with what was shown, whichever matches, so that the time taken tells nothing. It knows no tokens of
//! issuers.

use crate::auth::caller::Caller;
use crate::auth::caller::Identity;
use crate::config::model::auth::ApiKey;
use crate::config::model::auth::AuthSettings;
use crate::config::model::auth::Holder;
use sha2::Digest;
use sha2::Sha256;
use std::collections::HashSet;
use subtle::Choice;
use subtle::ConstantTimeEq;

/// Everybody with a secret.
#[derive(Debug, Default)]
pub struct Holders(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    /// The user, for a password.
    user: Option<String>,
    digest: [u8; 32],
    caller: Caller,
    /// In seconds since 1970.
    expires: Option<u64>,
}

/// What was shown: the digest of a secret, and the user for a password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shown {
    user: Option<String>,
    digest: [u8; 32],
}

/// Somebody who was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Who.
    pub caller: Caller,
    /// From then on its secret is refused, in seconds since 1970.
    pub expires: Option<u64>,
}

impl Shown {
    /// A token or key.
    #[must_use]
    pub fn secret(text: &str) -> Self {
        Self { user: None, digest: Sha256::digest(text).into() }
    }

    /// A user with a password.
    #[must_use]
    pub fn password(user: &str, password: &str) -> Self {
        Self { user: Some(user.to_owned()), ..Self::secret(password) }
    }
}

impl Holders {
    /// Those of `settings` and of the file with keys.
    #[must_use]
    pub fn new(settings: &AuthSettings, of_file: &[ApiKey]) -> Self {
        let tokens = settings.tokens.iter().enumerate().map(|(place, token)| Entry {
            user: None,
            digest: Sha256::digest(token.expose()).into(),
            caller: Caller::token(place),
            expires: None,
        });
        let keys = settings.keys.iter().chain(of_file).map(|key| Entry {
            user: None,
            digest: key.digest,
            caller: identity(format!("key:{}", key.id), &key.holder).into(),
            expires: key.expires,
        });
        let users = settings.basic.iter().map(|user| Entry {
            user: Some(user.user.clone()),
            digest: user.digest,
            caller: identity(format!("basic:{}", user.user), &user.holder).into(),
            expires: None,
        });
        Self(tokens.chain(keys).chain(users).collect())
    }

    /// Who has what was shown.
    #[must_use]
    pub fn find(&self, shown: &Shown) -> Option<Found> {
        let mut found = None;
        for entry in &self.0 {
            let same_user = match (&entry.user, &shown.user) {
                (None, None) => Choice::from(1),
                (Some(own), Some(user)) => own.as_bytes().ct_eq(user.as_bytes()),
                _ => Choice::from(0),
            };
            if bool::from(entry.digest.ct_eq(&shown.digest) & same_user) {
                found = Some(entry);
            }
        }
        found.map(|entry| Found { caller: entry.caller.clone(), expires: entry.expires })
    }

    /// Everybody with a secret.
    pub fn callers(&self) -> impl Iterator<Item = &Caller> {
        self.0.iter().map(|entry| &entry.caller)
    }

    /// Takes out of `shown`, which were right before, what is not any more.
    pub fn keep_held(&self, shown: &mut HashSet<Shown>) {
        let held: HashSet<_> = self.0.iter().map(|entry| (entry.user.as_ref(), &entry.digest)).collect();
        shown.retain(|one| held.contains(&(one.user.as_ref(), &one.digest)));
    }

    /// True when nobody is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The identity of `holder` under this principal.
#[must_use]
pub fn identity(principal: String, holder: &Holder) -> Identity {
    Identity {
        team: holder.team.clone(),
        organisation: holder.organisation.clone(),
        agent: holder.agent.clone(),
        may_name_agent: holder.may_name_agent,
        ..Identity::new(principal, &holder.name)
    }
}
