//! S11: whatever is asked for, nothing private is connected to.

use super::*;
use crate::auth::egress::resolve::Found;
use crate::config::model::egress::EgressSettings;
use crate::config::model::egress::Net;
use rcgen::CertifiedKey;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring;
use std::collections::HashMap;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Names and their addresses, one list per question, the last for good; and what was asked.
#[derive(Default)]
struct Names {
    known: HashMap<String, Vec<Vec<IpAddr>>>,
    asked: Mutex<HashMap<String, usize>>,
}

impl Names {
    fn of(known: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let list = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let pair = |(name, lists): &(&str, &[&[&str]])| {
            ((*name).to_owned(), lists.iter().map(|texts| list(texts)).collect())
        };
        Arc::new(Self { known: known.iter().map(pair).collect(), asked: Mutex::default() })
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str, _: u16) -> Found<'a> {
        let mut asked = self.asked.lock().unwrap();
        let times = asked.entry(host.to_owned()).or_default();
        let found = self.known.get(host).map(|lists| lists[(*times).min(lists.len() - 1)].clone());
        *times += 1;
        Box::pin(async move { found.ok_or_else(|| std::io::ErrorKind::NotFound.into()) })
    }
}

/// A server that writes down what it is sent, head and body as one text, and answers by the path.
struct Peer {
    at: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Peer {
    async fn at(address: &str, answers: &'static [(&str, &str)]) -> Self {
        Self::with(address, answers, None).await
    }

    async fn with(address: &str, answers: &'static [(&str, &str)], tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (at, heard) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let (notes, mut tasks) = (Arc::clone(&heard), JoinSet::new());
        tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                notes.lock().unwrap().push(String::new());
                match &tls {
                    None => converse(stream, &notes, answers).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => converse(stream, &notes, answers).await,
                        Err(_) => continue,
                    },
                }
            }
        });
        Self { at, heard, _tasks: tasks }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn converse(mut stream: impl Stream, notes: &Mutex<Vec<String>>, answers: &[(&str, &str)]) {
    let mut bytes = vec![0; 65536];
    let length = stream.read(&mut bytes).await.unwrap_or(0);
    let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    *notes.lock().unwrap().last_mut().unwrap() = text;
    let answer = answers.iter().find(|(known, _)| *known == path).map(|(_, answer)| *answer);
    let answer = answer.unwrap_or("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn egress(allowed: Allowed, names: &Arc<Names>) -> Egress {
    let tls = Arc::new(roots::client_config().unwrap());
    Egress::with(allowed, Arc::clone(names) as Arc<dyn Resolve>, tls, Arc::new(Matcher::builder().build()))
}

/// Only 127.0.0.1 may be used, and plain http on it.
fn only_one() -> Allowed {
    let nets = vec![Net::parse("127.0.0.1").unwrap()];
    Allowed::new(&EgressSettings { nets, ..EgressSettings::default() })
}

async fn ask(egress: &Egress, method: Method, url: &str) -> Result<Response<Bytes>, EgressError> {
    let request = Request::builder().method(method).uri(url).header("authorization", "Bearer canary");
    egress.send(request.body(Bytes::from_static(b"canary")).unwrap()).await
}

/// Hosts that lead to this machine, to private networks, to metadata, and elsewhere that is not public.
const SPELLINGS: [&str; 126] = [
    // This machine, as numbers of every kind.
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "0177.1",
    "017700000001",
    "127.0.0.1.",
    "0x7f.0x0.0x0.0x1",
    "127.0x1",
    "127.255.255.254",
    "0x7F.1",
    "127.00.00.01",
    "%31%32%37.0.0.1",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "127.0.0.%31",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::0.0.0.1]",
    "0",
    "0.0.0.0",
    "0x0",
    "00",
    "0.0.0.0.",
    "0.0.0.1",
    "[::]",
    // IPv4 in IPv6.
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:10.0.0.1]",
    "[::ffff:8.8.8.8]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::7f00:1]",
    "[64:ff9b:1:ffff::10.0.0.1]",
    "[2002:7f00:1::]",
    "[2002:7f00:0001::1]",
    "[2002:a9fe:a9fe::]",
    "[2001::7f00:1]",
    "[2001:0:53aa:64c:0:0:80ff:fffe]",
    "[2001:0000:4136:e378:8000:63bf:3fff:fdd2]",
    "[fe80::5efe:127.0.0.1]",
    "[2606:4700::5efe:7f00:1]",
    "[2606:4700::200:5efe:10.0.0.1]",
    // Networks of somebody's own.
    "10.0.0.1",
    "10.255.255.255",
    "10.1",
    "012.0.0.1",
    "0xa.0.0.1",
    "0x0a000001",
    "167772161",
    "172.16.0.1",
    "172.31.255.255",
    "0xac.16.1",
    "2886729729",
    "192.168.0.1",
    "192.168.1",
    "0300.0250.0.1",
    "3232235521",
    "100.64.0.1",
    "100.127.255.254",
    "[fc00::1]",
    "[fd00::1]",
    "[fdff:ffff::1]",
    "[fec0::1]",
    // The link and the metadata of clouds.
    "169.254.169.254",
    "169.254.169.254.",
    "2852039166",
    "0xa9fea9fe",
    "0xa9.0xfe.0xa9.0xfe",
    "0251.0376.0251.0376",
    "169.16689662",
    "169.254.43518",
    "169.254.170.2",
    "169.254.0.1",
    "[fe80::1]",
    "[fe80::a9fe:a9fe]",
    "[febf::1]",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    // Groups, examples, what is reserved.
    "224.0.0.1",
    "239.255.255.250",
    "[ff02::1]",
    "[ff05::1:3]",
    "255.255.255.255",
    "240.0.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.9",
    "198.18.0.1",
    "198.19.255.255",
    "192.88.99.1",
    "[2001:db8::1]",
    "[3fff::1]",
    "[100::1]",
    "[2001:2::1]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[5f00::1]",
    "[4000::1]",
    "[::ffff:192.168.0.1]",
    "[::ffff:a00:1]",
    "[::ffff:100.64.0.1]",
    "127.0.0x1",
    "0x7f.0x1",
    "172.16.1",
    "[2001:1::1]",
    "[2001:1ff::1]",
    "[fe80::1:2:3]",
    "[ff0e::1]",
    "100.64.1",
    "[fcff::1]",
];

