//! What of a text in the file is left out of digests that others may read, because it could be a secret.
//!
//! It goes by names and by the form of addresses; it does not judge how good a secret is.

use std::borrow::Cow;

/// Anywhere in a name.
const WORDS: [&str; 10] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "credential",
    "apikey",
    "authorization",
    "cookie",
];
/// As a whole word of a name.
const WHOLE: [&str; 10] = ["key", "keys", "pass", "pwd", "pw", "auth", "bearer", "jwt", "otp", "pin"];
/// A name that ends so is about a secret and holds none.
const ABOUT: [&str; 15] = [
    "url", "uri", "endpoint", "host", "port", "id", "name", "type", "file", "path", "dir", "header", "env",
    "command", "method",
];

/// True for a name under which secrets stand: `API_KEY`, `clientSecret`, `X-Auth-Token`, and not `TOKEN_URL`.
#[must_use]
pub fn is_secretive(name: &str) -> bool {
    let words = words(name);
    let is_about = words.last().is_some_and(|last| ABOUT.contains(&last.as_str()));
    let lower = name.to_ascii_lowercase();
    !is_about
        && (WORDS.iter().any(|word| lower.contains(word))
            || words.iter().any(|word| WHOLE.contains(&word.as_str())))
}

/// `apiKey`, `API_KEY` and `api-key` → `api`, `key`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let starts = !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && before.is_ascii_lowercase());
        if starts && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// `text` without the password of an address in it, and without what its query holds under secretive names.
#[must_use]
pub fn without_password(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else { return Cow::Borrowed(text) };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or_default()),
        None => authority.to_owned(),
    };
    let mut out = format!("{scheme}://{authority}");
    for part in rest.split_inclusive(['?', '&', '#']) {
        let end = part.len() - usize::from(part.ends_with(['?', '&', '#']));
        match part.split_once('=') {
            Some((name, _)) if is_secretive(name) => {
                out.push_str(name);
                out.push('=');
                out.push_str(&part[end..]);
            }
            _ => out.push_str(part),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_from_names_about_them() {
        for name in [
            "API_KEY",
            "apiKey",
            "clientSecret",
            "X-Auth-Token",
            "Authorization",
            "PGPASSWORD",
            "DB_PWD",
            "AWS_SECRET_ACCESS_KEY",
            "password",
        ] {
            assert!(is_secretive(name), "{name}");
        }
        for name in [
            "PYTHONPATH",
            "PATH",
            "NODE_OPTIONS",
            "TOKEN_URL",
            "tokenUrl",
            "GIT_ASKPASS",
            "KEYBOARD",
            "keyId",
            "LD_PRELOAD",
            "X-Tenant",
            "AUTHOR",
        ] {
            assert!(!is_secretive(name), "{name}");
        }
    }

    #[test]
    fn addresses_lose_their_passwords_and_nothing_else() {
        for (text, left) in [
            ("postgres://ann:w0rd@h/db?sslmode=off", "postgres://ann@h/db?sslmode=off"),
            ("https://h/?a=1&api_key=k&b=2#token=t", "https://h/?a=1&api_key=&b=2#token="),
            ("https://good:x\\@evil/", "https://good:x\\@evil/"),
            ("/evil", "/evil"),
            ("https://a@b:80/c:d@e", "https://a@b:80/c:d@e"),
        ] {
            assert_eq!(without_password(text), left);
        }
    }
}
