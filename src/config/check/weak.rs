//! Secrets that anybody would try first.
//!
//! It does not measure randomness: a long secret of somebody's own making passes.

use sha2::Digest;
use sha2::Sha256;

/// What stands in examples and default configurations.
const PLACEHOLDERS: [&str; 17] = [
    "changeme",
    "change-me",
    "change_me",
    "change this",
    "your-token",
    "your_token",
    "yourtoken",
    "your-api-key",
    "your_api_key",
    "your-secret",
    "your_secret",
    "placeholder",
    "replace-me",
    "replace_me",
    "replaceme",
    "password",
    "0123456789abcdef",
];
/// Whole secrets that are known to be used.
const WORDS: [&str; 12] = [
    "",
    "admin",
    "administrator",
    "secret",
    "token",
    "test",
    "letmein",
    "qwerty",
    "mcp",
    "key",
    "default",
    "hunter2",
];
/// A secret with fewer different characters is none.
const FEWEST: usize = 6;

/// Why `secret` is refused, when it is shorter than `shortest` characters or a well-known one.
#[must_use]
pub fn fault(secret: &str, shortest: usize) -> Option<String> {
    let lower = secret.to_ascii_lowercase();
    let mut seen: Vec<char> = secret.chars().collect();
    seen.sort_unstable();
    seen.dedup();
    if secret.chars().count() < shortest || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some(format!("needs at least {shortest} visible ASCII characters"))
    } else if PLACEHOLDERS.iter().any(|known| lower.contains(known)) || WORDS.contains(&lower.as_str()) {
        Some("is a placeholder that everybody knows".to_owned())
    } else if seen.len() < FEWEST {
        Some("has hardly any different characters".to_owned())
    } else {
        None
    }
}

/// True for the digest of a secret that everybody knows.
#[must_use]
pub fn is_known(digest: &[u8; 32]) -> bool {
    let known = WORDS.iter().chain(&PLACEHOLDERS);
    known.into_iter().any(|word| Sha256::digest(word.as_bytes()).as_slice() == digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_and_short_secrets_are_refused() {
        for weak in [
            "",
            "short",
            "changeme-changeme",
            "YOUR-TOKEN-here-please",
            "aaaaaaaaaaaaaaaaaaaa",
            "Password12345678",
            "0123456789abcdef0123456789abcdef",
            "with a space in it x",
        ] {
            assert!(fault(weak, 16).is_some(), "{weak}");
        }
        assert_eq!(fault("f3a9-long-and-of-my-own", 16), None);
        assert!(is_known(&Sha256::digest(b"changeme").into()) && !is_known(&[7; 32]));
    }
}