/// Names, with what their addresses are.
const NAMES: [(&str, &[&[&str]]); 14] = [
    ("localhost", &[&["127.0.0.1"]]),
    ("localhost.", &[&["::1"]]),
    ("a.localhost", &[&["127.0.0.1"]]),
    ("127.0.0.1.nip.example", &[&["127.0.0.1"]]),
    ("metadata.google.internal", &[&["169.254.169.254"]]),
    ("metadata", &[&["169.254.169.254"]]),
    ("kubernetes.default.svc", &[&["10.96.0.1"]]),
    ("mixed.example", &[&["1.1.1.1", "127.0.0.1"]]),
    ("mixed6.example", &[&["2606:4700::1111", "::1"]]),
    ("mapped.example", &[&["::ffff:127.0.0.1"]]),
    ("nat64.example", &[&["64:ff9b::7f00:1"]]),
    ("zero.example", &[&["0.0.0.0"]]),
    ("xn--mnchen-3ya.example", &[&["fd00::1"]]),
    ("link.example", &[&["fe80::1"]]),
];

#[tokio::test]
async fn s11_ssrf_no_spelling_of_a_private_address_is_connected_to() {
    let sentinel = Peer::at("127.0.0.1:0", &[]).await;
    let names = Names::of(&NAMES);
    let egress = egress(Allowed::default(), &names);
    let port = sentinel.at.port();
    let mut tried = 0;
    for host in SPELLINGS.into_iter().chain(NAMES.map(|(name, _)| name)) {
        for scheme in ["http", "https", "HTTP"] {
            let text = format!("{scheme}://{host}:{port}/latest/meta-data");
            // As it is read where an address of a server is taken: what cannot be a request goes nowhere.
            let Ok(url) = Url::parse(&text) else { continue };
            let told = ask(&egress, Method::GET, url.as_str()).await.expect_err(&text);
            assert!(matches!(told, EgressError::Private { .. }), "{text}: {told}");
            tried += 1;
            if text.is_ascii() && text.parse::<http::Uri>().is_ok() {
                let told = ask(&egress, Method::POST, &text).await.expect_err(&text);
                assert!(
                    matches!(told, EgressError::Private { .. } | EgressError::Unusable(_)),
                    "{text}: {told}"
                );
            }
        }
    }
    assert!(tried >= 3 * 120, "{tried}");
    assert_eq!(sentinel.heard(), [""; 0], "nobody came");
}

