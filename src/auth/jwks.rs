//! The public keys of one issuer: read where the configuration says, kept, read again when they get old.
//!
//! What a token says never leads anywhere: neither `jku` nor `x5u` is looked at, and a token with an unknown key makes no
//! more than one request in [`PAUSE`]. Keys that cannot be read again are used up to their time, then none are.

use crate::auth::egress::Allowed;
use crate::auth::egress::Egress;
use crate::auth::signature::Algorithm;
use crate::auth::signature::Jwk;
use crate::auth::signature::PublicKey;
use crate::auth::stamp::Stamp;
use crate::config::model::auth::IssuerTerms;
use crate::config::model::auth::KeySource;
use crate::config::private_file;
use crate::config::private_file::Others;
use crate::wire::tasks::Tasks;
use bytes::Bytes;
use http::Request;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::timeout;
use url::Url;

/// Shortest time between two requests for keys.
pub const PAUSE: Duration = Duration::from_secs(30);
/// Age after which keys are read again, beside the requests.
const FRESH: Duration = Duration::from_secs(600);
/// Longest wait of a request for keys.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most keys of one issuer.
const MOST: usize = 100;
/// Longest set of keys, in bytes.
const LONGEST: usize = 512 << 10;

/// The keys of one issuer.
#[derive(Debug)]
pub struct KeySet {
    shared: Arc<Shared>,
    tasks: Tasks,
}

/// No keys can be had, so nothing can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys of the issuer cannot be read")]
pub struct NoKeys;

#[derive(Debug)]
struct Shared {
    issuer: String,
    source: KeySource,
    max_stale: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: Option<Arc<Keys>>,
    read: Option<Instant>,
    tried: Option<Instant>,
    /// Open while keys are read; its end tells those who wait.
    reading: Option<watch::Receiver<()>>,
    seen: Option<Stamp>,
}

/// The keys at one moment.
#[derive(Debug)]
pub struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    public: Arc<PublicKey>,
    algorithm: Option<Algorithm>,
}

impl Keys {
    /// Those that a token with this key id and algorithm may be signed with; without an id all.
    pub fn that_fit<'a>(
        &'a self,
        id: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a Arc<PublicKey>> {
        let fits = move |key: &&Key| {
            (id.is_none() || key.id.as_deref() == id) && key.algorithm.is_none_or(|own| own == algorithm)
        };
        self.0.iter().filter(fits).map(|key| &key.public)
    }

    /// Reads a set of keys; what is no key for signatures is left out.
    ///
    /// # Errors
    /// Why it is no such set.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        if bytes.len() > LONGEST {
            return Err(format!("it has more than {LONGEST} bytes"));
        }
        let set: Set = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if set.keys.len() > MOST {
            return Err(format!("it has more than {MOST} keys"));
        }
        let key = |value| {
            let jwk: Jwk = serde_json::from_value(value).ok()?;
            let (public, algorithm) = jwk.key()?;
            Some(Key { id: jwk.kid, public: Arc::new(public), algorithm })
        };
        let keys: Vec<_> = set.keys.into_iter().filter_map(key).collect();
        if keys.is_empty() { Err("it has no key for signatures".into()) } else { Ok(Self(keys)) }
    }
}

impl KeySet {
    /// Nothing was read yet.
    #[must_use]
    pub fn new(terms: &IssuerTerms) -> Self {
        let shared = Shared {
            issuer: terms.issuer.clone(),
            source: terms.keys.clone(),
            max_stale: terms.max_stale.max(PAUSE),
            state: Mutex::default(),
        };
        Self { shared: Arc::new(shared), tasks: Tasks::default() }
    }

