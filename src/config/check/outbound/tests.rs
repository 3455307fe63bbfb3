//! `auth`, `headersHelper`, `passHeaders` and plain http → the model, or what is told.

use crate::config;
use crate::config::environment::Environment;
use crate::config::model::Http;
use crate::config::model::Transport;
use crate::config::model::outbound::Identity;
use crate::config::model::outbound::Proof;
use crate::config::model::outbound::Source;
use std::path::Path;
use std::time::Duration;

/// The endpoint of an entry, or the first error.
fn read(entry: &str) -> Result<Http, String> {
    let environment =
        Environment::new([("PATH", "/bin"), ("KEY", "k-1"), ("OTHER", "o")], "/w").home("/home/ann");
    let text = format!("{{\"mcpServers\": {{\"a\": {entry}}}}}");
    let loaded = config::parse(text, Path::new("/w/mcp.json"), &environment)
        .expect("one bad entry takes no other down");
    match loaded.config.servers.get("a").map(|server| &server.transport) {
        Some(Transport::Http(http)) => Ok(http.clone()),
        _ => Err(loaded.config.left_out[0].reason.clone()),
    }
}

fn auth(auth: &str) -> Result<Http, String> {
    read(&format!("{{\"url\": \"https://h/mcp\", \"auth\": {auth}}}"))
}

fn headers(http: &Http) -> Vec<(&str, &str)> {
    http.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect()
}

