//! Who gets in: `Host`, `Origin`, tokens, media types, paths and methods, TLS.

use crate::config::model::HttpSettings;
use crate::front::http::bind;
use crate::front::http::options::HttpError;
use crate::front::http::options::TlsFiles;
use crate::front::http::place::PATHS;
use crate::front::http::site::MCP;
use crate::front::http::tests::client::Client;
use crate::front::http::tests::client::POST;
use crate::front::http::tests::fake::Front;
use crate::front::http::tests::fake::options;
use crate::front::http::tests::fake::tokens;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use tokio::net::TcpStream;

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#;

#[tokio::test]
async fn no_page_in_a_browser_gets_in() {
    let mut front = Front::plain().await;
    let own = format!("origin: http://localhost:{}\r\n", front.addr.port());
    let hosts =
        ["localhost", "127.0.0.1:1", "[::1]", "evil.example", "127.0.0.1.nip.io", "localhost.", "10.0.0.1"];
    let origins =
        ["", &own, "origin: null\r\n", "origin: https://evil.example\r\n", "origin: http://localhost:1\r\n"];
    // All but the first are those that a page may send without asking first.
    let kinds = [
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ];
    let methods = ["POST", "GET", "DELETE", "OPTIONS", "PUT"];
    let (mut refused, mut all) = (0, 0);
    for (place, host) in hosts.iter().enumerate() {
        for (other, origin) in origins.iter().enumerate() {
            let passes = place < 3 && other < 2;
            for (method, path) in methods.iter().flat_map(|method| PATHS.map(|(path, _)| (*method, path))) {
                for kind in kinds {
                    let mut client = front.client().await;
                    client
                        .send(&format!(
                            "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{origin}content-type: {kind}\r\n\
                             accept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n{INITIALIZE}",
                            INITIALIZE.len()
                        ))
                        .await;
                    let response = client.response().await;
                    let what = format!("{method} {path} {kind} {host} {origin}");
                    assert_eq!(response.status == 403, !passes, "{what}");
                    assert_eq!(response.header("access-control-allow-origin"), None);
                    assert!(passes || response.header("mcp-session-id").is_none());
                    if passes && method == "POST" && path == MCP {
                        assert_eq!(response.status == 415, kind != kinds[0], "{what}");
                    }
                    (refused, all) = (refused + u32::from(!passes), all + 1);
                }
            }
        }
    }
    // What `docs/security.md` says.
    assert_eq!((all, refused), (4900, 4060));
    assert!(front.is_quiet());
}

#[tokio::test]
async fn two_hosts_or_none_or_another_in_the_request_line_are_refused() {
    let front = Front::plain().await;
    for text in [
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n",
        "POST /mcp HTTP/1.1\r\n",
        "POST /mcp HTTP/1.0\r\n",
        "POST http://evil.example/mcp HTTP/1.1\r\nhost: localhost\r\n",
        "POST http://localhost/mcp HTTP/1.1\r\nhost: evil.example\r\n",
    ] {
        let mut client = front.client().await;
        client.send(&format!("{text}{POST}content-length: {}\r\n\r\n{INITIALIZE}", INITIALIZE.len())).await;
        assert_eq!(client.response().await.status, 403, "{text}");
    }
}

#[tokio::test]
async fn a_configured_origin_may_ask_and_read() {
    let origin = "https://app.example";
    let settings = HttpSettings { allowed_origins: vec![origin.into()], ..HttpSettings::default() };
    let front = Front::with(settings, tokens(&["a-long-token"])).await;
    let mut client = front.client().await;
    let asks = format!(
        "origin: {origin}\r\naccess-control-request-method: POST\r\n\
         access-control-request-headers: authorization, mcp-param-x\r\n"
    );
    client.request("OPTIONS", "/mcp", &asks, "").await;
    let response = client.response().await;
    assert_eq!(response.status, 204);
    assert_eq!(response.header("access-control-allow-origin"), Some(origin));
    assert_eq!(response.header("access-control-allow-headers"), Some("authorization, mcp-param-x"));
    let refused = client.post(&format!("origin: {origin}\r\n"), INITIALIZE).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some(origin)));
    let token = format!("origin: {origin}\r\nauthorization: Bearer a-long-token\r\n");
    let served = client.post(&token, INITIALIZE).await;
    assert_eq!((served.status, served.header("vary")), (200, Some("Origin")));
    assert!(served.header("access-control-expose-headers").unwrap().contains("Mcp-Session-Id"));
    client.request("OPTIONS", "/mcp", "authorization: Bearer a-long-token\r\n", "").await;
    assert_eq!(client.response().await.status, 405, "without an origin it is a method like any other");
}

