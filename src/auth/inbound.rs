//! Credentials of an HTTP request → caller.
//!
//! Settings and files are those of the moment: a credential that is taken away is refused at the next request. It speaks
//! no HTTP but the value of `Authorization`, and says nothing about what a caller may use.

use crate::auth::caller::Caller;
use crate::auth::failures::Failures;
use crate::auth::holders::Found;
use crate::auth::holders::Holders;
use crate::auth::holders::Shown;
use crate::auth::jwt;
use crate::auth::jwt::Believed;
use crate::auth::jwt::Issuer;
use crate::auth::jwt::Refused;
use crate::auth::key_store::KeyStore;
use crate::auth::keys;
use crate::auth::signature::PublicKey;
use crate::config::model::auth::AuthSettings;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

/// Most tokens that are remembered.
const MOST: usize = 10_000;

/// Where the settings of the moment are.
pub type Source = dyn Fn() -> Arc<AuthSettings> + Send + Sync;

/// Knows who may come in.
pub struct Inbound {
    source: Box<Source>,
    inner: Mutex<Inner>,
}

struct Inner {
    settings: Arc<AuthSettings>,
    store: Option<KeyStore>,
    holders: Holders,
    issuers: Vec<Arc<Issuer>>,
    /// Tokens that were checked, by the digest of the whole of each.
    remembered: HashMap<Shown, (Arc<Issuer>, Believed, Caller)>,
    /// Secrets that let somebody in before, and still do.
    proven: HashSet<Shown>,
    failures: Failures,
    /// Credentials are needed, even when none is known any more.
    closed: bool,
}

/// Somebody who was let in.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Who.
    pub caller: Caller,
    /// With what; `None` when nothing is needed.
    pub proof: Option<Proof>,
}

/// What let somebody in, to ask later whether it still does.
#[derive(Debug, Clone)]
pub struct Proof(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Secret(Shown, Caller),
    Token(Arc<Issuer>, u64, Arc<PublicKey>),
}

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// It showed nothing.
    Missing,
    /// What it showed is wrong, or is no more.
    Wrong,
    /// A token that is good, without these scopes.
    Scope {
        /// The scopes.
        needed: Vec<String>,
        /// Whose it is.
        caller: Caller,
    },
    /// Too much that was wrong came from there.
    TooMany(Duration),
    /// A token that cannot be checked now.
    Unknown,
}

/// What a value of `Authorization` holds.
enum Credential<'a> {
    Bearer(&'a str),
    Basic(String, String),
}

impl Inbound {
    /// Asks `source` at every request. With `closed` nobody is let in without a credential, whatever it says.
    #[must_use]
    pub fn new(source: Box<Source>, closed: bool) -> Self {
        let settings = source();
        let mut inner = Inner {
            store: None,
            holders: Holders::default(),
            issuers: Vec::new(),
            remembered: HashMap::new(),
            proven: HashSet::new(),
            failures: Failures::default(),
            closed,
            settings: Arc::default(),
        };
        inner.follow(settings);
        Self { source, inner: Mutex::new(inner) }
    }

    /// The settings of the moment.
    #[must_use]
    pub fn settings(&self) -> Arc<AuthSettings> {
        (self.source)()
    }

