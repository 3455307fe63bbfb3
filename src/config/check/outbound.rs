//! The `auth`, `headersHelper` and `passHeaders` of an entry → headers that never change, and [`Outbound`].
//!
//! Nothing is asked for and no command is run. Logins of people are not read here.

use crate::config::check::command;
use crate::config::check::duration;
use crate::config::check::duration::Bare;
use crate::config::check::pass;
use crate::config::check::read;
use crate::config::check::token;
use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::dialect::entry::Given;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::finding::Findings;
use crate::config::model::outbound::Headers;
use crate::config::model::outbound::Identity;
use crate::config::model::outbound::Outbound;
use crate::config::model::outbound::Source;
use crate::config::suggest::did_you_mean;
use crate::config::syntax::Node;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use http::HeaderValue;
use indexmap::IndexMap;

/// The kinds of `auth` that are read here.
const KINDS: [&str; 5] = ["bearer", "apiKey", "basic", "oauth2", "headersHelper"];

/// True for an `auth` of ours: an object whose `type` is not that of a login.
#[must_use]
pub fn is_ours(given: &Given<'_>) -> bool {
    given.node.is_object() && kind(given.node).is_some_and(|kind| kind != "oauth")
}

fn kind(node: &Node) -> Option<&str> {
    node.get("type").and_then(|member| member.node.text())
}

/// Adds headers that never change to `headers`; `None` when something is wrong, which is told.
pub fn check(
    entry: &Entry<'_>,
    headers: &mut Headers,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Option<Outbound> {
    let mut outbound = Outbound::default();
    let mut whole = true;
    if let Some(given) = entry.get(Key::OAuth).filter(is_ours) {
        whole &= auth(entry, given, headers, &mut outbound, scope, findings).is_some();
    }
    if let Some(given) = entry.get(Key::HeaderCommand) {
        match outbound.source {
            Source::Fixed => match command::check(entry, given.written, given.node, scope, findings) {
                Some(found) => outbound.source = Source::Command(Box::new(found)),
                None => whole = false,
            },
            _ => {
                let text = format!("`{}` is given beside an `auth` of another kind", given.written);
                findings.error(given.at, text);
                whole = false;
            }
        }
    }
    if let Some(given) = entry.get(Key::PassHeaders) {
        match pass::check(given, headers, &outbound, findings) {
            Some(names) => outbound.pass = names,
            None => whole = false,
        }
    }
    whole.then_some(outbound)
}

/// One `auth` being read.
pub struct Auth<'a> {
    /// How the key is spelt.
    pub written: &'a str,
    /// The object.
    pub node: &'a Node,
    known: Vec<&'static str>,
}

impl<'a> Auth<'a> {
    fn new(written: &'a str, node: &'a Node) -> Self {
        Self { written, node, known: vec!["type", "identity", "callers"] }
    }

    /// The value of `key`.
    pub fn get(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        self.node.get(key).map(|member| &member.node)
    }

    /// The text of `key`, expanded; `Some(None)` when it is not there.
    pub fn text(
        &mut self,
        key: &'static str,
        scope: &mut Scope<'_>,
        findings: &mut Findings,
    ) -> Option<Option<String>> {
        let Some(node) = self.get(key) else { return Some(None) };
        let name = format!("{}.{key}", self.written);
        let Some(written) = node.text() else { return read::wrong(&name, node, "a string", findings) };
        let value = read::expanded(written, node.start, scope, Style::default(), findings)?.value;
        if value.is_empty() {
            findings.error(node.start, format!("`{name}` is empty"));
            return None;
        }
        Some(Some(value))
    }

    /// The text of `key`, which must be there.
    pub fn needed(
        &mut self,
        key: &'static str,
        scope: &mut Scope<'_>,
        findings: &mut Findings,
    ) -> Option<String> {
        let value = self.text(key, scope, findings)?;
        if value.is_none() {
            findings.error(self.node.start, format!("`{}` needs `{key}`", self.written));
        }
        value
    }

