//! `gateway.auth` → [`AuthSettings`]: who may connect over HTTP.
//!
//! It fetches nothing and reads no file of keys: it only looks whether others could.

use crate::config::check::issuer;
use crate::config::check::read;
use crate::config::check::section::Section;
use crate::config::check::weak;
use crate::config::date;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::finding::Findings;
use crate::config::model::auth::ApiKey;
use crate::config::model::auth::AuthSettings;
use crate::config::model::auth::BasicUser;
use crate::config::model::auth::Holder;
use crate::config::model::auth::KeysFile;
use crate::config::model::auth::is_free_name;
use crate::config::private_file;
use crate::config::private_file::Others;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use crate::secret::Secret;
use crate::secret::hex::hex;
use sha2::Digest;
use sha2::Sha256;
use std::collections::HashSet;
use std::path::PathBuf;

/// Shortest password, in characters.
const SHORTEST_PASSWORD: usize = 12;
/// The file with keys beside the `mcp.json` of the user's config folder.
const KEYS: &str = "keys.json";

/// Reads the section; `tokens` are those of `gateway.http.bearerTokens`.
pub fn check(
    mut section: Section<'_>,
    tokens: Vec<Secret>,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> AuthSettings {
    let mut failures = AuthSettings::FAILURES_PER_MINUTE;
    section.count("failuresPerMinute", &mut failures, 1..=1_000_000, findings);
    let keys_file = keys_file(&mut section, scope, findings);
    let resource = resource(&mut section, scope, findings);
    let keys = items(&mut section, "keys", findings);
    let basic = items(&mut section, "basic", findings);
    let jwt = items(&mut section, "jwt", findings);
    section.finish(findings);
    AuthSettings {
        tokens,
        keys_file,
        keys: keys_of(&keys, findings),
        basic: users_of(&basic, scope, findings),
        jwt: jwt
            .iter()
            .filter_map(|node| issuer::check(node, resource.as_deref(), scope, findings))
            .collect(),
        resource,
        failures_per_minute: failures,
    }
}

/// Who is behind a credential; `name` is what people see.
pub fn holder(section: &mut Section<'_>, name: String, findings: &mut Findings) -> Holder {
    let mut text = |key| {
        let node = section.text(key, findings)?;
        let text = node.text().filter(|text| is_plain(text));
        if text.is_none() {
            findings
                .error(node.start, format!("`{}` must be a name of 1 to 200 characters", section.name(key)));
        }
        text.map(str::to_owned)
    };
    let (team, organisation, agent) = (text("team"), text("organisation"), text("agent"));
    let mut may_name_agent = false;
    section.flag("mayNameAgent", &mut may_name_agent, findings);
    Holder { name, team, organisation, agent, may_name_agent }
}

/// Warns of a name that means somebody else wherever the file says it.
pub fn warn_of_name(name: &str, at: usize, findings: &mut Findings) {
    if !is_free_name(name) {
        let text = format!("what policies and rates say of `{name}` does not mean this caller");
        findings.warn(at, text).hint("use another name, or its unique id there");
    }
}

/// True for a name that can be shown in one line.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= 200 && !text.chars().any(char::is_control)
}

/// `"sha256:…"` as a digest.
#[must_use]
pub fn digest(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64 && digits.is_ascii())?;
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

/// The objects of the list at `key`.
fn items<'a>(section: &mut Section<'a>, key: &'static str, findings: &mut Findings) -> Vec<&'a Node> {
    let Some(node) = section.get(key) else { return Vec::new() };
    match &node.value {
        Value::List(items) => items.iter().collect(),
        _ => read::wrong(&section.name(key), node, "a list of objects", findings).unwrap_or_default(),
    }
}

