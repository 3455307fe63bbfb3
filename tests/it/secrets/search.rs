//! Secrets made for one test, and the search for them.
//!
//! A text may hold a secret as it is or encoded; parts of one are not searched for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// What is planted, by where it is: those of the file and of servers first, then those of clients.
const NAMES: [&str; 23] = [
    // The entries of the file: variables, arguments, headers, addresses, files.
    "env",
    "argument",
    "header",
    "cookie",
    "query",
    "userinfo",
    "inline",
    "file",
    "kept",
    // What is shown at servers: `auth` of each type, and what token endpoints and commands give.
    "apikey",
    "basic",
    "client",
    "granted",
    "helper",
    "registered",
    "access",
    "refresh",
    // What callers show, and what goes through: arguments and results.
    "bearer",
    "phrase",
    "key",
    "jwt",
    "sent",
    "result",
];
/// How a secret can be spelt.
pub const SPELLINGS: [&str; 7] = ["plain", "JSON", "Debug", "hex", "URL", "base64", "base64url"];

/// Secrets by name.
pub struct Canaries {
    all: BTreeMap<&'static str, String>,
    planted: RefCell<BTreeSet<&'static str>>,
}

impl Default for Canaries {
    fn default() -> Self {
        let all = NAMES.iter().map(|name| (*name, secret(name))).collect();
        Self { all, planted: RefCell::default() }
    }
}

/// Looks different in each encoding, but where it stands in a URL or in a form.
fn secret(name: &str) -> String {
    let mark = if matches!(name, "userinfo" | "query" | "registered") { "-" } else { "\"+%/" };
    format!("CANARY{mark}{name}{mark}0f9e8d7c6b5a")
}

impl Canaries {
    /// One secret, to be planted somewhere.
    pub fn of(&self, name: &str) -> &str {
        let (name, secret) =
            self.all.get_key_value(name).unwrap_or_else(|| panic!("there is no canary {name}"));
        self.planted.borrow_mut().insert(*name);
        secret
    }

    /// A secret that somebody else made.
    pub fn learn(&mut self, name: &str, secret: String) {
        *self.all.get_mut(name).unwrap_or_else(|| panic!("there is no canary {name}")) = secret;
        self.of(name);
    }

    /// How many there are. Each of them was planted.
    pub fn planted(&self) -> usize {
        let missing: Vec<_> = NAMES.iter().filter(|name| !self.planted.borrow().contains(*name)).collect();
        assert!(missing.is_empty(), "never planted: {missing:?}");
        NAMES.len()
    }

    /// What of them stands in `text`.
    pub fn in_text(&self, text: &str) -> impl Iterator<Item = String> {
        let hits = self.all.iter().flat_map(|(name, secret)| {
            let hits = spellings(secret).into_iter().filter(|(_, spelling)| text.contains(spelling));
            hits.map(|(how, spelling)| format!("{name} ({how}): {}", around(text, &spelling)))
                .collect::<Vec<_>>()
        });
        hits.collect::<Vec<_>>().into_iter()
    }
}

fn spellings(secret: &str) -> Vec<(&'static str, String)> {
    let json = serde_json::to_string(secret).expect("a text is JSON");
    let mut all = vec![
        ("plain", secret.to_owned()),
        ("JSON", json.trim_matches('"').to_owned()),
        ("Debug", format!("{secret:?}").trim_matches('"').to_owned()),
        ("hex", secret.bytes().map(|byte| format!("{byte:02x}")).collect()),
        ("URL", percent(secret)),
    ];
    // It may stand anywhere in what was encoded: the characters that do not depend on what is around it.
    for before in 0..3 {
        let padded = [&vec![b'.'; before][..], secret.as_bytes()].concat();
        let (from, to) = ((before * 8).div_ceil(6), (before + secret.len()) * 8 / 6);
        all.push(("base64", STANDARD_NO_PAD.encode(&padded)[from..to].to_owned()));
        all.push(("base64url", URL_SAFE_NO_PAD.encode(&padded)[from..to].to_owned()));
    }
    all
}

fn percent(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

fn around(text: &str, found: &str) -> String {
    let at = text.find(found).unwrap_or_default();
    let from = text[..at].char_indices().rev().nth(80).map_or(0, |(at, _)| at);
    text[from..].chars().take(240).collect()
}

#[test]
fn a_secret_is_found_in_every_spelling() {
    let canaries = Canaries::default();
    let known: BTreeSet<&str> = spellings(canaries.of("env")).iter().map(|(how, _)| *how).collect();
    assert_eq!(known, BTreeSet::from(SPELLINGS));
    for (how, spelling) in spellings(canaries.of("env")) {
        let text = format!("some text {spelling} and more");
        assert!(canaries.in_text(&text).next().is_some(), "{how}");
    }
    let basic = STANDARD_NO_PAD.encode(format!("user:{}", canaries.of("basic")));
    assert!(canaries.in_text(&basic).any(|hit| hit.starts_with("basic (base64)")));
    assert_eq!(canaries.in_text("CANARY").count(), 0);
}