    /// The one behind the value of `Authorization` that came from `peer`.
    ///
    /// # Errors
    /// [`Denied`]
    pub async fn admit(&self, authorization: Option<&str>, peer: IpAddr) -> Result<Pass, Denied> {
        let Some(shown) = authorization else {
            return if self.current().is_open() { Ok(Pass::nobody()) } else { Err(Denied::Missing) };
        };
        let (shown, token) = {
            let mut inner = self.current();
            if inner.is_open() {
                return Ok(Pass::nobody());
            }
            let credential = Credential::of(shown);
            let digest = credential.as_ref().map(Credential::digest);
            if let Some(pass) = digest.as_ref().and_then(|digest| inner.remembered(digest)) {
                return Ok(pass);
            }
            let is_proven = credential.as_ref().is_some_and(|credential| inner.is_proven(credential));
            let wait = inner.failures.wait(peer, inner.settings.failures_per_minute);
            if let Some(wait) = wait.filter(|_| !is_proven) {
                return Err(Denied::TooMany(wait));
            }
            let (Some(credential), Some(digest)) = (credential, digest) else {
                return Err(inner.wrong(peer, "it is neither `Bearer` nor `Basic`"));
            };
            match inner.known(&digest) {
                Some(Ok(pass)) => {
                    inner.proven.insert(digest);
                    return Ok(pass);
                }
                Some(Err(())) => return Err(inner.expired(peer)),
                None => {}
            }
            match credential {
                Credential::Bearer(token) if jwt::looks_like_one(token) => (digest, token),
                _ => return Err(inner.wrong(peer, "nobody has it")),
            }
        };
        self.believe(shown, token, peer).await
    }

    /// True while what let somebody in still does.
    #[must_use]
    pub fn holds(&self, proof: &Proof) -> bool {
        let inner = self.current();
        match &proof.0 {
            Kind::Secret(shown, caller) => {
                matches!(inner.known(shown), Some(Ok(pass)) if pass.caller == *caller)
            }
            Kind::Token(issuer, until, key) => {
                *until > now()
                    && inner.issuers.iter().any(|known| Arc::ptr_eq(known, issuer))
                    && issuer.trusts(key)
            }
        }
    }

    /// A token of one of the issuers. No lock is held while its keys are read.
    async fn believe(&self, shown: Shown, token: &str, peer: IpAddr) -> Result<Pass, Denied> {
        let named = jwt::issuer_of(token);
        let issuers: Vec<_> = {
            let inner = self.current();
            let theirs = |issuer: &&Arc<Issuer>| named.as_deref() == Some(&issuer.terms().issuer);
            inner.issuers.iter().filter(theirs).cloned().collect()
        };
        let mut refused = Refused::Wrong("its issuer is not accepted");
        for issuer in issuers {
            match issuer.check(token, now()).await {
                Ok(believed) => return Ok(self.current().remember(&shown, issuer, believed)),
                // Of two reasons the one that says more is told.
                Err(Refused::Wrong(_)) if !matches!(refused, Refused::Wrong(_)) => {}
                Err(why) => refused = why,
            }
        }
        if !matches!(refused, Refused::NoKeys(_)) {
            self.current().remembered.remove(&shown);
        }
        match refused {
            Refused::Wrong(why) => Err(self.current().wrong(peer, why)),
            // It was right: its holder is to renew it, not to wait.
            Refused::Expired => Err(self.current().expired(peer)),
            Refused::Scope(needed, whose) => Err(Denied::Scope { needed, caller: Caller::from(*whose) }),
            Refused::NoKeys(_) => Err(Denied::Unknown),
        }
    }

    /// What is known, with the settings and files of the moment.
    fn current(&self) -> MutexGuard<'_, Inner> {
        let settings = (self.source)();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&inner.settings, &settings) {
            inner.follow(settings);
        }
        if inner.store.as_mut().is_some_and(KeyStore::refresh) {
            inner.rebuild();
        }
        inner
    }
}

impl Inner {
    fn follow(&mut self, settings: Arc<AuthSettings>) {
        if self.store.as_ref().map(KeyStore::file) != settings.keys_file.as_ref() {
            self.store = settings.keys_file.clone().map(KeyStore::new);
        }
        let known = std::mem::take(&mut self.issuers);
        // Whose terms stay keeps its keys.
        let issuer = |terms| match known.iter().find(|issuer| issuer.terms() == terms) {
            Some(issuer) => Arc::clone(issuer),
            None => Arc::new(Issuer::new(terms)),
        };
        self.issuers = settings.jwt.iter().map(issuer).collect();
        self.settings = settings;
        if let Some(store) = &mut self.store {
            store.refresh();
        }
        self.rebuild();
    }

