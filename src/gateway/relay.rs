//! One call on its way: from the client's request to a server, and from the server's answer back.
//!
//! The same for every method that is relayed; what is resolved and replaced stands in `tools.rs`, `prompts.rs`, ….

use crate::catalog::route::Route;
use crate::downstream::handle::ServerHandle;
use crate::downstream::request::Request;
use crate::gateway::answer::Lacks;
use crate::gateway::answer::deliver;
use crate::gateway::answer::show;
use crate::gateway::ask::held::HeldCall;
use crate::gateway::ask::round;
use crate::gateway::ask::round::Turn;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::isolation;
use crate::gateway::parking::ComeBack;
use crate::gateway::parking::Parking;
use crate::gateway::parking::Purpose;
use crate::gateway::parking::Terms;
use crate::gateway::relayed::Relayed;
use crate::gateway::relayed::refuse;
use crate::gateway::relayed::unknown;
use crate::gateway::reply::Failure;
use crate::gateway::session::Session;
use crate::gateway::snapshot::Snapshot;
use crate::policy::Policy;
use crate::policy::permit::Permit;
use crate::protocol::bridge;
use crate::protocol::capability;
use crate::protocol::input;
use crate::protocol::input::Wanted;
use crate::protocol::param_header::ParamHeader;
use crate::protocol::version::Era;
use crate::wire::members::Members;
use crate::wire::members::write_string;
use crate::wire::message::Outcome;
use crate::wire::message::read_text;
use crate::wire::meta;
use crate::wire::pending::Answer;
use crate::wire::pending::Owner;
use crate::wire::pending::Question;
use crate::wire::pending::Waiter;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// How a request is sent on.
pub(super) struct Passage<'a> {
    /// The method, a name that lives as long as the program.
    pub(super) method: &'static str,
    /// A member of the params whose value becomes this JSON text.
    pub(super) replace: Option<(&'a str, &'a str)>,
    /// What `Mcp-Name` says on modern HTTP: the server's own name, the URI, or its id of a task.
    pub(super) target: Option<&'a str>,
    /// The arguments that modern HTTP repeats in headers.
    pub(super) param_headers: &'a [ParamHeader],
}

/// Asks the policy and sends the request to its server, from where the exchange is answered. `failure` is what a caller
/// sees who may not use the route: the same as for one that does not exist.
pub(super) fn send(
    snapshot: &Snapshot,
    route: &Route,
    incoming: &Incoming<'_>,
    passage: &Passage<'_>,
    mut exchange: Exchange,
    failure: impl FnOnce() -> Failure,
) -> Relayed {
    let permit = snapshot.policy.permit(exchange.session().caller(), route);
    let (Some(permit), Some(handle)) = (permit, snapshot.server(&route.server)) else {
        return unknown(failure(), exchange);
    };
    let with_this = incoming.modern.as_ref().and_then(|modern| modern.log_level.as_deref());
    exchange.listens(incoming.progress_token(), with_this);
    // A modern server is told with every call what a legacy client said once.
    let once = || exchange.session().log_level_name();
    let log_level = if incoming.modern.is_some() { with_this } else { once() };
    let session = Arc::clone(exchange.session());
    let capabilities = capabilities_of(snapshot, incoming, &session);
    let way =
        Way { snapshot, route, permit: &permit, handle, passage, capabilities: &capabilities, log_level };
    let asks = *capabilities != *"{}" || comes_back(incoming);
    match (asks, exchange.era()) {
        (true, Era::Modern) if handle.era() == Era::Legacy => way.held(incoming, exchange),
        (true, Era::Legacy) if handle.era() == Era::Modern => {
            let again = Again::new(&way, incoming, &capabilities);
            way.go(incoming, exchange, Some(Box::new(again)))
        }
        _ => way.go(incoming, exchange, None),
    }
}

/// What the client behind a request declared ∩ what can be relayed, as JSON text.
pub(super) fn capabilities_of<'a>(
    snapshot: &Snapshot,
    incoming: &Incoming<'a>,
    session: &'a Session,
) -> Cow<'a, str> {
    let Some(modern) = &incoming.modern else { return Cow::Borrowed(session.relayable()) };
    match modern.capabilities {
        None | Some("{}") => Cow::Borrowed("{}"),
        Some(declared) => {
            Cow::Owned(capability::relayable(declared, Era::Modern, snapshot.catalog.apps().are_clear()))
        }
    }
}

/// True for a request that answers questions.
fn comes_back(incoming: &Incoming<'_>) -> bool {
    incoming.modern.is_some()
        && (incoming.params.get(input::STATE).is_some() || incoming.params.get(input::RESPONSES).is_some())
}

/// A request on its way, permitted and with a server.
struct Way<'a, 'p> {
    snapshot: &'a Snapshot,
    route: &'a Route,
    permit: &'a Permit<'p>,
    handle: &'a ServerHandle,
    passage: &'a Passage<'a>,
    capabilities: &'a str,
    log_level: Option<&'a str>,
}