fn keys_file(section: &mut Section<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<KeysFile> {
    let node = section.text("keysFile", findings);
    let user = scope.environment.user_id();
    let Some((node, written)) = node.and_then(|node| Some((node, node.text()?))) else {
        let folder = scope.environment.user_config_folder()?;
        let file = KeysFile { path: folder.join("mcp-manifold").join(KEYS), user, named: false };
        private(&file, 0, findings);
        return Some(file);
    };
    let path = path_of(written, node.start, scope, findings)?;
    let file = KeysFile { path, user, named: true };
    if !file.path.is_file() {
        findings
            .warn(
                node.start,
                format!("the file with keys `{}` is not there: nobody has one", file.path.display()),
            )
            .hint("`mcp-manifold key create --name …` makes it");
    }
    private(&file, node.start, findings);
    Some(file)
}

fn private(file: &KeysFile, at: usize, findings: &mut Findings) {
    if let Err(exposed) = private_file::check(&file.path, file.user, Others::Nothing) {
        findings.error(at, format!("the file with keys `{}` cannot be used: {exposed}", file.path.display()));
    }
}

/// The file that `written` means, relative to the folder of the configuration.
pub fn path_of(written: &str, at: usize, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<PathBuf> {
    let style = Style { tilde: true, ..Style::default() };
    let path = read::expanded(written, at, scope, style, findings)?;
    Some(scope.folder.join(path.value))
}

fn resource(section: &mut Section<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<String> {
    let node = section.text("resource", findings)?;
    let text = read::expanded(node.text()?, node.start, scope, Style::default(), findings)?.value;
    match issuer::address(&text) {
        Ok(()) => Some(text),
        Err(why) => {
            findings.error(node.start, format!("`gateway.auth.resource` {why}"));
            None
        }
    }
}

fn keys_of(nodes: &[&Node], findings: &mut Findings) -> Vec<ApiKey> {
    let (mut keys, mut seen) = (Vec::new(), HashSet::new());
    for node in nodes {
        let mut section = Section::new("gateway.auth.keys[]", Some(node), findings);
        let Some(key) = key_of(&mut section, node, findings) else { continue };
        section.finish(findings);
        if !seen.insert(key.id.clone()) || keys.iter().any(|other: &ApiKey| other.digest == key.digest) {
            findings.error(node.start, format!("the key `{}` is there twice", key.id));
        }
        keys.push(key);
    }
    keys
}

fn key_of(section: &mut Section<'_>, node: &Node, findings: &mut Findings) -> Option<ApiKey> {
    let hash = section.text("hash", findings);
    let Some(digest) = hash.and_then(Node::text).and_then(digest) else {
        findings
            .error(hash.unwrap_or(node).start, "a key needs a `hash`: `sha256:` and 64 hexadecimal digits")
            .hint("`mcp-manifold key create` makes keys; `printf %s \"$KEY\" | sha256sum` digests one");
        return None;
    };
    if weak::is_known(&digest) {
        findings.error(node.start, "the key with this `hash` is a placeholder that everybody knows");
    }
    let id =
        section.text("id", findings).and_then(Node::text).map_or_else(|| hex(&digest[..6]), str::to_owned);
    let name = section.text("name", findings).and_then(Node::text).unwrap_or(&id).to_owned();
    if !is_plain(&id) || !is_plain(&name) {
        findings.error(node.start, "`id` and `name` of a key must be names of 1 to 200 characters");
    }
    warn_of_name(&name, node.start, findings);
    let expires = section.text("expires", findings).and_then(|node| Some((node, node.text()?)));
    let expires = expires.and_then(|(node, text)| {
        let moment = date::parse(text);
        if moment.is_none() {
            findings
                .error(node.start, "`expires` is no date")
                .hint("write `\"2027-01-31\"` or `\"2027-01-31T12:00:00Z\"`");
        }
        moment
    });
    Some(ApiKey { digest, holder: holder(section, name, findings), id, expires })
}

fn users_of(nodes: &[&Node], scope: &mut Scope<'_>, findings: &mut Findings) -> Vec<BasicUser> {
    let mut users: Vec<BasicUser> = Vec::new();
    for node in nodes {
        let mut section = Section::new("gateway.auth.basic[]", Some(node), findings);
        let user = section.text("user", findings).and_then(Node::text).unwrap_or_default().to_owned();
        if !is_plain(&user) || user.contains(':') {
            findings.error(node.start, "a user of `gateway.auth.basic` needs a name in `user`, without `:`");
        }
        warn_of_name(&user, node.start, findings);
        let digest = password(&mut section, node, scope, findings);
        let holder = holder(&mut section, user.clone(), findings);
        section.finish(findings);
        if users.iter().any(|other| other.user == user) {
            findings.error(node.start, format!("the user `{user}` is there twice"));
        }
        users.extend(digest.map(|digest| BasicUser { user, digest, holder }));
    }
    users
}

fn password(
    section: &mut Section<'_>,
    node: &Node,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Option<[u8; 32]> {
    let written = section.text("password", findings);
    let hash = section.text("hash", findings);
    let (Some(node), text) = (written.or(hash), written.and_then(Node::text)) else {
        findings.error(node.start, "a user of `gateway.auth.basic` needs a `password` or a `hash`");
        return None;
    };
    let Some(text) = text else {
        let digest = hash.and_then(Node::text).and_then(digest).filter(|digest| !weak::is_known(digest));
        if digest.is_none() {
            findings
                .error(node.start, "`hash` is not `sha256:` and 64 hexadecimal digits of a good password");
        }
        return digest;
    };
    if hash.is_some() {
        findings.error(node.start, "give either `password` or `hash`");
    }
    let password = read::expanded(text, node.start, scope, Style::default(), findings)?.value;
    if let Some(fault) = weak::fault(&password, SHORTEST_PASSWORD) {
        findings.error(node.start, format!("a password of `gateway.auth.basic` {fault}"));
    }
    Some(Sha256::digest(password.as_bytes()).into())
}