    fn finish(self, findings: &mut Findings) {
        for member in self.node.members() {
            if !self.known.contains(&member.key.as_str()) {
                let text = format!("unknown key `{}.{}`", self.written, member.key);
                findings.warn(member.at, text).hint = did_you_mean(&member.key, self.known.iter().copied());
            }
        }
    }
}

fn auth(
    entry: &Entry<'_>,
    given: Given<'_>,
    headers: &mut Headers,
    outbound: &mut Outbound,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Option<()> {
    let kind = kind(given.node)?;
    let mut auth = Auth::new(given.written, given.node);
    let personal = identity(&mut auth, kind, findings)?;
    match kind {
        "bearer" | "apiKey" | "basic" => {
            let form = Form::of(kind, &mut auth, scope, findings)?;
            // Lists have to be read with something; calls of a caller never show it.
            let own = match personal && !form.is_given(&auth) {
                true => None,
                false => Some(form.header(&mut auth, scope, findings)?),
            };
            if personal {
                outbound.identity = Identity::Caller(callers(&form, &mut auth, scope, findings)?);
            }
            own.map_or(Some(()), |own| add(headers, own, given, findings))?;
        }
        "oauth2" => {
            free(headers, "authorization", given, findings)?;
            outbound.source = Source::Token(Box::new(token::check(&mut auth, scope, findings)?));
        }
        "headersHelper" => {
            let found = command::of_auth(entry, &mut auth, scope, findings)?;
            outbound.source = Source::Command(Box::new(found));
            if personal {
                outbound.identity = Identity::Caller(IndexMap::new());
            }
        }
        other => {
            let finding =
                findings.error(given.node.start, format!("unknown `{}.type` `{other}`", given.written));
            finding.hint = Some(did_you_mean(other, KINDS).unwrap_or_else(|| {
                "use `bearer`, `apiKey`, `basic`, `oauth2`, `headersHelper` or `oauth`".to_owned()
            }));
            return None;
        }
    }
    auth.finish(findings);
    Some(())
}

/// Whether the caller is shown.
fn identity(auth: &mut Auth<'_>, kind: &str, findings: &mut Findings) -> Option<bool> {
    let name = format!("{}.identity", auth.written);
    let personal = match auth.node.get("identity").map(|member| &member.node) {
        None => false,
        Some(node) => match node.text() {
            Some("gateway") => false,
            Some("caller") if kind != "oauth2" => true,
            Some("caller") => {
                let text =
                    format!("`{name}` cannot be `caller`: client credentials are those of the gateway");
                findings
                    .error(node.start, text)
                    .hint("use `bearer`, `apiKey`, `basic`, `headersHelper` or `oauth`");
                return None;
            }
            _ => {
                findings.error(node.start, format!("`{name}` must be `gateway` or `caller`"));
                return None;
            }
        },
    };
    if let Some(callers) = auth.node.get("callers").filter(|_| !personal || kind == "headersHelper") {
        let why = if personal { "the command is told who calls" } else { "`identity` is not `caller`" };
        findings.error(callers.at, format!("`{}.callers` has no effect: {why}", auth.written));
        return None;
    }
    Some(personal)
}

/// How one kind of credential becomes a header.
enum Form {
    Bearer,
    ApiKey { header: String, prefix: String },
    Basic,
}

impl Form {
    fn of(kind: &str, auth: &mut Auth<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<Self> {
        match kind {
            "bearer" => return Some(Self::Bearer),
            "basic" => return Some(Self::Basic),
            _ => {}
        }
        let header = auth.text("header", scope, findings)?.unwrap_or_else(|| "x-api-key".to_owned());
        // An empty one is the usual one.
        let empty = auth.node.get("prefix").is_some_and(|member| member.node.text() == Some(""));
        let prefix = if empty { None } else { auth.text("prefix", scope, findings)? };
        auth.known.push("prefix");
        match HeaderName::from_bytes(header.as_bytes()) {
            Ok(name) if !pass::is_ours(name.as_str()) => {
                Some(Self::ApiKey { header: name.as_str().to_owned(), prefix: prefix.unwrap_or_default() })
            }
            _ => {
                let text = format!("`{}.header` is no header that an entry can set", auth.written);
                findings.error(auth.node.start, text);
                None
            }
        }
    }

    /// True when `auth` holds a credential of this kind.
    fn is_given(&self, auth: &Auth<'_>) -> bool {
        let keys: &[&str] = match self {
            Self::Bearer => &["token"],
            Self::ApiKey { .. } => &["key"],
            Self::Basic => &["user", "password"],
        };
        keys.iter().any(|key| auth.node.get(key).is_some())
    }

    fn header(
        &self,
        auth: &mut Auth<'_>,
        scope: &mut Scope<'_>,
        findings: &mut Findings,
    ) -> Option<(String, Secret)> {
        let (name, value) = match self {
            Self::Bearer => ("authorization", format!("Bearer {}", auth.needed("token", scope, findings)?)),
            Self::ApiKey { header, prefix } => {
                let key = auth.needed("key", scope, findings)?;
                let gap = if prefix.is_empty() || prefix.ends_with([' ', '=', ':']) { "" } else { " " };
                (header.as_str(), format!("{prefix}{gap}{key}"))
            }
            Self::Basic => {
                let user = auth.needed("user", scope, findings);
                let (user, password) = (user?, auth.text("password", scope, findings)?.unwrap_or_default());
                if user.contains(':') {
                    findings.error(auth.node.start, format!("`{}.user` must not hold a `:`", auth.written));
                    return None;
                }
                ("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
        };
        if HeaderValue::from_str(&value).is_err() {
            let text =
                format!("`{}` holds a line break or a character that no header can hold", auth.written);
            findings.error(auth.node.start, text);
            return None;
        }
        Some((name.to_owned(), Secret::new(value)))
    }
}

fn callers(
    form: &Form,
    auth: &mut Auth<'_>,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Option<IndexMap<String, Headers>> {
    let name = format!("{}.callers", auth.written);
    let Some(node) = auth.get("callers") else {
        findings
            .error(auth.node.start, format!("`{}` with `identity: caller` needs `callers`", auth.written));
        return None;
    };
    if !node.is_object() {
        return read::wrong(&name, node, "an object of callers", findings);
    }
    let mut callers = IndexMap::new();
    for member in node.members() {
        let written = format!("{name}.{}", member.key);
        if !member.node.is_object() {
            return read::wrong(&written, &member.node, "an object", findings);
        }
        let mut own = Auth::new(&written, &member.node);
        let header = form.header(&mut own, scope, findings)?;
        own.finish(findings);
        callers.insert(member.key.clone(), vec![header]);
    }
    Some(callers)
}

fn add(
    headers: &mut Headers,
    own: (String, Secret),
    given: Given<'_>,
    findings: &mut Findings,
) -> Option<()> {
    free(headers, &own.0, given, findings)?;
    headers.push(own);
    Some(())
}

/// Two credentials in one header would be one too many.
fn free(headers: &Headers, name: &str, given: Given<'_>, findings: &mut Findings) -> Option<()> {
    if headers.iter().any(|(known, _)| known == name) {
        let text = format!("`{}` and the headers of the entry both give `{name}`", given.written);
        findings.error(given.at, text).hint("take one of them out");
        return None;
    }
    Some(())
}

/// A duration of an `auth`.
pub fn time(
    auth: &mut Auth<'_>,
    key: &'static str,
    findings: &mut Findings,
) -> Option<Option<std::time::Duration>> {
    let Some(node) = auth.get(key) else { return Some(None) };
    let name = format!("{}.{key}", auth.written);
    duration::of_node(&name, node, Bare::Refuse, findings).map(Some)
}

#[cfg(test)]
mod tests;