impl Way<'_, '_> {
    fn request<'r>(
        &'r self,
        params: &'r Members<'r>,
        meta: Option<&'r Members<'r>>,
        exchange: &Exchange,
    ) -> Request<'r> {
        Request {
            method: self.passage.method,
            params,
            meta,
            replace: self.passage.replace,
            target: self.passage.target,
            param_headers: self.passage.param_headers,
            wants_progress: exchange.wants_progress(),
            capabilities: self.capabilities,
            log_level: self.log_level,
        }
    }

    fn go(&self, incoming: &Incoming<'_>, exchange: Exchange, again: Option<Box<Again>>) -> Relayed {
        let connection = match isolation::connection(self.handle, self.capabilities, &exchange) {
            Ok(connection) => connection,
            Err(failure) => return refuse(failure, exchange),
        };
        let request = self.request(&incoming.params, incoming.meta.as_ref(), &exchange);
        let (handle, method) = (ServerHandle::clone(&connection), self.passage.method);
        let samples = self.capabilities != "{}" && Wanted::Sampling.is_declared(self.capabilities);
        let patience = exchange.tracked().map(|tracked| tracked.patience(&handle));
        let longest = self.terms().longest;
        let relay =
            Box::new(Relay { exchange, handle, method, again, samples, longest, lacks: Lacks::default() });
        match patience {
            None => connection.call(self.permit, &request, relay),
            Some(patience) => connection.call_within(self.permit, &request, relay, patience),
        }
        Ok(())
    }

    /// A modern client's request to a legacy server: a new one, or one that comes back with answers.
    fn held(&self, incoming: &Incoming<'_>, exchange: Exchange) -> Relayed {
        let responses = incoming.params.get(input::RESPONSES);
        let responses = responses.filter(|raw| raw.get() != "null");
        let responses = match responses.map(Members::of).transpose() {
            Ok(responses) => responses,
            Err(why) => return refuse(Failure::bad_params(incoming.method, why), exchange),
        };
        let purpose = self.purpose(&exchange);
        let mut given = responses.as_ref();
        let exchange = match incoming.params.get(input::STATE) {
            None => exchange,
            Some(state) => {
                let handle = read_text(state).unwrap_or_default();
                let Some(parked) = self.snapshot.parking.take(&handle, &purpose) else {
                    return refuse(Failure::unknown_state(incoming.method), exchange);
                };
                let come_back = ComeBack { responses: responses.as_ref(), capabilities: self.capabilities };
                let Some(anew) = parked.resume(exchange, &come_back) else { return Ok(()) };
                // What it answered was asked before this call, and is no answer to what is asked in it.
                given = None;
                anew
            }
        };
        let connection = match isolation::connection(self.handle, self.capabilities, &exchange) {
            Ok(connection) => connection,
            Err(failure) => return refuse(failure, exchange),
        };
        let stripped = comes_back(incoming).then(|| input::without_answers(&incoming.params, &[]));
        let stripped = stripped.as_deref().and_then(|text| Members::parse(text).ok());
        let params = stripped.as_ref().unwrap_or(&incoming.params);
        let request = self.request(params, incoming.meta.as_ref(), &exchange);
        let (parking, terms) = (&self.snapshot.parking, self.terms());
        let held = HeldCall::new(parking, purpose, terms, &connection, exchange, self.capabilities, given);
        connection.call(self.permit, &request, Box::new(held));
        Ok(())
    }

    fn purpose(&self, exchange: &Exchange) -> Purpose {
        Purpose {
            caller: exchange.session().caller().clone(),
            method: self.passage.method,
            server: self.route.server.clone(),
            own_name: self.route.own_name.as_str().into(),
        }
    }

    fn terms(&self) -> Terms {
        let settings = &self.snapshot.config.settings;
        Terms { longest: settings.answer_timeout, per_caller: settings.limits.parked_per_caller }
    }
}

/// A legacy client's request to a modern server, which may have to be sent more than once.
#[derive(Clone)]
struct Again {
    /// The server; which of its connections is used may change from round to round.
    shared: ServerHandle,
    parking: Arc<Parking>,
    terms: Terms,
    policy: Policy,
    route: Route,
    params: String,
    replace: Option<(String, String)>,
    target: Option<String>,
    param_headers: Vec<ParamHeader>,
    capabilities: String,
    rounds: u32,
}

impl Again {
    fn new(way: &Way<'_, '_>, incoming: &Incoming<'_>, capabilities: &str) -> Self {
        Self {
            shared: way.handle.clone(),
            parking: Arc::clone(&way.snapshot.parking),
            terms: way.terms(),
            policy: way.snapshot.policy.clone(),
            route: way.route.clone(),
            params: incoming.params.raw().to_owned(),
            replace: way.passage.replace.map(|(member, text)| (member.to_owned(), text.to_owned())),
            target: way.passage.target.map(str::to_owned),
            param_headers: way.passage.param_headers.to_vec(),
            capabilities: capabilities.to_owned(),
            rounds: 0,
        }
    }