#[tokio::test]
async fn without_its_token_nobody_gets_anything() {
    let mut front = Front::with(HttpSettings::default(), tokens(&["a-long-token"])).await;
    let mut client = front.client().await;
    for shown in [
        "",
        "authorization: Bearer wrong\r\n",
        "authorization: Basic a-long-token\r\n",
        "authorization: Bearer a-long-token\r\nauthorization: Bearer a-long-token\r\n",
    ] {
        for method in ["POST", "GET", "DELETE", "OPTIONS"] {
            for path in ["/mcp", "/status", "/other"] {
                client.request(method, path, &format!("{POST}{shown}"), INITIALIZE).await;
                let response = client.response().await;
                let challenge = if shown.is_empty() { "Bearer" } else { "Bearer error=\"invalid_token\"" };
                assert_eq!((response.status, response.header("www-authenticate")), (401, Some(challenge)));
            }
        }
    }
    for path in ["/healthz", "/readyz"] {
        client.request("GET", path, "", "").await;
        assert_eq!(client.response().await.status, 200, "a supervisor needs no token: {path}");
    }
    assert!(front.is_quiet());
}

#[tokio::test]
async fn a_session_exists_only_for_who_opened_it() {
    let both = tokens(&["token-of-alice", "token-of-mallory"]);
    let mut front = Front::with(HttpSettings::default(), both).await;
    let session = front.session_with("authorization: Bearer token-of-alice\r\n").await;
    let mut client = front.client().await;
    for (token, status) in [("token-of-mallory", 404), ("token-of-alice", 200)] {
        let headers = format!("{session}authorization: Bearer {token}\r\n");
        assert_eq!(client.post(&headers, PING).await.status, status);
    }
    let headers = format!("{session}authorization: Bearer token-of-mallory\r\naccept: text/event-stream\r\n");
    for method in ["GET", "DELETE"] {
        client.request(method, "/mcp", &headers, "").await;
        assert_eq!(client.response().await.status, 404, "{method}");
    }
}

#[tokio::test]
async fn paths_methods_and_media_types_have_their_status() {
    let front = Front::plain().await;
    let mut client = front.client().await;
    let json = "content-type: application/json\r\n";
    let both = "accept: application/json, text/event-stream\r\n";
    for (method, path, headers, status) in [
        ("POST", "/mcp", format!("content-type: text/plain\r\n{both}"), 415),
        ("POST", "/mcp", both.to_owned(), 415),
        ("POST", "/mcp", format!("{json}accept: application/json\r\n"), 406),
        ("POST", "/mcp", format!("{json}accept: */*\r\n"), 200),
        ("PUT", "/mcp", POST.to_owned(), 405),
        ("PATCH", "/mcp", POST.to_owned(), 405),
        ("POST", "/", POST.to_owned(), 404),
        ("POST", "/mcp/x", POST.to_owned(), 404),
        ("GET", "/status", String::new(), 200),
        ("POST", "/status", POST.to_owned(), 405),
    ] {
        client.request(method, path, &headers, INITIALIZE).await;
        let response = client.response().await;
        assert_eq!(response.status, status, "{method} {path} {headers}");
        assert_eq!(response.status == 405, response.header("allow").is_some());
        assert!(response.status == 200 || response.json()["error"]["message"].is_string());
    }
}

#[tokio::test]
async fn the_pages_are_for_this_machine_only() {
    let behind = bind(crate::front::http::options::HttpOptions {
        behind_proxy: true,
        auth: tokens(&["a-long-token"]),
        ..options(HttpSettings::default())
    });
    let front = Front::run(behind.await.unwrap());
    let mut client = front.client().await;
    for path in ["/status", "/healthz", "/readyz"] {
        client.request("GET", path, "authorization: Bearer a-long-token\r\n", "").await;
        assert_eq!(client.response().await.status, 404, "a proxy's clients look local: {path}");
    }
    let front = Front::plain().await;
    let mut client = front.client().await;
    client.request("GET", "/status", "", "").await;
    assert_eq!(client.response().await.json(), serde_json::json!({"servers": []}));
}

#[tokio::test]
async fn an_open_address_is_refused_before_anything_is_opened() {
    // The port is taken: binding would say so.
    let taken = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let mut asked = options(HttpSettings::default());
    asked.addr = taken.local_addr().unwrap();
    assert!(matches!(bind(asked.clone()).await, Err(HttpError::NoTokens(_))));
    asked.auth = tokens(&["a-long-token"]);
    assert!(matches!(bind(asked.clone()).await, Err(HttpError::NoTls(_))));
    asked.behind_proxy = true;
    assert!(matches!(bind(asked).await, Err(HttpError::Bind { .. })));
}

#[tokio::test]
async fn tls_is_spoken_when_files_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = TlsFiles { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    let pem = |kind: &str, der: &[u8]| {
        format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der))
    };
    std::fs::write(&files.cert, pem("CERTIFICATE", made.cert.der())).unwrap();
    std::fs::write(&files.key, pem("PRIVATE KEY", &made.signing_key.serialize_der())).unwrap();
    let mut asked = options(HttpSettings::default());
    asked.tls = Some(files.clone());
    let front = Front::run(bind(asked.clone()).await.unwrap());

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(front.addr).await.unwrap();
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let response = Client::new(stream).post("", INITIALIZE).await;
    assert_eq!(response.status, 200);

    std::fs::write(&files.key, "nothing").unwrap();
    let error = bind(asked).await.err().expect("no key").to_string();
    assert!(error.contains("key.pem"), "{error}");
}
