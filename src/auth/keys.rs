//! Keys: making them, and the file that knows their digests.
//!
//! A key itself is shown once and kept nowhere. Who may change the file is not decided here.

use crate::config::check::auth::digest;
use crate::config::check::auth::is_plain;
use crate::config::check::weak;
use crate::config::date;
use crate::config::model::auth::ApiKey;
use crate::config::model::auth::Holder;
use crate::secret::Secret;
use crate::secret::hex::hex;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;
use std::collections::HashSet;

/// What every key begins with, so that it is known for one where it does not belong.
pub const PREFIX: &str = "mmk";
/// Bytes of the name of a key.
const ID: usize = 6;
/// Bytes of randomness.
const SECRET: usize = 32;
/// Digits that tell a slip of the hand.
const CHECK: usize = 8;

/// The file with keys.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct KeyList {
    /// The keys, oldest first.
    #[serde(default)]
    pub keys: Vec<StoredKey>,
    /// What is not known here stays.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What the file knows of one key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredKey {
    /// Its name, which is part of the key.
    pub id: String,
    /// Who has it.
    pub name: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub hash: String,
    /// The team of its holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The organisation of its holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// The agent that acts with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Whether requests may name the agent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_name_agent: bool,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// What is not known here stays.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A key that was just made.
pub struct NewKey {
    /// The key.
    pub text: Secret,
    /// Its name.
    pub id: String,
    /// What is kept of it.
    pub hash: String,
}

/// Why a file with keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// It is not written as such.
    #[error("it is no file with keys: {0}")]
    Format(String),
    /// One of the keys cannot be used.
    #[error("its key `{id}` {why}")]
    Key {
        /// Which.
        id: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl KeyList {
    /// Reads the file.
    ///
    /// # Errors
    /// [`KeysError::Format`]
    pub fn parse(bytes: &[u8]) -> Result<Self, KeysError> {
        serde_json::from_slice(bytes).map_err(|error| KeysError::Format(error.to_string()))
    }

    /// The keys, checked.
    ///
    /// # Errors
    /// [`KeysError::Key`]
    pub fn keys(&self) -> Result<Vec<ApiKey>, KeysError> {
        let mut seen = HashSet::new();
        let one = |key: &StoredKey| {
            let key = key.checked().map_err(|why| KeysError::Key { id: key.id.clone(), why })?;
            let twice = KeysError::Key { id: key.id.clone(), why: "is there twice" };
            if seen.insert(key.id.clone()) { Ok(key) } else { Err(twice) }
        };
        self.keys.iter().map(one).collect()
    }
}

impl StoredKey {
    fn checked(&self) -> Result<ApiKey, &'static str> {
        let names = [
            Some(&self.id),
            Some(&self.name),
            self.team.as_ref(),
            self.organisation.as_ref(),
            self.agent.as_ref(),
        ];
        if !names.into_iter().flatten().all(|name| is_plain(name)) {
            return Err("has a name that is empty, too long or cannot be shown");
        }
        let digest =
            digest(&self.hash).ok_or("has a `hash` that is not `sha256:` and 64 hexadecimal digits")?;
        if weak::is_known(&digest) {
            return Err("is a placeholder that everybody knows");
        }
        let expires = match &self.expires {
            Some(text) => Some(date::parse(text).ok_or("has an `expires` that is no date")?),
            None => None,
        };
        let holder = Holder {
            name: self.name.clone(),
            team: self.team.clone(),
            organisation: self.organisation.clone(),
            agent: self.agent.clone(),
            may_name_agent: self.may_name_agent,
        };
        Ok(ApiKey { id: self.id.clone(), digest, holder, expires })
    }
}

impl NewKey {
    /// Makes a key; `None` when the system gives no random numbers.
    #[must_use]
    pub fn make() -> Option<Self> {
        let mut bytes = [0; ID + SECRET];
        getrandom::fill(&mut bytes).ok()?;
        let id = hex(&bytes[..ID]);
        let body = format!("{PREFIX}_{id}_{}", hex(&bytes[ID..]));
        let text = format!("{body}{}", check_of(&body));
        Some(Self { hash: format!("sha256:{}", hex(&Sha256::digest(&text))), text: Secret::new(text), id })
    }
}

/// True for a text that has the form of a key and its check digits. It says nothing about whether there is such a key.
#[must_use]
pub fn is_whole(text: &str) -> bool {
    let length = PREFIX.len() + 2 + 2 * (ID + SECRET) + CHECK;
    if text.len() != length || !text.is_ascii() || !text.starts_with(PREFIX) {
        return false;
    }
    let (body, check) = text.split_at(length - CHECK);
    check_of(body) == check
}

fn check_of(body: &str) -> String {
    hex(&Sha256::digest(body))[..CHECK].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_long_random_and_shows_slips() {
        let (one, other) = (NewKey::make().unwrap(), NewKey::make().unwrap());
        let text = one.text.expose();
        assert_eq!(text.len(), PREFIX.len() + 2 + 2 * (ID + SECRET) + CHECK);
        assert!(text.starts_with(&format!("mmk_{}_", one.id)) && is_whole(text));
        assert!(text != other.text.expose() && one.id != other.id);
        assert!(!is_whole(&text.replace('a', "b")) || !text.contains('a'));
        assert!(!is_whole("mmk") && !is_whole("mmk_é") && !is_whole(""));
        assert_eq!(digest(&one.hash).unwrap().as_slice(), Sha256::digest(text).as_slice());
    }

    #[test]
    fn a_file_with_a_wrong_key_is_refused_as_a_whole() {
        let file = |key: &str| {
            KeyList::parse(format!(r#"{{"keys":[{key}]}}"#).as_bytes()).and_then(|list| list.keys())
        };
        let hash = NewKey::make().unwrap().hash;
        let good =
            format!(r#"{{"id":"a","name":"ann","hash":"{hash}","team":"red","expires":"2030-01-01"}}"#);
        let keys = file(&good).unwrap();
        assert_eq!((keys[0].holder.team.as_deref(), keys[0].expires.is_some()), (Some("red"), true));
        for wrong in [
            format!("{good},{good}"),
            r#"{"id":"a","name":"ann","hash":"sha256:00"}"#.into(),
            format!(r#"{{"id":"a","name":"ann","hash":"{hash}","expires":"soon"}}"#),
            format!(r#"{{"id":"a","name":"","hash":"{hash}"}}"#),
            format!(r#"{{"id":"a","name":"x","hash":"sha256:{}"}}"#, hex(&Sha256::digest("changeme"))),
            "1".into(),
        ] {
            assert!(file(&wrong).is_err(), "{wrong}");
        }
        assert!(KeyList::parse(b"{}").unwrap().keys().unwrap().is_empty());
    }
}
