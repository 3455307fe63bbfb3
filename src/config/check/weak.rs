//! Secrets that anybody would try first.
//!
//! It does not measure randomness: a long secret of somebody's own making passes.

use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::LazyLock;

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
/// What people make their passwords of, longest first where one holds another.
const COMMON: [&str; 42] = [
    "administrator",
    "letmein",
    "password",
    "passw0rd",
    "p@ssw0rd",
    "p@ssword",
    "pa55word",
    "qwertz",
    "qwerty",
    "azerty",
    "admin",
    "welcome",
    "iloveyou",
    "monkey",
    "dragon",
    "football",
    "baseball",
    "master",
    "login",
    "sunshine",
    "princess",
    "superman",
    "batman",
    "trustno1",
    "shadow",
    "michael",
    "jennifer",
    "changeme",
    "default",
    "hunter2",
    "starwars",
    "whatever",
    "freedom",
    "mustang",
    "charlie",
    "1q2w3e4r5t",
    "q1w2e3r4t5",
    "1qaz2wsx",
    "zaq12wsx",
    "abc123",
    "secret",
    "test",
];
/// What follows one another on keyboards and in alphabets; also read backwards.
const ROWS: [&str; 5] = ["abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"];
/// A secret with fewer different characters is none.
const FEWEST: usize = 6;
/// So many characters in a row are no accident.
const RUN: usize = 4;

/// Why `secret` is refused, when it is shorter than `shortest` characters or a well-known one.
#[must_use]
pub fn fault(secret: &str, shortest: usize) -> Option<String> {
    let lower = secret.to_ascii_lowercase();
    let seen: BTreeSet<char> = secret.chars().collect();
    if secret.chars().count() < shortest || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some(format!("needs at least {shortest} visible ASCII characters"))
    } else if PLACEHOLDERS.iter().any(|known| lower.contains(known)) || WORDS.contains(&lower.as_str()) {
        Some("is a placeholder that everybody knows".to_owned())
    } else if seen.len() < FEWEST {
        Some("has hardly any different characters".to_owned())
    } else if own(&lower).len() < FEWEST {
        Some("is made of common passwords and of characters in a row".to_owned())
    } else {
        None
    }
}

/// True for the digest of a secret that everybody knows.
#[must_use]
pub fn is_known(digest: &[u8; 32]) -> bool {
    static KNOWN: LazyLock<HashSet<[u8; 32]>> =
        LazyLock::new(|| guesses().iter().map(|guess| Sha256::digest(guess).into()).collect());
    KNOWN.contains(digest)
}

/// The characters that are left of `lower` when common passwords are taken out, and rows are cut to their beginnings.
fn own(lower: &str) -> BTreeSet<char> {
    let mut rest = lower.to_owned();
    for word in COMMON {
        rest = rest.replace(word, "\n");
    }
    let chars: Vec<char> = rest.chars().collect();
    let (mut own, mut at) = (BTreeSet::new(), 0);
    while at < chars.len() {
        own.insert(chars[at]);
        let length = row_at(&chars[at..]);
        at += if length >= RUN { length } else { 1 };
    }
    own.remove(&'\n');
    own
}

/// How many characters from the first on are the same one, or follow one another in a row in one direction.
fn row_at(chars: &[char]) -> usize {
    let follows = |from: char, to: char, forth: bool| {
        let (from, to) = if forth { (from, to) } else { (to, from) };
        ROWS.iter().any(|row| row.contains(&*String::from_iter([from, to])))
    };
    let length = |is_next: &dyn Fn(char, char) -> bool| {
        1 + chars.windows(2).take_while(|pair| is_next(pair[0], pair[1])).count()
    };
    let same = length(&|from, to| from == to);
    same.max(length(&|from, to| follows(from, to, true))).max(length(&|from, to| follows(from, to, false)))
}

/// What is tried first: common words with what people put behind them, and rows from their beginnings.
fn guesses() -> HashSet<String> {
    const ENDS: [&str; 17] = [
        "",
        "!",
        "1",
        "1!",
        "12",
        "12!",
        "123",
        "123!",
        "1234",
        "12345",
        "123456",
        "123456789",
        "1234567890",
        "2023",
        "2024",
        "2025",
        "2026",
    ];
    let mut all = HashSet::new();
    for word in WORDS.iter().chain(&PLACEHOLDERS).chain(&COMMON) {
        let capital = word.get(..1).map(|first| first.to_uppercase() + &word[1..]).unwrap_or_default();
        for form in [(*word).to_owned(), capital, word.to_uppercase(), word.repeat(2)] {
            all.extend(ENDS.iter().map(|end| format!("{form}{end}")));
        }
    }
    let digits = "1234567890".repeat(4);
    let rows = [
        "qwertyuiopasdfghjklzxcvbnm",
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "0123456789abcdef0123456789abcdef",
    ];
    for row in rows.into_iter().chain([digits.as_str()]) {
        all.extend((1..=row.len()).flat_map(|end| [row[..end].to_owned(), row[..end].to_uppercase()]));
    }
    all
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

    #[test]
    fn rows_and_common_passwords_are_refused_also_as_digests() {
        for weak in [
            "1234567890123456",
            "abcdefghijklmnop",
            "qwertyuiopasdfgh",
            "letmeinletmein123",
            "LetMeIn-LetMeIn-2!",
            "9876543210987654",
            "123456789012",
            "Welcome123456!",
        ] {
            assert!(fault(weak, 12).is_some(), "{weak}");
        }
        for own in [
            "first-token-aaaa",
            "7c1f9a52e8d04b63",
            "ann-likes-tea-at-4",
            "Xk29vPq0LmZt",
            "admin-of-the-blue-team",
        ] {
            assert_eq!(fault(own, 12), None, "{own}");
        }
        for weak in
            ["letmein123", "Password1!", "QWERTY123", "12345678", "adminadmin", "iloveyou", "qwertyuiop"]
        {
            assert!(is_known(&Sha256::digest(weak).into()), "{weak}");
        }
    }
}
