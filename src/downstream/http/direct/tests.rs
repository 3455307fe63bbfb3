//! The way to an origin over real sockets, with TLS.

use super::Direct;
use bytes::Bytes;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

const PATIENCE: Duration = Duration::from_secs(20);

/// A server for `localhost`, and what trusts it.
fn certified() -> (TlsAcceptor, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (chain, key) =
        (vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into()));
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let provider = Arc::new(default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server.with_single_cert(chain, key).unwrap())), Arc::new(client))
}

async fn ask(way: &Direct, body: &str) -> String {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let (head, mut answer) = way.ask([b"POST / HTTP/1.1\r\n", b"host: x\r\n"], Some(&body)).await.unwrap();
    assert_eq!(head.status.as_u16(), 200);
    let mut text = Vec::new();
    while let Some(piece) = answer.next().await.unwrap() {
        text.extend_from_slice(piece);
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn requests_over_tls_share_a_connection() {
    let (acceptor, trusting) = certified();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        // Only one connection is ever accepted.
        let mut seen = Vec::new();
        while stream.read_buf(&mut seen).await.unwrap() > 0 {
            if let Some(asked) = seen.strip_suffix(b".") {
                let length = asked.len();
                seen.clear();
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{length:07}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    let url = format!("https://localhost:{port}/").parse().unwrap();
    let way = Direct::to(&url, &trusting, PATIENCE).unwrap();
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: \r\n\r\n".len();
    for length in [2, 30_000, 400_000, 2] {
        let body = format!("{}.", "x".repeat(length - 1));
        let expected = format!("{:07}", head + length.to_string().len() + length - 1);
        assert_eq!(ask(&way, &body).await, expected);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_ends_it_before_anything_is_sent() {
    let ((acceptor, _), (_, trusting_another)) = (certified(), certified());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port()).parse().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { drop(acceptor.accept(listener.accept().await.unwrap().0).await) });
    let way = Direct::to(&url, &trusting_another, PATIENCE).unwrap();
    let failure = way.ask([b"GET / HTTP/1.1\r\n", b""], None).await.unwrap_err();
    assert!(!failure.sent && failure.why.contains("certificate"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn connecting_takes_only_so_long() {
    // Its queue of connections is never taken from, and TLS waits for the first word of the server.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port()).parse().unwrap();
    let way = Direct::to(&url, &certified().1, PATIENCE).unwrap();
    let failure = way.ask([b"GET / HTTP/1.1\r\n", b""], None).await.unwrap_err();
    assert_eq!((failure.sent, failure.why.as_str()), (false, "no connection came about in time"));
}
