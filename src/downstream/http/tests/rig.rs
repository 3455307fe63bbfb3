//! A scripted HTTP/1.1 server, and somebody who waits and listens.
//!
//! It checks nothing by itself; it records what was sent.

use crate::auth::outbound::Shows;
use crate::catalog::lists::ServerLists;
use crate::config::model::Expanded;
use crate::config::model::Http;
use crate::config::model::Server;
use crate::config::model::Transport;
use crate::downstream::breaker::Breaker;
use crate::downstream::connect::Connection;
use crate::downstream::connect::LinkLimits;
use crate::downstream::connect::Order;
use crate::downstream::error::StartError;
use crate::downstream::http::client::HttpClient;
use crate::downstream::http::connect;
use crate::downstream::http::found::Found;
use crate::downstream::link::Link;
use crate::downstream::link::Listener;
use crate::downstream::link::Source;
use crate::downstream::request::Request;
use crate::name::ServerName;
use crate::protocol::capability;
use crate::secret::Secret;
use crate::wire::members::Members;
use crate::wire::message::Outcome;
use crate::wire::pending::Answer;
use crate::wire::pending::Owner;
use crate::wire::pending::Patience;
use crate::wire::pending::Question;
use crate::wire::pending::Waiter;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub verb: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The JSON-RPC method, or the HTTP verb when there is none.
    pub fn method(&self) -> String {
        self.member("method").unwrap_or_else(|| self.verb.clone())
    }

    pub fn id(&self) -> String {
        Members::parse(&self.body).unwrap().get("id").unwrap().get().to_owned()
    }

    fn member(&self, name: &str) -> Option<String> {
        serde_json::from_str(Members::parse(&self.body).ok()?.get(name)?.get()).ok()
    }
}

/// What is answered.
pub struct Plan {
    status: u16,
    headers: String,
    steps: Vec<Step>,
}

pub enum Step {
    Send(String),
    Wait(Arc<Notify>),
    /// Until the client goes away.
    Hang,
    /// The server hangs up.
    Close,
    /// Until so many answers have come as far.
    Meet(Arc<Barrier>),
}

impl Plan {
    pub fn status(status: u16) -> Self {
        Self { status, headers: "content-length: 0\r\n".into(), steps: Vec::new() }
    }

    pub fn json(status: u16, body: &str) -> Self {
        let headers = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        Self { status, headers, steps: vec![Step::Send(body.into())] }
    }

    /// An answer to `seen`.
    pub fn result(seen: &Seen, result: &str) -> Self {
        Self::json(200, &format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, seen.id()))
    }

    pub fn error(seen: &Seen, status: u16, error: &str) -> Self {
        Self::json(status, &format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, seen.id()))
    }

    /// The same, and then `step`.
    pub fn and(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// The same, with `step` before the body.
    pub fn after(mut self, step: Step) -> Self {
        self.steps.insert(0, step);
        self
    }

    /// A response with these lines as its headers.
    pub fn raw(headers: &str, steps: Vec<Step>) -> Self {
        Self { status: 200, headers: headers.into(), steps }
    }

    /// A stream that ends after `steps`.
    pub fn stream(steps: Vec<Step>) -> Self {
        let headers = "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n".into();
        Self { status: 200, headers, steps }
    }

    /// A stream of these messages.
    pub fn events(messages: &[String]) -> Self {
        Self::stream(messages.iter().map(|text| Step::Send(format!("data: {text}\n\n"))).collect())
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }
}

type Script = dyn Fn(&Seen) -> Plan + Send + Sync;

#[derive(Default)]
struct Record {
    seen: Mutex<Vec<Seen>>,
    accepted: AtomicUsize,
    gone: AtomicUsize,
    ended: AtomicUsize,
    changed: Notify,
}

/// The server.
pub struct Fake {
    pub url: String,
    record: Arc<Record>,
    tasks: JoinSet<()>,
}

