//! `auth` with `"type": "oauth2"`: client credentials of the gateway at a token endpoint → [`TokenTerms`].
//!
//! The key is not read further than that it is one: that happens when a token is asked for.

use crate::config::check::outbound::Auth;
use crate::config::check::plain;
use crate::config::check::read;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::expand::absolute;
use crate::config::finding::Findings;
use crate::config::model::Expanded;
use crate::config::model::outbound::Proof;
use crate::config::model::outbound::TokenTerms;
use crate::config::syntax::Value;
use crate::secret::Secret;
use reqwest::Url;

const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// Reads the terms; `None` when something is wrong, which is told.
pub fn check(auth: &mut Auth<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<TokenTerms> {
    let url = url(auth, scope, findings);
    let client_id = auth.needed("clientId", scope, findings);
    let proof = proof(auth, scope, findings);
    let scopes = scopes(auth, findings);
    let resource = auth.text("resource", scope, findings);
    let audience = auth.text("audience", scope, findings);
    Some(TokenTerms {
        url: url?,
        client_id: client_id?,
        proof: proof?,
        scopes: scopes?,
        resource: resource?,
        audience: audience?,
    })
}

fn url(auth: &mut Auth<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<Expanded> {
    let name = format!("{}.tokenUrl", auth.written);
    let Some(node) = auth.get("tokenUrl") else {
        findings.error(auth.node.start, format!("`{}` needs `tokenUrl`", auth.written));
        return None;
    };
    let Some(written) = node.text() else { return read::wrong(&name, node, "a string", findings) };
    let expanded = read::expanded(written, node.start, scope, Style::default(), findings)?;
    match Url::parse(&expanded.value) {
        Ok(url) if url.scheme() == "https" || plain::stays_here(&url) => Some(expanded),
        Ok(url) if url.scheme() == "http" => {
            findings
                .error(node.start, format!("`{name}` is not https: the secret would travel in the clear"));
            None
        }
        _ => {
            findings.error(node.start, format!("`{name}` must be an `https` address"));
            None
        }
    }
}

fn proof(auth: &mut Auth<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<Proof> {
    let secret = auth.text("clientSecret", scope, findings)?;
    let key = auth.text("privateKey", scope, findings)?;
    let (algorithm, key_id) = (algorithm(auth, findings)?, auth.text("keyId", scope, findings)?);
    let in_body = match auth.get("clientAuth").map(|node| (node, node.text())) {
        None | Some((_, Some("basic"))) => false,
        Some((_, Some("post"))) => true,
        Some((node, _)) => {
            findings.error(node.start, format!("`{}.clientAuth` must be `basic` or `post`", auth.written));
            return None;
        }
    };
    match (secret, key) {
        (Some(secret), None) if in_body => Some(Proof::Post(Secret::new(secret))),
        (Some(secret), None) => Some(Proof::Basic(Secret::new(secret))),
        (None, Some(key)) => Some(Proof::Key { pem: pem(auth, key, scope, findings)?, algorithm, key_id }),
        _ => {
            let text = format!("`{}` needs either `clientSecret` or `privateKey`", auth.written);
            findings.error(auth.node.start, text);
            None
        }
    }
}

/// The key itself, or the name of its file.
fn pem(auth: &Auth<'_>, text: String, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<Secret> {
    let name = format!("{}.privateKey", auth.written);
    let pem = if text.contains("-----BEGIN") {
        text
    } else {
        match scope.files.read(&absolute(&text, scope)) {
            Ok(text) => text,
            Err(why) => {
                findings.error(auth.node.start, format!("the file of `{name}` cannot be read: {why}"));
                return None;
            }
        }
    };
    if !pem.contains("PRIVATE KEY-----") {
        findings.error(auth.node.start, format!("`{name}` holds no private key in PEM form"));
        return None;
    }
    Some(Secret::new(pem))
}

fn algorithm(auth: &mut Auth<'_>, findings: &mut Findings) -> Option<Option<String>> {
    let Some(node) = auth.get("algorithm") else { return Some(None) };
    match node.text().filter(|text| ALGORITHMS.contains(text)) {
        Some(text) => Some(Some(text.to_owned())),
        None => {
            let text = format!("`{}.algorithm` must be one of {}", auth.written, ALGORITHMS.join(", "));
            findings.error(node.start, text);
            None
        }
    }
}

/// A list, or one string with blanks.
fn scopes(auth: &mut Auth<'_>, findings: &mut Findings) -> Option<Vec<String>> {
    let Some(node) = auth.get("scopes") else { return Some(Vec::new()) };
    let words: Option<Vec<String>> = match &node.value {
        Value::Text(text) => Some(text.split_ascii_whitespace().map(str::to_owned).collect()),
        Value::List(items) => items.iter().map(|item| item.text().map(str::to_owned)).collect(),
        _ => None,
    };
    words.or_else(|| read::wrong(&format!("{}.scopes", auth.written), node, "a list of strings", findings))
}