#[tokio::test]
async fn s11_ssrf_addresses_that_are_no_proper_ones_are_refused() {
    let sentinel = Peer::at("127.0.0.1:0", &[]).await;
    let (at, egress) = (sentinel.at, egress(only_one(), &Names::of(&[])));
    for text in [
        format!("http://user@{at}/"),
        format!("http://user:word@{at}/"),
        format!("http://1.1.1.1@{at}/"),
        format!("ftp://{at}/"),
        format!("ws://{at}/"),
        "/only/a/path".to_owned(),
    ] {
        let told = ask(&egress, Method::GET, &text).await.expect_err(&text);
        assert!(matches!(told, EgressError::Unusable(_)), "{text}: {told}");
    }
    assert_eq!(sentinel.heard(), [""; 0], "nobody came");
}

#[tokio::test]
async fn s11_ssrf_plain_http_is_for_this_machine_only() {
    let names = Names::of(&[("public.example", &[&["1.1.1.1"]])]);
    let told = ask(&egress(Allowed::default(), &names), Method::GET, "http://public.example/x?secret").await;
    assert_eq!(told.unwrap_err(), EgressError::Plain("http://public.example".into()));
    let peer = Peer::at("127.0.0.1:0", &[]).await;
    let answer = ask(&egress(only_one(), &names), Method::POST, &format!("http://{}/a?b=c", peer.at)).await;
    assert_eq!(answer.unwrap().body(), "ok");
    let heard = peer.heard().concat();
    assert!(heard.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains(&format!("host: {}\r\n", peer.at)) && heard.ends_with("canary"), "{heard}");
}

#[tokio::test]
async fn s11_ssrf_a_name_that_changes_its_mind_gains_nothing() {
    let good = Peer::at("127.0.0.1:0", &[]).await;
    let port = good.at.port();
    // On the same port, so that only the address tells them apart; some systems have just the one.
    let sentinel = match TcpListener::bind(("127.0.0.2", port)).await {
        Ok(free) => {
            drop(free);
            Some(Peer::at(&format!("127.0.0.2:{port}"), &[]).await)
        }
        Err(_) => None,
    };
    let names = Names::of(&[
        ("flips.example", &[&["127.0.0.1"], &["127.0.0.2"]]),
        ("both.example", &[&["127.0.0.1", "127.0.0.2"]]),
    ]);
    let egress = egress(only_one(), &names);
    let url = format!("http://flips.example:{port}/");
    assert!(ask(&egress, Method::GET, &url).await.is_ok());
    assert_eq!(names.asked.lock().unwrap()["flips.example"], 1, "what was checked is what was dialled");
    for url in [url, format!("http://both.example:{port}/")] {
        assert!(matches!(ask(&egress, Method::GET, &url).await, Err(EgressError::Private { .. })), "{url}");
    }
    assert_eq!(good.heard().len(), 1);
    assert!(sentinel.is_none_or(|sentinel| sentinel.heard().is_empty()));
}

#[tokio::test]
async fn s11_ssrf_redirects_are_checked_and_stay_within_an_origin() {
    const MOVED: &str = "HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: ";
    let sentinel = Peer::at("127.0.0.1:0", &[]).await;
    let peer = Peer::at(
        "127.0.0.1:0",
        &[
            ("/1", "HTTP/1.1 301 Moved\r\ncontent-length: 0\r\nlocation: /2\r\n\r\n"),
            ("/2", "HTTP/1.1 307 Moved\r\ncontent-length: 0\r\nlocation: ./3?x=y\r\n\r\n"),
            ("/3?x=y", "HTTP/1.1 308 Moved\r\ncontent-length: 0\r\nlocation: /4\r\n\r\n"),
            ("/0", "HTTP/1.1 303 Other\r\ncontent-length: 0\r\nlocation: /1\r\n\r\n"),
            ("/loop", "HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: /loop\r\n\r\n"),
            ("/nowhere", "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n"),
        ],
    )
    .await;
    let names = Names::of(&[("named.example", &[&["127.0.0.1"]])]);
    let egress = egress(only_one(), &names);
    let url = |path: &str| format!("http://{}{path}", peer.at);
    assert_eq!(ask(&egress, Method::GET, &url("/1")).await.unwrap().body(), "ok");
    for path in ["/0", "/loop", "/nowhere"] {
        let told = ask(&egress, Method::GET, &url(path)).await.unwrap_err();
        assert!(matches!(told, EgressError::Redirected { .. }), "{path}: {told}");
    }
    assert!(matches!(ask(&egress, Method::POST, &url("/1")).await, Err(EgressError::Redirected { .. })));
    for to in [
        format!("http://{}/", sentinel.at),
        format!("//{}/", sentinel.at),
        format!("http://named.example:{}/", sentinel.at.port()),
        format!("https://{}/", sentinel.at),
        format!("http://a:b@{}/", sentinel.at),
        "http://169.254.169.254/latest".to_owned(),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1:1/".to_owned(),
    ] {
        let answer: &'static str = Box::leak(format!("{MOVED}{to}\r\n\r\n").into_boxed_str());
        let answers = Box::leak(Box::new([("/", answer)]));
        let peer = Peer::at("127.0.0.1:0", answers).await;
        let told = ask(&egress, Method::GET, &format!("http://{}/", peer.at)).await.unwrap_err();
        assert!(matches!(told, EgressError::Redirected { .. } | EgressError::Unusable(_)), "{to}: {told}");
        assert!(!told.to_string().contains("canary"));
    }
    assert_eq!(sentinel.heard(), [""; 0], "nobody came");
}