impl Fake {
    pub async fn start(script: impl Fn(&Seen) -> Plan + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp?token=hidden", listener.local_addr().unwrap());
        let (record, script): (Arc<Record>, Arc<Script>) = (Arc::default(), Arc::new(script));
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&record);
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                let (record, script) = (Arc::clone(&shared), Arc::clone(&script));
                open.spawn(async move {
                    serve(stream, &record, &*script).await;
                    record.ended.fetch_add(1, Ordering::SeqCst);
                    record.changed.notify_waiters();
                });
            }
        });
        Self { url, record, tasks }
    }

    pub fn stop(&mut self) {
        self.tasks.abort_all();
    }

    pub fn accepted(&self) -> usize {
        self.record.accepted.load(Ordering::SeqCst)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.record.seen.lock().unwrap().clone()
    }

    pub fn methods(&self) -> Vec<String> {
        self.seen().iter().map(Seen::method).collect()
    }

    pub fn count(&self, method: &str) -> usize {
        self.methods().iter().filter(|seen| *seen == method).count()
    }

    /// Waits until `method` came `times` times.
    pub async fn until_seen(&self, method: &str, times: usize) {
        self.until(&format!("{times} × {method}"), || self.count(method) >= times).await;
    }

    /// Waits until so many clients went away while a response was hanging.
    pub async fn until_gone(&self, times: usize) {
        self.until("clients to go away", || self.record.gone.load(Ordering::SeqCst) >= times).await;
    }

    /// Waits until so many connections have ended.
    pub async fn until_ended(&self, times: usize) {
        self.until("connections to end", || self.record.ended.load(Ordering::SeqCst) >= times).await;
    }

    async fn until(&self, what: &str, reached: impl Fn() -> bool) {
        let waiting = async {
            loop {
                let changed = self.record.changed.notified();
                if reached() {
                    return;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        assert!(waited.is_ok(), "waited for {what}, saw {:?}", self.methods());
    }
}

async fn serve(mut stream: TcpStream, record: &Record, script: &Script) {
    let mut read = Vec::new();
    while let Some(seen) = next_request(&mut stream, &mut read).await {
        let plan = script(&seen);
        record.seen.lock().unwrap().push(seen);
        record.changed.notify_waiters();
        if answer(&mut stream, plan, record).await.is_none() {
            return;
        }
    }
}

async fn answer(stream: &mut TcpStream, plan: Plan, record: &Record) -> Option<()> {
    let head = format!("HTTP/1.1 {} X\r\n{}\r\n", plan.status, plan.headers);
    let chunked = plan.headers.contains("chunked");
    stream.write_all(head.as_bytes()).await.ok()?;
    for step in plan.steps {
        match step {
            Step::Send(text) if chunked => {
                stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await.ok()?;
            }
            Step::Send(text) => stream.write_all(text.as_bytes()).await.ok()?,
            Step::Wait(notify) => notify.notified().await,
            Step::Close => return None,
            Step::Meet(barrier) => {
                barrier.wait().await;
            }
            Step::Hang => {
                while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
                record.gone.fetch_add(1, Ordering::SeqCst);
                record.changed.notify_waiters();
                return None;
            }
        }
    }
    if chunked {
        stream.write_all(b"0\r\n\r\n").await.ok()?;
    }
    Some(())
}

async fn next_request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(read.drain(..end).collect()).unwrap();
    let mut lines = head.lines();
    let verb = lines.next()?.split(' ').next()?.to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while read.len() < length {
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(read.drain(..length).collect()).unwrap();
    Some(Seen { verb, headers, body })
}

pub const GREETING: &str = r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"fake","version":"1"}}"#;
pub const DISCOVERED: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"instructions":"hi","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"fake","version":"1"}}}"#;

/// A legacy server with sessions whose other requests are answered by `rest`.
pub fn legacy(seen: &Seen, rest: impl Fn(&Seen) -> Plan) -> Plan {
    match seen.method().as_str() {
        "server/discover" => Plan::status(400),
        "initialize" => Plan::result(seen, GREETING).with("Mcp-Session-Id", "s-1"),
        "notifications/initialized" | "notifications/cancelled" => Plan::status(202),
        "GET" => Plan::status(405),
        "DELETE" => Plan::status(200),
        _ => rest(seen),
    }
}

/// A modern server whose other requests are answered by `rest`.
pub fn modern(seen: &Seen, rest: impl Fn(&Seen) -> Plan) -> Plan {
    if seen.method() == "server/discover" { Plan::result(seen, DISCOVERED) } else { rest(seen) }
}

/// What somebody was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Progress(String),
    Result(String),
    Error(String),
    Lost(crate::wire::pending::Lost),
    /// A notification, and the owner it is for.
    Heard(String, Option<Owner>),
    /// A request of the server.
    Asked(String, Option<Owner>),
}

type Ear = mpsc::UnboundedSender<Told>;

struct Somebody(Ear, Owner, String);

