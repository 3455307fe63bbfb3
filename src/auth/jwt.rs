//! Tokens that issuers signed (RFC 7519, RFC 9068): from text to identity.
//!
//! Only what the configuration names is believed: issuer, audience, algorithms, and keys that were read from where it
//! says. A token is taken apart by our own reader, which refuses keys that occur twice.

use crate::auth::caller::Identity;
use crate::auth::jwks::KeySet;
use crate::auth::jwks::NoKeys;
use crate::auth::signature::Algorithm;
use crate::auth::signature::PublicKey;
use crate::auth::signature::decode;
use crate::config::model::auth::IssuerTerms;
use crate::wire::members::Members;
use crate::wire::message::read_text;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest token, in bytes.
pub const LONGEST: usize = 16 << 10;
/// Most values of one claim.
const MOST: usize = 256;

/// Somebody whose tokens are accepted.
#[derive(Debug)]
pub struct Issuer {
    terms: IssuerTerms,
    algorithms: Vec<Algorithm>,
    keys: KeySet,
}

/// A token that was believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Believed {
    /// Who showed it.
    pub identity: Identity,
    /// From then on it is refused, in seconds since 1970.
    pub until: u64,
    /// What it is signed with.
    pub key: Arc<PublicKey>,
}

/// Why a token is not believed. Which check failed is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is wrong.
    #[error("{0}")]
    Wrong(&'static str),
    /// It was right once.
    #[error("it has expired")]
    Expired,
    /// It may not do this: what it would need, and whose it is.
    #[error("it lacks a scope that is required")]
    Scope(Vec<String>, Box<Identity>),
    /// It cannot be checked now.
    #[error(transparent)]
    NoKeys(#[from] NoKeys),
}

/// A token taken apart and not believed yet.
struct Parts<'a> {
    algorithm: Algorithm,
    key: Option<String>,
    /// What is signed.
    message: &'a [u8],
    signature: Vec<u8>,
    payload: String,
}