    /// Sends the request once more. The connection before may have ended while the client was asked.
    fn send(mut self: Box<Self>, exchange: Exchange, method: &'static str, params: &str) {
        self.rounds += 1;
        let again = &*self;
        let handle = match isolation::connection(&again.shared, &again.capabilities, &exchange) {
            Ok(connection) => connection.into_owned(),
            Err(failure) => return exchange.fail(&failure),
        };
        let session = Arc::clone(exchange.session());
        let id: Box<str> = exchange.id().into();
        let Some(permit) = again.policy.permit(session.caller(), &again.route) else {
            return exchange.fail(&Failure::unknown_method(method));
        };
        let Ok(members) = Members::parse(params) else { return exchange.fail(&Failure::dropped()) };
        let meta = meta::of(&members).unwrap_or_default();
        let request = Request {
            method,
            params: &members,
            meta: meta.as_ref(),
            replace: again.replace.as_ref().map(|(member, text)| (member.as_str(), text.as_str())),
            target: again.target.as_deref(),
            param_headers: &again.param_headers,
            wants_progress: exchange.wants_progress(),
            capabilities: &again.capabilities,
            log_level: session.log_level_name(),
        };
        let (longest, again) = (self.terms.longest, Some(self.clone()));
        let lacks = Lacks::default();
        let relay = Relay { exchange, handle: handle.clone(), method, again, samples: false, longest, lacks };
        handle.call(&permit, &request, Box::new(relay));
        // It may have been given up while nothing was at the server.
        if session.has_given_up(&id) {
            handle.cancel(session.key(), &id, Some("the client cancelled it"));
        }
    }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

/// Waits for a server's answer on behalf of a client.
struct Relay {
    exchange: Exchange,
    handle: ServerHandle,
    method: &'static str,
    /// For a server that may answer with questions, which this client is asked with requests.
    again: Option<Box<Again>>,
    /// A modern client may be asked to sample by the result.
    samples: bool,
    /// What a legacy server asked a modern client for in vain.
    lacks: Lacks,
    /// How long a user may think.
    longest: Duration,
}

impl Waiter for Relay {
    fn answer(self: Box<Self>, answer: Answer<'_>) {
        let Relay { exchange, handle, method, again, samples, lacks, .. } = *self;
        if let Some(failure) = lacks.failure(&handle, &answer) {
            return exchange.fail(&failure);
        }
        match (answer, again) {
            (Answer::Outcome(Outcome::Result(raw)), Some(again)) if bridge::asks_for_input(raw.get()) => {
                let purpose = Purpose {
                    caller: exchange.session().caller().clone(),
                    method,
                    server: again.route.server.clone(),
                    own_name: again.route.own_name.as_str().into(),
                };
                let turn = Turn {
                    parking: Arc::clone(&again.parking),
                    purpose,
                    terms: again.terms,
                    handle: handle.clone(),
                    params: again.params.clone(),
                    rounds: again.rounds,
                    resend: Box::new(move |exchange, params| again.send(exchange, method, &params)),
                };
                round::begin(exchange, turn, raw.get());
            }
            (Answer::Outcome(Outcome::Result(raw)), _) if samples && exchange.era() == Era::Modern => {
                match input::without_foreign_content(raw.get()) {
                    Some(narrowed) if handle.era() == Era::Modern => show(exchange, &handle, &narrowed),
                    _ => deliver(exchange, &handle, method, Answer::Outcome(Outcome::Result(raw))),
                }
            }
            (answer, _) => deliver(exchange, &handle, method, answer),
        }
    }

    fn progress(&self, params: &str) {
        self.exchange.progress(params);
    }

    fn notice(&self, method: &str, params: Option<&str>) {
        self.exchange.log(method, params);
    }

    fn ask(&self, question: &Question<'_>) -> bool {
        let wanted = Wanted::of(question.method, question.params);
        let (Some(wanted), Era::Legacy) = (wanted, self.exchange.era()) else {
            self.lacks.note(wanted);
            return false;
        };
        let label = self.handle.server().label();
        let params = input::question(wanted, question.params, label, Era::Legacy, "");
        let reply = Arc::clone(&question.reply);
        let (id, method) = (question.id, question.method);
        let asked = self.exchange.ask(&Question { id, method, params: Some(&params), reply });
        if asked && wanted == Wanted::Url {
            self.exchange.session().note_page(&self.handle.server().name, &params);
        }
        asked
    }

    fn retract(&self, id: &str) {
        self.exchange.retract(id);
    }

    fn owner(&self) -> Owner {
        self.exchange.session().key()
    }

    fn is(&self, id: &str) -> bool {
        self.exchange.id() == id
    }

    fn waits_for_client(&self) -> bool {
        self.exchange.is_asked(self.longest)
    }
}
