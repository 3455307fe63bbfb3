//! S8 and S9: nothing that a server or an authorization server says leads a code, a token or a secret elsewhere, or runs
//! anything here; and nobody logs in *here*.

use crate::oauth::conf_of;
use crate::oauth::conf_with;
use crate::oauth::kept;
use crate::oauth::param;
use crate::oauth::person::Person;
use crate::oauth::person::log_in;
use crate::oauth::person::run;
use crate::oauth::rig::Rig;
use crate::oauth::web::Response;
use crate::oauth::web::Web;
use crate::oauth::web::visit;
use crate::support::gateway::Gateway;
use serde_json::Value;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

/// Somebody who hopes for secrets.
fn sentinel() -> Web {
    Web::start(|_, _| {
        Response::json(200, &json!({ "access_token": "evil", "token_type": "Bearer", "client_id": "e" }))
    })
}

/// A login fails before anybody is sent anywhere, and says why.
fn is_refused(rig: &Rig, why: &str) {
    let conf = conf_of(rig);
    let ended = Person::logs_in(&conf, &["x"]).ends();
    assert_eq!(ended.code, 3, "{why}: {}", ended.stderr);
    assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
    assert!(!ended.stdout.contains("http"), "no address is shown: {}", ended.stdout);
    assert!(kept(&conf).is_empty() && rig.grants("authorization_code").is_empty());
}

#[test]
fn s8_metadata_that_is_not_about_this_server_or_not_safe_is_refused() {
    let evil = sentinel();
    let cases: Vec<(Value, Value, &str)> = vec![
        (json!({ "resource": evil.url("/mcp") }), json!({}), "not about this address"),
        (json!({ "resource": "https://bank.example/mcp" }), json!({}), "not about this address"),
        (json!({}), json!({ "code_challenge_methods_supported": null }), "PKCE with S256"),
        (json!({}), json!({ "code_challenge_methods_supported": ["plain"] }), "PKCE with S256"),
        (json!({}), json!({ "issuer": evil.url("") }), "the authorization server says that it is"),
        (json!({}), json!({ "issuer": null }), "does not say that it is"),
        (json!({}), json!({ "token_endpoint": "http://as.example/token" }), "token endpoint cannot be used"),
        (
            json!({}),
            json!({ "registration_endpoint": "ftp://as.example/" }),
            "registration endpoint cannot be used",
        ),
        (json!({}), json!({ "registration_endpoint": null }), "put `clientId` into `auth`"),
    ];
    for (resource, metadata, why) in cases {
        let rig = Rig::with(|ways| {
            ways.changes_resource = resource;
            ways.changes_metadata = metadata;
        });
        is_refused(&rig, why);
    }
    assert!(evil.seen().is_empty(), "{:?}", evil.seen());
}

#[test]
fn s8_the_browser_gets_one_address_of_the_web_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (opened, opener) = (folder.path().join("opened"), folder.path().join("opener"));
    std::fs::write(
        &opener,
        format!("#!/bin/sh\nfor a in \"$@\"; do echo \"<$a>\" >> {}; done\n", opened.display()),
    )
    .unwrap();
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).unwrap();
    let browser = [("BROWSER", opener.to_str().unwrap())];
    for evil in [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "a:$(calc)",
        "-x",
        "--help",
        "http://as.example/authorize",
        "https://as.example/\r\nX-Evil: 1",
        "https://as.example/ & calc",
        "https://user:pass@as.example/authorize",
        "",
    ] {
        let rig = Rig::with(|ways| ways.changes_metadata = json!({ "authorization_endpoint": evil }));
        let ended = Person::with(&conf_of(&rig), &["x"], &browser).ends();
        assert_eq!(ended.code, 3, "{evil:?}: {}", ended.stderr);
        assert!(!ended.stdout.contains("as.example") && !opened.exists(), "{evil:?}: {}", ended.stdout);
    }
    let rig = Rig::with(|_| {});
    let tricky = format!("{}?a=$(calc)&b='x'|\"y\"", rig.issuer.url("/authorize"));
    rig.change(|ways| ways.changes_metadata = json!({ "authorization_endpoint": tricky }));
    let ended = Person::with(&conf_of(&rig), &["x", "--timeout", "2"], &browser).ends();
    let lines = std::fs::read_to_string(&opened).unwrap_or_default();
    let lines: Vec<&str> = lines.lines().collect();
    // An address with a sign that a shell could take for its own is only printed.
    assert!(lines.len() <= 1, "{lines:?}");
    for line in lines {
        let inner = line.trim_matches(['<', '>']);
        assert!(url::Url::parse(inner).is_ok() && !inner.contains(['\'', '"', '|', ' ']), "{line}");
    }
    assert!(ended.stderr.contains("not logged in to within 2 s"), "{}", ended.stderr);
    let rig = Rig::start();
    let conf = conf_of(&rig);
    let person = Person::with(&conf, &["x"], &browser);
    let address = person.address();
    assert_eq!(person.finishes().code, 0);
    let text = std::fs::read_to_string(&opened).unwrap();
    assert!(text.ends_with(&format!("<{address}>\n")), "one argument, the address that was printed: {text}");
}