    /// The keys, among which one fits if there is any: they are read again for an unknown one, but seldom.
    ///
    /// # Errors
    /// [`NoKeys`]
    pub async fn for_token(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Arc<Keys>, NoKeys> {
        if let KeySource::File(path) = &self.shared.source {
            return self.shared.of_file(path);
        }
        let known = self.shared.current();
        let fits = |keys: &Arc<Keys>| keys.that_fit(id, algorithm).next().is_some();
        match known {
            Some((keys, age)) if fits(&keys) => {
                if age > FRESH {
                    self.read_again();
                }
                Ok(keys)
            }
            known => {
                if let Some(mut reading) = self.read_again() {
                    // Its end is an error of the channel.
                    let _ = timeout(PATIENCE, async { while reading.changed().await.is_ok() {} }).await;
                }
                self.shared.current().or(known).map(|(keys, _)| keys).ok_or(NoKeys)
            }
        }
    }

    /// Whether `key` is still one of them: a token that was believed is believed no longer than its key, nor longer than
    /// keys that cannot be read again are used.
    #[must_use]
    pub fn trusts(&self, key: &PublicKey) -> bool {
        let known = match &self.shared.source {
            KeySource::File(path) => self.shared.of_file(path).ok(),
            KeySource::Url(_) | KeySource::Metadata => self.shared.current().map(|(keys, age)| {
                if age > FRESH {
                    self.read_again();
                }
                keys
            }),
        };
        known.is_some_and(|keys| keys.0.iter().any(|one| *one.public == *key))
    }

    /// Has the keys read, unless that was done a moment ago. What to wait for.
    fn read_again(&self) -> Option<watch::Receiver<()>> {
        let mut state = self.shared.lock();
        if let Some(reading) = &state.reading {
            return Some(reading.clone());
        }
        if state.tried.is_some_and(|tried| tried.elapsed() < PAUSE) {
            return None;
        }
        let (done, reading) = watch::channel(());
        state.tried = Some(Instant::now());
        state.reading = Some(reading.clone());
        drop(state);
        let shared = Arc::clone(&self.shared);
        self.tasks.spawn(async move {
            let read = shared.fetch().await;
            shared.note(read);
            drop(done);
        });
        Some(reading)
    }
}

impl Shared {
    /// The keys that may still be used, and their age.
    fn current(&self) -> Option<(Arc<Keys>, Duration)> {
        let state = self.lock();
        let age = state.read?.elapsed();
        state.keys.clone().filter(|_| age <= self.max_stale).map(|keys| (keys, age))
    }

    fn note(&self, read: Result<Keys, String>) {
        let mut state = self.lock();
        state.reading = None;
        match read {
            Ok(keys) => {
                state.keys = Some(Arc::new(keys));
                state.read = Some(Instant::now());
            }
            Err(why) => {
                tracing::warn!(issuer = %self.issuer, %why, "the keys of an issuer cannot be read");
            }
        }
    }

    fn of_file(&self, path: &Path) -> Result<Arc<Keys>, NoKeys> {
        let mut state = self.lock();
        let stamp = Stamp::of(path);
        if stamp.is_some() && stamp == state.seen {
            return state.keys.clone().ok_or(NoKeys);
        }
        let read = private_file::check(path, None, Others::Read).map_err(|exposed| exposed.to_string());
        let read = read.and_then(|()| std::fs::read(path).map_err(|error| error.to_string()));
        state.keys = match read.and_then(|bytes| Keys::parse(&bytes)) {
            Ok(keys) => Some(Arc::new(keys)),
            Err(why) => {
                tracing::warn!(issuer = %self.issuer, file = %path.display(), %why, "the keys of an issuer cannot be read");
                None
            }
        };
        state.seen = stamp.filter(Stamp::is_settled);
        state.keys.clone().ok_or(NoKeys)
    }

    async fn fetch(&self) -> Result<Keys, String> {
        let at = match &self.source {
            KeySource::Url(url) => url.clone(),
            KeySource::Metadata | KeySource::File(_) => self.of_metadata().await?,
        };
        Keys::parse(&self.get(&at).await?)
    }