impl Waiter for Somebody {
    fn answer(self: Box<Self>, answer: Answer<'_>) {
        let told = match answer {
            Answer::Outcome(Outcome::Result(raw)) => Told::Result(raw.get().into()),
            Answer::Outcome(Outcome::Error(raw)) => Told::Error(raw.get().into()),
            Answer::Lost(lost) => Told::Lost(lost),
        };
        let _ = self.0.send(told);
    }
    fn progress(&self, params: &str) {
        let _ = self.0.send(Told::Progress(params.into()));
    }
    fn notice(&self, _: &str, _: Option<&str>) {}
    fn ask(&self, _: &Question<'_>) -> bool {
        false
    }
    fn owner(&self) -> Owner {
        self.1
    }
    fn is(&self, id: &str) -> bool {
        self.2 == id
    }
}

impl Listener for Ears {
    fn lists_read(&self, _: &ServerName, _: &Arc<ServerLists>) {}
    fn notification(&self, source: Source<'_>, method: &str, _: Option<&RawValue>) {
        let _ = self.0.send(Told::Heard(method.into(), source.call));
    }
    fn request(
        &self,
        source: Source<'_>,
        link: Arc<dyn Link>,
        id: &RawValue,
        method: &str,
        _: Option<&RawValue>,
    ) {
        let _ = self.0.send(Told::Asked(method.into(), source.call));
        link.respond(id, r#""result":{"action":"decline"}"#);
    }
}

struct Ears(Ear);

/// The gateway's side of a connection.
pub struct Rig {
    pub connection: Connection,
    pub heard: mpsc::UnboundedReceiver<Told>,
}

/// One call.
pub struct Call(mpsc::UnboundedReceiver<Told>);

impl Call {
    pub async fn told(&mut self) -> Told {
        let told = tokio::time::timeout(Duration::from_secs(20), self.0.recv()).await;
        told.expect("nobody was told in time").expect("the waiter was dropped")
    }
}

pub fn server(url: &str) -> Server {
    let headers = vec![
        ("authorization".into(), Secret::new("Bearer t")),
        ("x-own".into(), Secret::new("1")),
        ("mcp-session-id".into(), Secret::new("forged")),
        ("accept".into(), Secret::new("text/html")),
    ];
    let http = Http { url: Expanded::plain(url), headers, ..Http::default() };
    Server {
        call_timeout: Duration::from_secs(60),
        start_timeout: Duration::from_secs(20),
        list_timeout: Duration::from_secs(20),
        max_in_flight: 64,
        ..Server::new(ServerName::new("far").unwrap(), Transport::Http(http))
    }
}

impl Rig {
    pub async fn to(fake: &Fake) -> Self {
        Self::try_to(server(&fake.url), LIMITS).await.unwrap()
    }

    pub async fn try_to(server: Server, limits: LinkLimits) -> Result<Self, StartError> {
        let (ear, heard) = mpsc::unbounded_channel();
        let headers = match &server.transport {
            Transport::Http(http) => http.headers.clone(),
            Transport::Stdio(_) => Vec::new(),
        };
        let (server, listener) = (Arc::new(server), Arc::new(Ears(ear)));
        let entry = Arc::new(watch::Sender::new(Arc::clone(&server)));
        let breaker = Arc::new(Breaker::new(entry, Arc::default()));
        let order = Order {
            server,
            era: None,
            listener,
            limits,
            declared: capability::DECLARED_TO_LEGACY.into(),
            personal: None,
            breaker,
        };
        let shows = Shows { headers, changing: None };
        let connection = connect(order, &HttpClient::new().unwrap(), &Found::default(), shows, None).await?;
        Ok(Self { connection, heard })
    }

    pub fn call(&self, method: &str, params: &str, target: Option<&str>) -> Call {
        self.call_as(7, "\"c\"", method, params, target).expect("the link is closed")
    }

    pub fn tool(&self) -> Call {
        self.call("tools/call", r#"{"name":"t"}"#, Some("t"))
    }

    pub fn call_as(
        &self,
        owner: Owner,
        id: &str,
        method: &str,
        params: &str,
        target: Option<&str>,
    ) -> Option<Call> {
        let (ear, told) = mpsc::unbounded_channel();
        let params = Members::parse(params).unwrap();
        let request = Request { target, wants_progress: true, ..Request::own(method, &params, "{}") };
        let waiter = Box::new(Somebody(ear, owner, id.into()));
        let sent = self.connection.link.call(&request, waiter, Patience::flat(Duration::from_secs(60)));
        sent.is_ok().then_some(Call(told))
    }

    pub async fn heard(&mut self) -> Told {
        let heard = tokio::time::timeout(Duration::from_secs(20), self.heard.recv()).await;
        heard.expect("nothing was heard in time").expect("the listener was dropped")
    }
}

pub const LIMITS: LinkLimits = LinkLimits { message_bytes: 100_000, depth: 32, queue_bytes: 1 << 20 };