#[test]
fn s8_a_browser_that_comes_back_from_elsewhere_brings_nothing() {
    for (iss, why) in [(Some("https://evil.example"), "another authorization server"), (None, "no token")] {
        let rig = Rig::with(|ways| ways.iss = iss.map(str::to_owned));
        let conf = conf_of(&rig);
        let ended = Person::logs_in(&conf, &["x"]).finishes();
        assert_eq!(ended.code, 3);
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
        assert!(rig.grants("authorization_code").is_empty(), "the code is sent nowhere");
        assert!(kept(&conf).is_empty());
    }
    // What is said twice, one reader takes for this and the next for that.
    for more in ["iss=https%3A%2F%2Fevil.example", "code=stolen", "error=access_denied&error=access_denied"] {
        let quiet = json!({ "authorization_response_iss_parameter_supported": null });
        let rig = Rig::with(|ways| ways.changes_metadata = quiet);
        let conf = conf_of(&rig);
        let person = Person::logs_in(&conf, &["x"]);
        visit(&format!("{}&{more}", person.agrees()));
        let ended = person.ends();
        assert_eq!(ended.code, 3, "{more}");
        assert!(ended.stderr.contains("one thing twice"), "{more}: {}", ended.stderr);
        assert!(rig.grants("authorization_code").is_empty() && kept(&conf).is_empty(), "{more}");
    }
    // A page that guesses at the address is not let in, and ends nothing.
    let rig = Rig::start();
    let conf = conf_of(&rig);
    let person = Person::logs_in(&conf, &["x"]);
    let back = param(&person.address(), "redirect_uri").unwrap();
    for query in ["code=stolen", "code=stolen&state=guessed", "error=access_denied", "state=&code=stolen"] {
        assert_eq!(visit(&format!("{back}?{query}")).0, 404, "{query}");
    }
    assert_eq!(person.finishes().code, 0);
    assert!(rig.grants("authorization_code").iter().all(|request| !request.body.contains("stolen")));
}

#[test]
fn s8_a_key_in_the_address_of_a_server_is_told_to_no_authorization_server() {
    let rig = Rig::with(|ways| ways.alone = true);
    let mut entry = rig.entry();
    entry["url"] = json!(rig.server.url("/mcp?key=query-secret"));
    let conf = conf_with(&entry);
    let person = Person::logs_in(&conf, &["x"]);
    assert_eq!(param(&person.address(), "resource"), Some(rig.server.url("/mcp")));
    assert_eq!(person.finishes().code, 0);
    assert_eq!(run(&conf, &["call", "x__echo"]).code, 0);
    for request in rig.server.seen().iter().filter(|request| request.path != "/mcp") {
        assert!(!request.whole().contains("query-secret"), "{}", request.whole());
    }
}

#[test]
fn s8_another_authorization_server_gets_nothing_of_a_login() {
    let (rig, other) = (Rig::with(|ways| ways.lifetimes = (0, 3600)), Rig::start());
    let conf = conf_of(&rig);
    log_in(&conf, "x");
    // The server names somebody else now, and so do documents of the first authorization server.
    rig.change(|ways| {
        ways.changes_resource = json!({ "authorization_servers": [other.issuer.url("")] });
        ways.changes_metadata = json!({ "token_endpoint": other.issuer.url("/token") });
    });
    assert_eq!(run(&conf, &["call", "x__echo"]).code, 0, "the login goes on where it was made");
    assert_eq!(rig.grants("refresh_token").len(), 1);
    rig.change(|ways| ways.refuses_all = true);
    let ended = run(&conf, &["call", "x__echo"]);
    assert_eq!(ended.code, 3);
    assert!(ended.stderr.contains("auth login x"), "the remedy is to log in there: {}", ended.stderr);
    assert!(other.issuer.seen().is_empty(), "{:?}", other.issuer.seen());
    // Only a person who logs in there goes there, with nothing of the login before.
    let ended = Person::logs_in(&conf, &["x"]).finishes();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("it is another one now"), "{}", ended.stderr);
    for request in other.issuer.seen() {
        assert!(!rig.secrets().iter().any(|secret| request.whole().contains(secret)), "{}", request.whole());
    }
}

#[test]
fn s8_the_secret_of_the_entry_goes_to_its_issuer_only() {
    let evil = Rig::start();
    let auth = |issuer: Option<&str>| {
        let mut entry = evil.entry();
        entry["auth"] = json!({ "type": "oauth", "clientId": "own", "clientSecret": "entry-secret" });
        if let Some(issuer) = issuer {
            entry["auth"]["issuer"] = json!(issuer);
        }
        conf_with(&entry)
    };
    for (conf, why) in
        [(auth(None), "which would get `clientSecret`"), (auth(Some("https://as.example")), "`auth.issuer`")]
    {
        let ended = Person::logs_in(&conf, &["x"]).ends();
        assert_eq!(ended.code, 3, "{}", ended.stderr);
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
    for request in evil.issuer.seen().iter().chain(&evil.server.seen()) {
        assert!(!request.whole().contains("entry-secret"), "{}", request.whole());
    }
}

#[test]
fn s9_there_is_no_authorization_server_here() {
    let rig = Rig::start();
    let gateway = Gateway::on(&conf_of(&rig)).http();
    for path in [
        "/authorize",
        "/token",
        "/register",
        "/callback",
        "/oauth/callback",
        "/oauth/authorize",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/mcp",
    ] {
        for method in ["GET", "POST"] {
            let host = gateway.addr();
            let body = if method == "POST" { "content-length: 0\r\n" } else { "" };
            let text =
                format!("{method} {path}?a=b HTTP/1.1\r\nhost: {host}\r\n{body}connection: close\r\n\r\n");
            let status = gateway.client().raw(text.as_bytes()).head().status;
            assert_eq!(status, 404, "{method} {path}");
        }
    }
}