    /// Where the metadata of the issuer says that its keys are.
    async fn of_metadata(&self) -> Result<String, String> {
        let mut last = "it has no metadata".to_owned();
        for at in metadata(&self.issuer) {
            let said = match self.get(&at).await {
                Ok(said) => said,
                Err(why) => {
                    last = why;
                    continue;
                }
            };
            let said: Value = serde_json::from_slice(&said).map_err(|error| error.to_string())?;
            // RFC 8414, section 3.3: another issuer's metadata says nothing.
            if said["issuer"].as_str() != Some(&self.issuer) {
                return Err("its metadata names another issuer".into());
            }
            return said["jwks_uri"].as_str().map(str::to_owned).ok_or("its metadata names no keys".into());
        }
        Err(last)
    }

    /// Asks an address; that of the configuration may be private, others may not.
    async fn get(&self, at: &str) -> Result<Bytes, String> {
        let trusted = match &self.source {
            KeySource::Url(url) => url,
            KeySource::Metadata | KeySource::File(_) => &self.issuer,
        };
        let trusted = Url::parse(trusted).map_err(|error| error.to_string())?;
        let egress =
            Egress::new(Allowed::default().and_host_of(&trusted)).map_err(|error| error.to_string())?;
        let request = Request::get(at).header("accept", "application/json").body(Bytes::new());
        let answer = egress.send(request.map_err(|error| error.to_string())?).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status().is_success() {
            Ok(answer.into_body())
        } else {
            Err(format!("it answered with status {}", answer.status().as_u16()))
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where an issuer's metadata may be, in the order of the specification.
fn metadata(issuer: &str) -> Vec<String> {
    let Ok(url) = Url::parse(issuer) else { return Vec::new() };
    let origin = url.origin().ascii_serialization();
    let path = url.path().trim_end_matches('/');
    let mut places = vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}/.well-known/openid-configuration{path}"),
    ];
    if !path.is_empty() {
        places.push(format!("{origin}{path}/.well-known/openid-configuration"));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::auth::ClaimNames;

    #[test]
    fn metadata_is_looked_for_where_the_specification_says() {
        assert_eq!(
            metadata("https://idp.example/tenant"),
            [
                "https://idp.example/.well-known/oauth-authorization-server/tenant",
                "https://idp.example/.well-known/openid-configuration/tenant",
                "https://idp.example/tenant/.well-known/openid-configuration",
            ]
        );
        assert_eq!(metadata("https://idp.example/").len(), 2);
    }

    /// The whole of an outage: keys are used for as long as the configuration says, and no longer.
    #[tokio::test(start_paused = true)]
    async fn keys_that_cannot_be_read_again_end_with_their_time() {
        let terms = IssuerTerms {
            issuer: "http://127.0.0.1:1".into(),
            audiences: vec!["x".into()],
            // Nobody listens there.
            keys: KeySource::Url("http://127.0.0.1:1/keys".into()),
            algorithms: Vec::new(),
            clock_skew: Duration::ZERO,
            max_stale: Duration::from_secs(6 * 3600),
            claims: ClaimNames::default(),
            required_scopes: Vec::new(),
            may_name_agent: false,
        };
        let set = KeySet::new(&terms);
        let ask = || set.for_token(Some("k"), Algorithm::EdDsa);
        let key = PublicKey::Ed25519(vec![0; 32]);
        assert_eq!(ask().await.err(), Some(NoKeys));
        assert!(!set.trusts(&key));
        let text = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#;
        set.shared.note(Keys::parse(text.as_bytes()));
        for _ in 0..5 {
            assert!(ask().await.is_ok() && set.trusts(&key));
            tokio::time::advance(Duration::from_secs(3600)).await;
        }
        tokio::time::advance(Duration::from_secs(3601)).await;
        // What was believed with it is believed no longer, either.
        assert!(!set.trusts(&key));
        assert_eq!(ask().await.err(), Some(NoKeys));
        set.shared.note(Keys::parse(text.as_bytes()));
        assert!(ask().await.is_ok() && set.trusts(&key));
        let other = text.replace("AAAAAAA\"", "AAAAAAE\"");
        set.shared.note(Keys::parse(other.as_bytes()));
        assert!(!set.trusts(&key), "its key is gone");
    }

    #[test]
    fn a_set_without_keys_for_signatures_is_none() {
        for text in [r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AA"}]}"#, "[]", "x", "{}"] {
            assert!(Keys::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