#[test]
fn what_never_changes_becomes_a_header() {
    for (text, header) in [
        (r#"{"type": "bearer", "token": "${KEY}"}"#, ("authorization", "Bearer k-1")),
        (r#"{"type": "apiKey", "key": "${KEY}"}"#, ("x-api-key", "k-1")),
        (r#"{"type": "apiKey", "header": "X-Own", "prefix": "Key", "key": "${KEY}"}"#, ("x-own", "Key k-1")),
        (r#"{"type": "apiKey", "header": "X-Own", "prefix": "", "key": "${KEY}"}"#, ("x-own", "k-1")),
        (r#"{"type": "apiKey", "header": "Cookie", "prefix": "sid=", "key": "1"}"#, ("cookie", "sid=1")),
        (
            r#"{"type": "basic", "user": "ann", "password": "${KEY}"}"#,
            ("authorization", "Basic YW5uOmstMQ=="),
        ),
    ] {
        let http = auth(text).unwrap();
        assert_eq!(headers(&http), [header], "{text}");
        assert!(!http.outbound.is_personal() && http.outbound.source == Source::Fixed);
        assert!(!format!("{http:?}").contains("k-1"), "it is never shown");
    }
}

#[test]
fn callers_have_credentials_of_their_own() {
    let http = auth(
        r#"{"type": "apiKey", "header": "X-Own", "identity": "caller", "key": "lists",
            "callers": {"ann": {"key": "${KEY}"}, "jwt:i|bob": {"key": "b"}}}"#,
    )
    .unwrap();
    assert_eq!(headers(&http), [("x-own", "lists")]);
    let Identity::Caller(callers) = &http.outbound.identity else { panic!("{http:?}") };
    assert_eq!((callers["ann"][0].1.expose(), callers["jwt:i|bob"][0].1.expose()), ("k-1", "b"));
    let none =
        auth(r#"{"type": "bearer", "identity": "caller", "callers": {"ann": {"token": "t"}}}"#).unwrap();
    assert!(none.headers.is_empty() && none.outbound.is_personal());
}

#[test]
fn tokens_and_commands_are_read() {
    let http = auth(
        r#"{"type": "oauth2", "tokenUrl": "https://as/token", "clientId": "c", "clientSecret": "${KEY}",
            "scopes": "a b", "resource": "https://h/mcp", "audience": "x"}"#,
    )
    .unwrap();
    let Source::Token(terms) = &http.outbound.source else { panic!("{http:?}") };
    assert_eq!((terms.scopes.len(), terms.client_id.as_str()), (2, "c"));
    assert!(matches!(&terms.proof, Proof::Basic(secret) if secret.expose() == "k-1"));
    for text in [
        r#"{"url": "https://h", "headersHelper": "/opt/get 'a b' ${KEY}"}"#,
        r#"{"url": "https://h", "auth": {"type": "headersHelper", "command": ["/opt/get", "a b", "${KEY}"], "ttl": "5m"}}"#,
    ] {
        let http = read(text).unwrap();
        let Source::Command(command) = &http.outbound.source else { panic!("{http:?}") };
        let argv: Vec<_> = command.argv.iter().map(|word| word.value.as_str()).collect();
        assert_eq!((argv, command.cwd.as_path()), (vec!["/opt/get", "a b", "k-1"], Path::new("/w")));
        assert_eq!(command.timeout, Duration::from_secs(10));
        assert!(!command.env.iter().any(|(name, _)| name == "OTHER"), "the environment is the allow-list");
    }
}

#[test]
fn what_cannot_be_meant_is_told() {
    for (text, told) in [
        (r#"{"type": "bearr", "token": "t"}"#, "unknown `auth.type` `bearr`"),
        (r#"{"type": "bearer"}"#, "`auth` needs `token`"),
        (r#"{"type": "bearer", "token": ""}"#, "`auth.token` is empty"),
        (r#"{"type": "bearer", "token": "${NONE}"}"#, "environment variable `NONE` is not set"),
        (
            r#"{"type": "bearer", "token": "a\nb"}"#,
            "`auth` holds a line break or a character that no header can hold",
        ),
        (r#"{"type": "basic", "user": "a:b"}"#, "`auth.user` must not hold a `:`"),
        (
            r#"{"type": "apiKey", "header": "Host", "key": "k"}"#,
            "`auth.header` is no header that an entry can set",
        ),
        (
            r#"{"type": "apiKey", "header": "Mcp-Name", "key": "k"}"#,
            "`auth.header` is no header that an entry can set",
        ),
        (r#"{"type": "bearer", "identity": "caller"}"#, "`auth` with `identity: caller` needs `callers`"),
        (
            r#"{"type": "bearer", "identity": "me", "token": "t"}"#,
            "`auth.identity` must be `gateway` or `caller`",
        ),
        (
            r#"{"type": "bearer", "token": "t", "callers": {}}"#,
            "`auth.callers` has no effect: `identity` is not `caller`",
        ),
        (
            r#"{"type": "bearer", "identity": "caller", "callers": {"a": {}}}"#,
            "`auth.callers.a` needs `token`",
        ),
        (
            r#"{"type": "oauth2", "identity": "caller"}"#,
            "`auth.identity` cannot be `caller`: client credentials are those of the gateway",
        ),
        (r#"{"type": "oauth2", "clientId": "c", "clientSecret": "s"}"#, "`auth` needs `tokenUrl`"),
        (
            r#"{"type": "oauth2", "tokenUrl": "http://as/t", "clientId": "c", "clientSecret": "s"}"#,
            "`auth.tokenUrl` is not https: the secret would travel in the clear",
        ),
        (
            r#"{"type": "oauth2", "tokenUrl": "https://as/t", "clientId": "c"}"#,
            "`auth` needs either `clientSecret` or `privateKey`",
        ),
        (
            r#"{"type": "oauth2", "tokenUrl": "https://as/t", "clientId": "c", "privateKey": "none.pem"}"#,
            "the file of `auth.privateKey` cannot be read: no such file",
        ),
        (r#"{"type": "headersHelper"}"#, "`auth` needs `command`"),
    ] {
        assert_eq!(auth(text).unwrap_err(), told, "{text}");
    }
}

#[test]
fn what_does_not_fit_the_rest_of_an_entry_is_told() {
    for (text, told) in [
        (
            r#"{"url": "https://h", "headers": {"Authorization": "x"}, "auth": {"type": "bearer", "token": "t"}}"#,
            "`auth` and the headers of the entry both give `authorization`",
        ),
        (
            r#"{"command": "x", "auth": {"type": "bearer", "token": "t"}}"#,
            "`auth` is for servers with a `url`; a process gets its credentials in `env`",
        ),
        (
            r#"{"command": "x", "passHeaders": ["x-a"]}"#,
            "`passHeaders` is for servers with a `url`; a process gets its credentials in `env`",
        ),
    ] {
        assert_eq!(read(text).unwrap_err(), told, "{text}");
    }
}

#[test]
fn only_harmless_headers_are_passed_on() {
    let http = read(r#"{"url": "https://h", "passHeaders": ["X-Tenant", "x-region", "x-tenant"]}"#).unwrap();
    assert_eq!(http.outbound.pass, ["x-tenant", "x-region"]);
    for name in [
        "Authorization",
        "X-Any-Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Set-Cookie",
        "Host",
        "Origin",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Content-Length",
        "Mcp-Name",
        "Mcp-Session-Id",
        "Mcp-Param-X",
        "Proxy-Foo",
        "X-Forwarded-For",
        "Forwarded",
        "X-Agent-Id",
        "Accept",
        "a b",
        "",
        "X-Own",
    ] {
        let text = format!(
            r#"{{"url": "https://h", "headers": {{"X-Own": "1"}}, "passHeaders": ["X-Fine", "{name}"]}}"#
        );
        let told = read(&text).unwrap_err();
        assert!(told.starts_with(&format!("`passHeaders` cannot name `{name}`: ")), "{told}");
    }
}

/// Headers under which services take credentials, besides `Authorization` and `Cookie`, which never are passed on.
const NAMED: [&str; 13] = [
    "X-Auth",
    "X-Functions-Key",
    "Ocp-Apim-Subscription-Key",
    "X-Access-Key",
    "X-Session",
    "X-JWT",
    "X-Api-Key",
    "X-Goog-Iam-Credentials",
    "X-Hub-Signature-256",
    "X-Passphrase",
    "X-Vault-Token",
    "X-Amz-Secret",
    "X-Pat",
];

/// The same in addresses.
const ASKED: [&str; 11] = [
    "sig",
    "code",
    "auth",
    "key",
    "k",
    "sid",
    "jwt",
    "X-Amz-Signature",
    "Password",
    "client_secret",
    "user_pw",
];

#[test]
fn credentials_do_not_travel_in_the_clear() {
    let bearer = r#""auth": {"type": "bearer", "token": "t"}"#;
    for text in [
        format!(r#"{{"url": "http://h/mcp", {bearer}}}"#),
        format!(r#"{{"url": "ws://h/mcp", {bearer}}}"#),
        format!(r#"{{"url": "http://127.0.0.1.example/", {bearer}}}"#),
        format!(r#"{{"url": "http://10.0.0.1/", {bearer}}}"#),
        r#"{"url": "http://h", "auth": {"type": "apiKey", "header": "X-Own", "key": "k"}}"#.into(),
        r#"{"url": "http://h", "headers": {"Authorization": "Bearer t"}}"#.into(),
        r#"{"url": "http://h", "headers": {"Cookie": "a=b"}}"#.into(),
        r#"{"url": "http://h", "headers": {"X-Api-Key": "k"}}"#.into(),
        r#"{"url": "http://h", "bearerToken": "t"}"#.into(),
        r#"{"url": "http://h", "headersHelper": "x"}"#.into(),
        r#"{"url": "http://user:word@h/"}"#.into(),
        r#"{"url": "http://h/?api_key=k"}"#.into(),
        r#"{"url": "http://h/?access_token=k"}"#.into(),
        r#"{"url": "http://h", "auth": {"type": "oauth", "clientId": "c", "clientSecret": "s"}}"#.into(),
        r#"{"url": "http://h", "auth": {"type": "oauth"}}"#.into(),
        r#"{"url": "http://h", "headers": {"X-Tenant": "${KEY}"}}"#.into(),
        r#"{"url": "http://h", "headers": {"X-Tenant": "a-${KEY:-b}"}}"#.into(),
        r#"{"url": "http://h", "headers": ["X-Tenant: ${KEY}"]}"#.into(),
        r#"{"url": "http://h", "env_http_headers": {"X-Tenant": "KEY"}}"#.into(),
        r#"{"url": "http://h?x=${KEY}"}"#.into(),
        r#"{"url": "http://h/${KEY}/mcp"}"#.into(),
    ]
    .into_iter()
    .chain(NAMED.map(|name| format!(r#"{{"url": "http://h", "headers": {{"{name}": "v"}}}}"#)))
    .chain(NAMED.map(|name| format!(r#"{{"url": "http://h", "passHeaders": ["{name}"]}}"#)))
    .chain(ASKED.map(|name| format!(r#"{{"url": "http://h/mcp?a=b&{name}=v"}}"#)))
    {
        let told = read(&text).unwrap_err();
        assert!(told.contains("would travel in the clear"), "{text}: {told}");
        let allowed = text.replacen('{', r#"{"allowPlainHttp": true, "#, 1);
        assert!(read(&allowed).is_ok(), "{allowed}");
    }
    for text in [
        format!(r#"{{"url": "https://h/mcp", {bearer}}}"#),
        format!(r#"{{"url": "http://127.0.0.1:1/mcp", {bearer}}}"#),
        format!(r#"{{"url": "http://[::1]/mcp", {bearer}}}"#),
        format!(r#"{{"url": "http://a.localhost/mcp", {bearer}}}"#),
        r#"{"url": "http://h/mcp?project=x", "headers": {"X-Tenant": "a", "X-Assigned-Path": "b"}}"#.into(),
        r#"{"url": "http://${OTHER}/${OTHER}", "headers": {"X-Tenant": "$${KEY}"}, "passHeaders": ["X-Region"]}"#
            .into(),
    ] {
        assert!(read(&text).is_ok(), "{text}");
    }
    let offered = |url: &str| read(&format!(r#"{{"url": "{url}"}}"#)).unwrap().oauth.is_some();
    assert!(
        offered("https://h") && offered("http://127.0.0.1:1") && !offered("http://h"),
        "no login in the clear"
    );
}