/// True for a text that could be a token.
#[must_use]
pub fn looks_like_one(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl Issuer {
    /// Keys are read at the first token.
    #[must_use]
    pub fn new(terms: &IssuerTerms) -> Self {
        let algorithms = terms.algorithms.iter().filter_map(|name| Algorithm::of(name)).collect();
        Self { keys: KeySet::new(terms), algorithms, terms: terms.clone() }
    }

    /// What was configured.
    #[must_use]
    pub fn terms(&self) -> &IssuerTerms {
        &self.terms
    }

    /// Checks `token` at the time `now`, in seconds since 1970.
    ///
    /// # Errors
    /// [`Refused`]
    pub async fn check(&self, token: &str, now: u64) -> Result<Believed, Refused> {
        let parts = Parts::of(token)?;
        if !self.algorithms.contains(&parts.algorithm) {
            return Err(Refused::Wrong("its algorithm is not accepted"));
        }
        let keys = self.keys.for_token(parts.key.as_deref(), parts.algorithm).await?;
        let verifies = |key: &&Arc<PublicKey>| key.verifies(parts.algorithm, parts.message, &parts.signature);
        let key = keys.that_fit(parts.key.as_deref(), parts.algorithm).find(verifies);
        let key = key.ok_or(Refused::Wrong("its signature is not one of this issuer"))?;
        self.believe(&parts.payload, key, now)
    }

    /// Whether a token that is signed with `key` may still be believed.
    #[must_use]
    pub fn trusts(&self, key: &PublicKey) -> bool {
        self.keys.trusts(key)
    }

    /// What a payload says whose signature is right.
    fn believe(&self, payload: &str, key: &Arc<PublicKey>, now: u64) -> Result<Believed, Refused> {
        let claims = Members::parse(payload).map_err(|_| Refused::Wrong("its payload is no plain object"))?;
        let terms = &self.terms;
        if text(&claims, "iss").as_deref() != Some(&terms.issuer) {
            return Err(Refused::Wrong("it is of another issuer"));
        }
        let audience = claims.get("aud").and_then(texts).unwrap_or_default();
        if !audience.iter().any(|one| terms.audiences.contains(one)) {
            return Err(Refused::Wrong("it is for another audience"));
        }
        let skew = terms.clock_skew.as_secs();
        let moment = |name| moment(&claims, name);
        let expires = moment("exp")?.ok_or(Refused::Wrong("it has no `exp`"))?;
        let until = expires.saturating_add(skew);
        if moment("nbf")?.is_some_and(|begins| begins > now.saturating_add(skew)) {
            return Err(Refused::Wrong("it is not valid yet"));
        }
        if moment("iat")?.is_some_and(|issued| issued > now.saturating_add(skew)) {
            return Err(Refused::Wrong("it was issued in the future"));
        }
        if until <= now {
            return Err(Refused::Expired);
        }
        let identity = self.identity(&claims, payload)?;
        let lacks = |scope: &String| !identity.scopes.contains(scope);
        if terms.required_scopes.iter().any(lacks) {
            return Err(Refused::Scope(terms.required_scopes.clone(), Box::new(identity)));
        }
        Ok(Believed { identity, until, key: Arc::clone(key) })
    }

    fn identity(&self, claims: &Members<'_>, payload: &str) -> Result<Identity, Refused> {
        let terms = &self.terms;
        let subject = text(claims, "sub").filter(|sub| !sub.is_empty());
        let subject = subject.ok_or(Refused::Wrong("it has no `sub`"))?;
        // Pointers lead into nested values.
        let whole: Value =
            serde_json::from_str(payload).map_err(|_| Refused::Wrong("its payload is nested too deep"))?;
        let values =
            |name: &str| values(if name.starts_with('/') { whole.pointer(name) } else { whole.get(name) });
        // RFC 8693, section 4.2: a list in one text.
        let scopes_of = |name: &str| {
            let said = values(name)?;
            let each = said.iter().flat_map(|value| value.split(' ')).filter(|scope| !scope.is_empty());
            Ok::<_, Refused>(each.map(str::to_owned).collect::<Vec<_>>())
        };
        let one = |name: &Option<String>| {
            let Some(name) = name else { return Ok(None) };
            let mut found = values(name)?;
            match found.len() {
                0 | 1 => Ok(found.pop().filter(|value| !value.is_empty())),
                _ => Err(Refused::Wrong("a claim that must have one value has several")),
            }
        };
        let mut scopes = [scopes_of("scope")?, scopes_of("scp")?].concat();
        scopes.sort();
        scopes.dedup();
        let mut kept = BTreeMap::new();
        for name in &terms.claims.keep {
            let is_scope = matches!(name.strip_prefix('/').unwrap_or(name), "scope" | "scp");
            let mut found = if is_scope { scopes_of(name)? } else { values(name)? };
            found.sort();
            found.dedup();
            if !found.is_empty() {
                kept.insert(name.clone(), found);
            }
        }
        Ok(Identity {
            principal: format!("jwt:{}|{subject}", terms.issuer),
            name: one(&terms.claims.caller)?.unwrap_or(subject),
            team: one(&terms.claims.team)?,
            organisation: one(&terms.claims.organisation)?,
            agent: one(&terms.claims.agent)?,
            may_name_agent: terms.may_name_agent,
            claims: kept,
            scopes,
        })
    }
}

/// The issuer that `token` names. It is not believed yet.
#[must_use]
pub fn issuer_of(token: &str) -> Option<String> {
    let payload = String::from_utf8(decode(token.split('.').nth(1)?)?).ok()?;
    text(&Members::parse(&payload).ok()?, "iss")
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, Refused> {
        let wrong = || Refused::Wrong("it is no signed token");
        if token.len() > LONGEST {
            return Err(Refused::Wrong("it is too long"));
        }
        let (message, signature) = token.rsplit_once('.').ok_or_else(wrong)?;
        let (header, payload) = message.split_once('.').ok_or_else(wrong)?;
        let plain = |part| decode(part).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong);
        let (header, payload) = (plain(header)?, plain(payload)?);
        let header = Members::parse(&header).map_err(|_| wrong())?;
        // Nothing is understood that must be; a token in a token and one without a signed payload are not read.
        if ["crit", "b64", "cty", "zip", "enc"].iter().any(|name| header.count(name) > 0) {
            return Err(Refused::Wrong("its header asks for what is not supported"));
        }
        let typ = header.get("typ").map(|raw| read_text(raw).map(|typ| typ.to_ascii_lowercase()));
        let typ = typ.transpose().map_err(|_| wrong())?;
        let typ = typ.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
        if !matches!(typ, None | Some("jwt" | "at+jwt")) {
            return Err(Refused::Wrong("it is another kind of token"));
        }
        let name = text(&header, "alg").ok_or_else(wrong)?;
        let algorithm = Algorithm::of(&name).ok_or(Refused::Wrong("its algorithm is not accepted"))?;
        let key = header.get("kid").map(|raw| read_text(raw).map(|key| key.into_owned()));
        let key = key.transpose().map_err(|_| wrong())?;
        let signature = decode(signature).filter(|bytes| !bytes.is_empty()).ok_or_else(wrong)?;
        Ok(Self { algorithm, key, message: message.as_bytes(), signature, payload })
    }
}

fn text(members: &Members<'_>, name: &str) -> Option<String> {
    let raw = members.get(name).filter(|raw| raw.get().starts_with('"'))?;
    read_text(raw).ok().map(|text| text.into_owned())
}

/// A text or a list of nothing but texts.
fn texts(raw: &RawValue) -> Option<Vec<String>> {
    if raw.get().starts_with('"') {
        return serde_json::from_str(raw.get()).ok().map(|text| vec![text]);
    }
    serde_json::from_str(raw.get()).ok()
}

/// Seconds since 1970 as a number; fractions are cut off.
fn moment(claims: &Members<'_>, name: &str) -> Result<Option<u64>, Refused> {
    let Some(raw) = claims.get(name) else { return Ok(None) };
    let number = raw.get().parse::<f64>().ok().filter(|number| (0.0..1e12).contains(number));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "its range was checked")]
    let moment = number.map(|number| number as u64);
    moment.map(Some).ok_or(Refused::Wrong("a time in it is no number"))
}

/// The texts, numbers and booleans of a claim: one or a list. One that is too long is not read in part: what is left out
/// could be what takes a right away.
fn values(value: Option<&Value>) -> Result<Vec<String>, Refused> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    match value {
        Some(Value::Array(list)) if list.len() > MOST => {
            Err(Refused::Wrong("one of its claims has too many values"))
        }
        Some(Value::Array(list)) => Ok(list.iter().filter_map(one).collect()),
        Some(value) => Ok(one(value).into_iter().collect()),
        None => Ok(Vec::new()),
    }
}
