//! S2: what is not safe does not start, and says what to do.
//!
//! Advisories of the kind: secrets that everybody knows (CVE-2026-53709, -78573, -81094).

use crate::access::rig::folder;
use crate::access::rig::write_private;
use crate::support::gateway::Gateway;
use serde_json::Value;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;
use std::os::unix::fs::PermissionsExt;

/// What it says when it is to serve with this `gateway` section at `at`; it must not listen.
fn refused(section: &Value, at: &str) -> String {
    refused_with(section, at, &[])
}

/// As [`refused`], with more arguments.
fn refused_with(section: &Value, at: &str, more: &[&str]) -> String {
    let conf = folder(section);
    write_private(&conf.dir().join("keys.json"), r#"{"keys":[]}"#);
    let file = conf.file().display().to_string();
    let args = [&["serve", "--config", &file, "--no-cache", "--http", at], more].concat();
    let output = Gateway::on(&conf).run(&args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!([Some(1), Some(2)].contains(&output.status.code()), "{section}: {:?} {said}", output.status);
    assert!(!said.contains("listening on"), "{section}: {said}");
    assert!(conf.ledger_lines().is_empty());
    said
}

#[test]
fn s2_unsafe_settings_do_not_start() {
    let key = |more: Value| json!({ "auth": { "keys": [more] } });
    let jwt = |more: Value| {
        let mut terms = json!({ "issuer": "https://login.example.com", "audience": "x" });
        for (name, value) in more.as_object().expect("an object") {
            terms[name] = value.clone();
        }
        json!({ "auth": { "jwt": [terms] } })
    };
    let hash = format!("sha256:{}", "ab".repeat(32));
    let of = |secret: &str| {
        let digits: String = Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{digits}")
    };
    let of_changeme = "sha256:057ba03d6c44104863dc7361fe4578965d1887360f90a0895882e58a6248fc86";
    for (section, says) in [
        (json!({ "http": { "bearerTokens": ["short"] } }), "16"),
        (json!({ "http": { "bearerTokens": ["changeme-changeme-changeme"] } }), "placeholder"),
        (json!({ "http": { "bearerTokens": ["aaaaaaaaaaaaaaaaaaaaaaaa"] } }), "different characters"),
        (json!({ "http": { "bearerTokens": ["1234567890123456"] } }), "in a row"),
        (json!({ "http": { "bearerTokens": ["abcdefghijklmnop"] } }), "in a row"),
        (json!({ "http": { "bearerTokens": ["qwertyuiopasdfgh"] } }), "in a row"),
        (json!({ "http": { "bearerTokens": ["letmeinletmein123"] } }), "common passwords"),
        (json!({ "auth": { "basic": [{ "user": "ann", "password": "123456789012" }] } }), "in a row"),
        (json!({ "auth": { "basic": [{ "user": "ann", "hash": of("letmein123") }] } }), "good password"),
        (key(json!({ "hash": of("Password1!") })), "placeholder"),
        (key(json!({ "hash": of("1234567890123456") })), "placeholder"),
        (json!({ "auth": { "basic": [{ "user": "ann", "password": "password1234" }] } }), "placeholder"),
        (json!({ "auth": { "basic": [{ "user": "ann", "password": "short" }] } }), "12"),
        (json!({ "auth": { "basic": [{ "user": "ann" }] } }), "password"),
        (json!({ "auth": { "basic": [{ "user": "a:b", "password": "f3a9-long-enough" }] } }), "without `:`"),
        (key(json!({ "name": "x" })), "hash"),
        (key(json!({ "hash": "sha256:1234" })), "hash"),
        (key(json!({ "hash": of_changeme })), "placeholder"),
        (key(json!({ "hash": hash, "expires": "soon" })), "date"),
        (json!({ "auth": { "keys": [{ "hash": hash }, { "hash": hash, "id": "b" }] } }), "twice"),
        (jwt(json!({ "issuer": "http://login.example.com" })), "https"),
        (jwt(json!({ "issuer": "https://user:pass@login.example.com" })), "password"),
        (jwt(json!({ "jwksUrl": "http://login.example.com/keys" })), "https"),
        (jwt(json!({ "jwksUrl": "https://login.example.com/keys", "jwksFile": "keys.json" })), "either"),
        (jwt(json!({ "audience": [] })), "audience"),
        (jwt(json!({ "audience": null })), "audience"),
        (jwt(json!({ "algorithms": ["none"] })), "algorithm"),
        (jwt(json!({ "algorithms": ["HS256"] })), "algorithm"),
        (jwt(json!({ "algorithms": [] })), "algorithms"),
        (jwt(json!({ "clockSkew": "1h" })), "clockSkew"),
        (json!({ "auth": { "resource": "http://mcp.example.com/mcp" } }), "https"),
        (json!({ "callers": { "a": {} }, "defaultCaller": "b" }), "defaultCaller"),
    ] {
        let said = refused(&section, "127.0.0.1:0");
        let says = if says == "defaultCaller" { "gateway.callers" } else { says };
        assert!(said.contains(says), "{section}: {said}");
        assert!(!said.contains("changeme") && !said.contains("password1234"), "no secret is shown: {said}");
    }
}

#[test]
fn s2_a_public_address_without_credentials_does_not_start() {
    for section in [json!({}), json!({ "callers": { "a": {} } })] {
        let said = refused(&section, "0.0.0.0:0");
        assert!(said.contains("no credential is configured") && said.contains("key create"), "{said}");
    }
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let said = refused_with(&json!({}), at, &["--behind-proxy"]);
        assert!(said.contains("no credential is configured") && said.contains("proxy"), "{said}");
    }
    let said = refused(&json!({ "auth": { "keysFile": "keys.json" } }), "0.0.0.0:0");
    assert!(said.contains("TLS"), "{said}");
}

#[test]
fn s2_files_that_others_may_read_do_not_start() {
    for (section, name, mode) in [
        (json!({ "auth": { "keysFile": "my-keys.json" } }), "my-keys.json", 0o644),
        (json!({ "auth": { "keysFile": "my-keys.json" } }), "my-keys.json", 0o620),
        (
            json!({ "auth": { "jwt": [{ "issuer": "https://login.example.com", "audience": "x", "jwksFile": "my-jwks.json" }] } }),
            "my-jwks.json",
            0o666,
        ),
        (json!({}), ".config/mcp-manifold/keys.json", 0o640),
    ] {
        let conf = folder(&section);
        let file = conf.dir().join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        write_private(&file, r#"{"keys":[]}"#);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("a mode");
        let own = conf.file().display().to_string();
        let output =
            Gateway::on(&conf).run(&["serve", "--config", &own, "--no-cache", "--http", "127.0.0.1:0"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("listening on") && output.status.code() == Some(2), "{section}: {said}");
        assert!(said.contains("chmod") && said.contains(&format!("{mode:03o}")), "{said}");
    }
}

/// What a gateway with this file, of this mode, says; and whether it listened.
fn with_mode(section: &Value, name: &str, mode: u32, args: &[&str]) -> (Option<i32>, String) {
    let conf = folder(section);
    std::fs::write(conf.dir().join("rules.json"), r#"{"agents":{}}"#).expect("it can be written");
    std::fs::set_permissions(conf.dir().join(name), std::fs::Permissions::from_mode(mode)).expect("a mode");
    let file = conf.file().display().to_string();
    let output = Gateway::on(&conf).run(&[args, &["--config", file.as_str(), "--no-cache"]].concat());
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn s2_a_file_of_rules_that_others_can_change_does_not_start() {
    let keyed = json!({ "http": { "bearerTokens": ["a-token-of-somebody"] } });
    let policies = json!({ "access": { "default": "deny" } });
    let rules = json!({ "rules": "rules.json" });
    let http = ["serve", "--http", "127.0.0.1:0"];
    for (section, name, mode, args) in [
        (&keyed, "mcp.json", 0o666, &http[..]),
        (&policies, "mcp.json", 0o666, &["tools"][..]),
        (&policies, "mcp.json", 0o602, &["check"][..]),
        (&json!({}), "mcp.json", 0o666, &http[..]),
        (&rules, "rules.json", 0o666, &["tools"][..]),
    ] {
        let (code, said) = with_mode(section, name, mode, args);
        assert_eq!(code, Some(2), "{section} {args:?}: {said}");
        assert!(said.contains("chmod go-w") && said.contains(&format!("{mode:03o}")), "{said}");
        assert!(!said.contains("listening on"), "{said}");
    }
    for (section, name, mode) in [(&json!({}), "mcp.json", 0o666), (&rules, "rules.json", 0o644)] {
        let (code, said) = with_mode(section, name, mode, &["check"]);
        assert_eq!(code, Some(0), "{section}: {said}");
        assert_eq!(said.contains("chmod go-w"), mode == 0o666, "{said}");
    }
}

#[test]
fn s2_secrets_of_callers_that_everybody_can_read_are_warned_of() {
    let plain = json!({ "http": { "bearerTokens": ["a-token-of-somebody"] } });
    let named = json!({ "http": { "bearerTokens": ["${HOME}/a-token-of-somebody"] } });
    for (section, mode, warned) in [(&plain, 0o644, true), (&plain, 0o600, false), (&named, 0o644, false)] {
        let (code, said) = with_mode(section, "mcp.json", mode, &["check"]);
        assert_eq!((code, said.contains("chmod 600")), (Some(0), warned), "{section}: {said}");
    }
}
