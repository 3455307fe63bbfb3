//! A request as it came in: method, params by member, `_meta`, and the era it was asked in.

use crate::gateway::reply::Failure;
use crate::protocol::legacy::ClientInfo;
use crate::protocol::modern;
use crate::protocol::modern::RequestMeta;
use crate::protocol::version;
use crate::protocol::version::Era;
use crate::wire::members::Members;
use crate::wire::message::MAX_ID;
use crate::wire::message::read_text;
use crate::wire::meta;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The borrowed parts of one request.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// What is asked for.
    pub method: &'a str,
    /// The params; an empty object when there were none.
    pub params: Members<'a>,
    /// Their `_meta`.
    pub meta: Option<Members<'a>>,
    /// What a modern request says about its client; `None` for a legacy one.
    pub modern: Option<RequestMeta<'a>>,
}

impl<'a> Incoming<'a> {
    /// Reads the parts.
    ///
    /// # Errors
    /// The failure to answer when params or `_meta` are no objects, or hold a key twice.
    pub fn read(method: &'a str, params: Option<&'a RawValue>) -> Result<Self, Failure> {
        let params = params.map(Members::of).transpose().map_err(|why| Failure::bad_params(method, why))?;
        let params = params.unwrap_or_else(Members::empty);
        let meta = meta::of(&params).map_err(|why| Failure::bad_params(method, format!("`_meta`: {why}")))?;
        let modern = meta.as_ref().and_then(modern::request_meta);
        Ok(Self { method, params, meta, modern })
    }

    /// The era it was asked in.
    #[must_use]
    pub fn era(&self) -> Era {
        if self.modern.is_some() { Era::Modern } else { Era::Legacy }
    }

    /// Refuses what the modern era requires and this request lacks. Legacy requests pass.
    ///
    /// # Errors
    /// The failure to answer.
    pub fn check_modern(&self) -> Result<(), Failure> {
        let Some(modern) = &self.modern else { return Ok(()) };
        if version::era_of(&modern.version) != Some(Era::Modern) {
            return Err(Failure::unsupported_version(&modern.version, &version::supported()));
        }
        if modern.capabilities.is_none() {
            let why = format!("`_meta` lacks the object `{}`", modern::CLIENT_CAPABILITIES);
            return Err(Failure::bad_params(self.method, why));
        }
        Ok(())
    }

    /// Refuses params with a key that another reader could take for one of those that a right is about: `Name` for `name`.
    /// Asked for when there are rules.
    ///
    /// # Errors
    /// The failure to answer.
    pub fn check_keys(&self) -> Result<(), Failure> {
        let reference = self.params.get("ref").and_then(|raw| Members::of(raw).ok());
        let all = self.params.iter().chain(reference.iter().flat_map(Members::iter));
        match all.map(|(key, _)| key).any(is_look_alike) {
            true => Err(Failure::bad_params(self.method, "a key looks like another one in other letters")),
            false => Ok(()),
        }
    }

    /// Who a modern client says it is.
    #[must_use]
    pub fn client(&self) -> Option<ClientInfo> {
        let said = self.meta.as_ref()?.get(modern::CLIENT_INFO)?;
        serde_json::from_str(said.get()).ok()
    }

    /// A member that must be a string.
    ///
    /// # Errors
    /// The failure to answer when it is missing or something else.
    pub fn text(&self, member: &str) -> Result<Cow<'a, str>, Failure> {
        let raw = self.params.get(member);
        let raw = raw.ok_or_else(|| Failure::bad_params(self.method, format!("`{member}` is missing")))?;
        read_text(raw).map_err(|_| Failure::bad_params(self.method, format!("`{member}` is not a string")))
    }

    /// The client's progress token as JSON text: a string or a number.
    #[must_use]
    pub fn progress_token(&self) -> Option<&'a str> {
        let token = self.meta.as_ref()?.get(meta::PROGRESS_TOKEN).map(RawValue::get)?;
        let scalar = token.starts_with('"') || token.starts_with('-') || token.as_bytes()[0].is_ascii_digit();
        (scalar && token.len() <= MAX_ID).then_some(token)
    }
}

/// True for a key that is one of those that say what a request is about, but for case, look-alikes that case folding knows,
/// and control characters.
fn is_look_alike(key: &str) -> bool {
    const DECIDING: [&str; 6] = ["name", "uri", "ref", "taskId", "arguments", "_meta"];
    if DECIDING.contains(&key) {
        return false;
    }
    let folded = |text: &str| -> String {
        let letters = text.chars().filter(|c| !c.is_control());
        letters.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
    };
    let key = folded(key);
    DECIDING.iter().any(|known| folded(known) == key)
}

/// Which request (its id as JSON text) a client no longer wants, and why.
pub(super) fn cancelled(params: &str) -> Option<(&str, Cow<'_, str>)> {
    let members = Members::parse(params).ok()?;
    let reason = members.get("reason").and_then(|raw| read_text(raw).ok());
    let id = members.get("requestId")?.get();
    Some((id, reason.unwrap_or(Cow::Borrowed("the client cancelled it"))))
}
