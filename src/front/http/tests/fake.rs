//! A gateway that does what the name of the tool says, and a front in front of it.

use crate::auth::caller::Caller;
use crate::config::model::HttpSettings;
use crate::config::model::auth::AuthSettings;
use crate::front::http::Bound;
use crate::front::http::backing::Backing;
use crate::front::http::bind;
use crate::front::http::options::HttpOptions;
use crate::front::http::tests::client::Client;
use crate::front::http::tests::client::PATIENCE;
use crate::gateway::exchange::Exchange;
use crate::gateway::load::Loads;
use crate::gateway::reply::Failure;
use crate::gateway::session::Session;
use crate::protocol::code;
use crate::protocol::param_header;
use crate::protocol::param_header::ParamHeader;
use crate::protocol::version::Era;
use crate::secret::Secret;
use crate::wire::message::Malformed;
use crate::wire::message::Message;
use crate::wire::sink::Sink;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What the gateway was told.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Held(String),
    Cancelled(String),
    Notified(String),
    Closed,
}

pub struct Fake {
    held: Mutex<Vec<Exchange>>,
    sessions: Mutex<Vec<Arc<Session>>>,
    events: mpsc::UnboundedSender<Event>,
}

impl Fake {
    pub fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Event>) {
        let (sender, events) = mpsc::unbounded_channel();
        (Arc::new(Self { held: Mutex::default(), sessions: Mutex::default(), events: sender }), events)
    }

    /// Answers everything that is held.
    pub fn release(&self) {
        for exchange in self.held.lock().unwrap().drain(..) {
            exchange.result(br#"{"held":true}"#);
        }
    }

    /// Sends a notification to all sessions; how many took it.
    pub fn push(&self, method: &str) -> usize {
        let sessions = self.sessions.lock().unwrap().clone();
        sessions.iter().filter(|session| session.notify(method, None)).count()
    }

    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    fn call(&self, exchange: Exchange, name: &str, params: &str) {
        match name {
            "hold" | "stream-hold" => {
                if name == "stream-hold" {
                    exchange.notify("notifications/message", Some(r#"{"n":1}"#));
                }
                let id = exchange.id().to_owned();
                self.held.lock().unwrap().push(exchange);
                self.tell(Event::Held(id));
            }
            "stream" => {
                exchange.notify("notifications/message", Some(r#"{"n":1}"#));
                exchange.result(b"{}");
            }
            "needs" => exchange.fail(&Failure::new(code::MISSING_CAPABILITY, "needs more")),
            "unknown" => exchange.fail(&Failure::unknown_tool(name, None)),
            _ => exchange.result(params.as_bytes()),
        }
    }
}

impl Backing for Fake {
    fn open_session(&self, caller: Caller) -> Arc<Session> {
        let session = self.lone_session(caller);
        self.sessions.lock().unwrap().push(Arc::clone(&session));
        session
    }

    fn lone_session(&self, caller: Caller) -> Arc<Session> {
        Arc::new(Session::new(caller, 100, Loads::new(100, 100, Arc::default()).of(&Caller::Anonymous, None)))
    }

    fn close_session(&self, session: &Arc<Session>) {
        self.sessions.lock().unwrap().retain(|open| open.key() != session.key());
        self.tell(Event::Closed);
    }

    fn accept(&self, session: &Arc<Session>, message: Message<'_>, sink: &Sink) {
        let (id, method, params) = match message {
            Message::Request { id, method, params } => (id, method, params.map_or("{}", |raw| raw.get())),
            Message::Notification { method, .. } => {
                session.mark_initialized();
                return self.tell(Event::Notified(method.into_owned()));
            }
            Message::Response { .. } => return self.tell(Event::Notified("response".into())),
        };
        let exchange = match Exchange::open(session, id.get(), Era::Legacy, sink) {
            Ok(exchange) => exchange,
            Err(failure) => panic!("{failure:?}"),
        };
        let parsed: serde_json::Value = serde_json::from_str(params).unwrap();
        match &*method {
            "initialize" if parsed["refused"] == true => {
                exchange.fail(&Failure::new(code::INVALID_PARAMS, "no"))
            }
            "initialize" | "ping" => exchange.result(b"{}"),
            "tools/call" => self.call(exchange, parsed["name"].as_str().unwrap(), params),
            "resources/read" | "prompts/get" => exchange.result(b"{}"),
            _ => exchange.fail(&Failure::unknown_method(&method)),
        }
    }

    fn accept_batch(&self, _: &Arc<Session>, _: &[u8], _: usize, _: &Sink) -> Result<bool, Malformed> {
        Err(Malformed { id: None, code: code::INVALID_REQUEST, text: "no batches".into() })
    }

    fn refuse(&self, malformed: &Malformed, _: &Sink) {
        panic!("{malformed:?}");
    }

    fn cancel(&self, session: &Arc<Session>, id: &str, _: &str) {
        let mut held = self.held.lock().unwrap();
        let place =
            held.iter().position(|exchange| exchange.id() == id && exchange.session().key() == session.key());
        if let Some(place) = place {
            held.swap_remove(place).forget();
            self.tell(Event::Cancelled(id.to_owned()));
        }
    }

    fn param_headers(&self, _: &Caller, tool: &str) -> Vec<ParamHeader> {
        let property = r#"{"type":"string","x-mcp-header":"Region"}"#;
        let listed = format!(r#"{{"inputSchema":{{"properties":{{"region":{property}}}}}}}"#);
        if tool == "regional" { param_header::of_tool(&listed) } else { Vec::new() }
    }

    fn auth(&self) -> Option<Arc<AuthSettings>> {
        None
    }

    fn is_ending(&self) -> bool {
        false
    }

    fn unready(&self) -> Option<&'static str> {
        None
    }

    fn is_admin(&self, _caller: &Caller) -> bool {
        true
    }

    fn status(&self) -> serde_json::Value {
        serde_json::json!({"servers": []})
    }
}

/// A running front.
pub struct Front {
    pub fake: Arc<Fake>,
    pub addr: SocketAddr,
    events: mpsc::UnboundedReceiver<Event>,
    pub shutdown: CancellationToken,
    running: JoinSet<()>,
}

/// Settings with these tokens.
pub fn tokens(tokens: &[&str]) -> Arc<AuthSettings> {
    let tokens = tokens.iter().map(|token| Secret::new(*token)).collect();
    Arc::new(AuthSettings { tokens, failures_per_minute: 1000, ..AuthSettings::default() })
}

pub fn options(settings: HttpSettings) -> HttpOptions {
    HttpOptions {
        addr: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        behind_proxy: false,
        settings,
        auth: Arc::default(),
        max_body: 100_000,
        depth: 32,
        queue_bytes: 100_000,
    }
}

impl Front {
    pub async fn start(settings: HttpSettings) -> Self {
        Self::run(bind(options(settings)).await.unwrap())
    }

    pub async fn with(settings: HttpSettings, auth: Arc<AuthSettings>) -> Self {
        Self::run(bind(HttpOptions { auth, ..options(settings) }).await.unwrap())
    }

    pub async fn plain() -> Self {
        Self::start(HttpSettings::default()).await
    }

    pub fn run(bound: Bound) -> Self {
        let (fake, events) = Fake::new();
        let (addr, shutdown) = (bound.local_addr(), CancellationToken::new());
        let mut running = JoinSet::new();
        running.spawn(bound.run(Arc::clone(&fake) as Arc<dyn Backing>, shutdown.clone()));
        Self { fake, addr, events, shutdown, running }
    }

    pub async fn client(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.addr).await.unwrap())
    }

    pub async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        event.expect("the gateway is told nothing").unwrap()
    }

    /// Nothing was told to the gateway so far.
    pub fn is_quiet(&mut self) -> bool {
        self.events.try_recv().is_err()
    }

    pub async fn stopped(&mut self) {
        let ended = tokio::time::timeout(PATIENCE, self.running.join_next()).await;
        ended.expect("the front does not stop").unwrap().unwrap();
    }

    /// Opens a session; its header line.
    pub async fn session(&mut self) -> String {
        self.session_with("").await
    }

    pub async fn session_with(&mut self, headers: &str) -> String {
        let mut client = self.client().await;
        let response = client.post(headers, r#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#).await;
        assert_eq!(response.status, 200, "{response:?}");
        let line = format!("mcp-session-id: {}\r\n", response.header("mcp-session-id").unwrap());
        let told = client
            .post(&format!("{headers}{line}"), r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        assert_eq!((told.status, told.body.as_str()), (202, ""));
        assert_eq!(self.event().await, Event::Notified("notifications/initialized".into()));
        line
    }
}