    fn rebuild(&mut self) {
        let of_file = self.store.as_ref().map(KeyStore::keys).unwrap_or_default();
        self.holders = Holders::new(&self.settings, of_file);
        self.holders.keep_held(&mut self.proven);
        let issuers = &self.issuers;
        self.remembered.retain(|_, (issuer, ..)| issuers.iter().any(|known| Arc::ptr_eq(known, issuer)));
        let asks = !self.holders.is_empty()
            || !self.issuers.is_empty()
            || self.store.as_ref().is_some_and(KeyStore::counts);
        // Taking the last credential away opens nothing.
        if self.closed && !asks {
            tracing::warn!("no credential is configured any more: nobody is let in until a restart");
        }
        self.closed |= asks;
    }

    fn is_open(&self) -> bool {
        !self.closed
    }

    /// True for what was right before and for keys, which nobody guesses: they need not wait for what others at their
    /// address do.
    fn is_proven(&self, credential: &Credential<'_>) -> bool {
        let shown = credential.digest();
        let is_key = matches!(credential, Credential::Bearer(text) if keys::is_whole(text));
        self.proven.contains(&shown)
            || self.remembered.contains_key(&shown)
            || (is_key && self.holders.find(&shown).is_some())
    }

    /// The one with this secret; an error for one that has expired.
    fn known(&self, shown: &Shown) -> Option<Result<Pass, ()>> {
        let Found { caller, expires } = self.holders.find(shown)?;
        if expires.is_some_and(|end| end <= now()) {
            return Some(Err(()));
        }
        let proof = Proof(Kind::Secret(shown.clone(), caller.clone()));
        Some(Ok(Pass { caller, proof: Some(proof) }))
    }

    fn remembered(&self, shown: &Shown) -> Option<Pass> {
        let (issuer, believed, caller) = self.remembered.get(shown)?;
        let pass = || Pass::token(issuer, believed, caller.clone());
        (believed.until > now() && issuer.trusts(&believed.key)).then(pass)
    }

    fn remember(&mut self, shown: &Shown, issuer: Arc<Issuer>, believed: Believed) -> Pass {
        if self.remembered.len() >= MOST {
            let now = now();
            self.remembered.retain(|_, (_, believed, _)| believed.until > now);
            if self.remembered.len() >= MOST {
                self.remembered.clear();
            }
        }
        let caller = Caller::from(believed.identity.clone());
        let pass = Pass::token(&issuer, &believed, caller.clone());
        // An issuer that is not accepted any more leaves nothing behind.
        if self.issuers.iter().any(|known| Arc::ptr_eq(known, &issuer)) {
            self.remembered.insert(shown.clone(), (issuer, believed, caller));
        }
        pass
    }

    fn expired(&mut self, peer: IpAddr) -> Denied {
        self.failures.tell(peer, "it has expired");
        Denied::Wrong
    }

    fn wrong(&mut self, peer: IpAddr, why: &str) -> Denied {
        self.failures.add(peer, why);
        Denied::Wrong
    }
}

impl Pass {
    fn nobody() -> Self {
        Self { caller: Caller::Anonymous, proof: None }
    }

    fn token(issuer: &Arc<Issuer>, believed: &Believed, caller: Caller) -> Self {
        Self {
            caller,
            proof: Some(Proof(Kind::Token(Arc::clone(issuer), believed.until, Arc::clone(&believed.key)))),
        }
    }
}

impl<'a> Credential<'a> {
    fn of(authorization: &'a str) -> Option<Self> {
        let (scheme, rest) = authorization.trim().split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return (!rest.is_empty()).then_some(Self::Bearer(rest));
        }
        if !scheme.eq_ignore_ascii_case("basic") || rest.len() > jwt::LONGEST {
            return None;
        }
        let plain = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        let (user, password) = plain.split_once(':')?;
        Some(Self::Basic(user.to_owned(), password.to_owned()))
    }

    fn digest(&self) -> Shown {
        match self {
            Self::Bearer(token) => Shown::secret(token),
            Self::Basic(user, password) => Shown::password(user, password),
        }
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").finish_non_exhaustive()
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

#[cfg(test)]
mod tests;