#[tokio::test]
async fn answers_are_bounded() {
    const LONG: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n";
    let zeros = String::from_utf8(vec![b'0'; LONGEST + 1]).unwrap();
    let answers = Box::leak(Box::new([("/", &*Box::leak((LONG.to_owned() + &zeros).into_boxed_str()))]));
    let peer = Peer::at("127.0.0.1:0", answers).await;
    let told = ask(&egress(only_one(), &Names::of(&[])), Method::GET, &format!("http://{}/", peer.at)).await;
    assert!(matches!(told, Err(EgressError::TooLong { limit: LONGEST, .. })), "{told:?}");
}

#[tokio::test]
async fn a_certificate_must_be_that_of_the_host() {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["good.example".into()]).unwrap();
    let provider = Arc::new(ring::default_provider());
    let (chain, key) = (vec![cert.der().clone()], signing_key.serialize_der().try_into().unwrap());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let peer = Peer::with("127.0.0.1:0", &[], Some(TlsAcceptor::from(Arc::new(server)))).await;
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let names = Names::of(&[("good.example", &[&["127.0.0.1"]]), ("evil.example", &[&["127.0.0.1"]])]);
    let proxied = Arc::new(Matcher::builder().build());
    let egress = Egress::with(only_one(), names, Arc::new(client), proxied);
    let url = |host: &str| format!("https://{host}:{}/", peer.at.port());
    assert_eq!(ask(&egress, Method::POST, &url("good.example")).await.unwrap().body(), "ok");
    let told = ask(&egress, Method::POST, &url("evil.example")).await.unwrap_err();
    assert!(matches!(told, EgressError::Unreachable { .. }), "{told}");
    assert_eq!(peer.heard().iter().filter(|text| text.contains("canary")).count(), 1);
}

#[tokio::test]
async fn behind_a_proxy_what_is_known_to_be_private_is_refused_all_the_same() {
    const TUNNEL: &str = "HTTP/1.1 200 Connected\r\n\r\n";
    let proxy =
        Peer::at("127.0.0.1:0", &[("public.example:443", TUNNEL), ("unknown.example:443", TUNNEL)]).await;
    let names = Names::of(&[("public.example", &[&["1.1.1.1"]]), ("private.example", &[&["10.0.0.1"]])]);
    let matcher = Arc::new(Matcher::builder().all(format!("http://{}", proxy.at)).build());
    let tls = Arc::new(roots::client_config().unwrap());
    let egress = Egress::with(Allowed::default(), names, tls, matcher);
    for host in ["private.example", "10.0.0.1", "[::1]", "localhost", "169.254.169.254"] {
        let told = ask(&egress, Method::GET, &format!("https://{host}/")).await.unwrap_err();
        assert!(!matches!(told, EgressError::TooSlow(_)), "{told}");
    }
    assert_eq!(proxy.heard(), [""; 0], "the proxy is not asked for them");
    let told = ask(&egress, Method::GET, "http://unknown.example/").await.unwrap_err();
    assert_eq!(told, EgressError::Plain("http://unknown.example".into()));
    for host in ["public.example", "unknown.example"] {
        // The tunnel ends before TLS began.
        assert!(ask(&egress, Method::GET, &format!("https://{host}/")).await.is_err());
    }
    let heard = proxy.heard();
    assert!(heard[0].starts_with("CONNECT public.example:443 ") && !heard.concat().contains("canary"));
    assert!(heard[1].starts_with("CONNECT unknown.example:443 "), "{heard:?}");
}
