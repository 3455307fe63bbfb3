//! One call on its way: from the client's request to a server, and from the server's answer back.
//!
//! The same for every method that is relayed; what is resolved and replaced stands in `tools.rs`, `prompts.rs`, ….

use crate::catalog::hints;
use crate::catalog::route::Route;
use crate::config::model::access::ObjectKind;
use crate::config::model::terms::CallTerms;
use crate::config::model::terms::Retry;
use crate::downstream::handle::ServerHandle;
use crate::downstream::request::Request;
use crate::gateway::answer::Lacks;
use crate::gateway::ask::held::HeldCall;
use crate::gateway::audit::verdict::Decision;
use crate::gateway::awaited::Again;
use crate::gateway::awaited::Next;
use crate::gateway::awaited::Relay;
use crate::gateway::checks;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::isolation;
use crate::gateway::login;
use crate::gateway::parking::ComeBack;
use crate::gateway::parking::Purpose;
use crate::gateway::parking::Terms;
use crate::gateway::relayed::Relayed;
use crate::gateway::relayed::refuse;
use crate::gateway::relayed::unknown;
use crate::gateway::reply::Failure;
use crate::gateway::session::Session;
use crate::gateway::snapshot::Snapshot;
use crate::policy::permit::Permit;
use crate::protocol::capability;
use crate::protocol::input;
use crate::protocol::input::Wanted;
use crate::protocol::param_header::ParamHeader;
use crate::protocol::version::Era;
use crate::wire::members::Members;
use crate::wire::members::write_string;
use crate::wire::message::read_text;
use crate::wire::pending::Patience;
use std::borrow::Cow;
use std::sync::Arc;

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
    /// What it is about.
    pub(super) kind: ObjectKind,
    /// The tool that is called, by the name the client used.
    pub(super) tool: Option<&'a str>,
}

impl Passage<'_> {
    /// True for what rates are about; questions about a task belong to a call that was counted.
    fn is_call(&self) -> bool {
        !self.method.starts_with("tasks/")
    }
}

/// Sends a request that is permitted to its server, from where the exchange is answered. `failure` is the answer when the
/// server has just left.
pub(super) fn send(
    snapshot: &Snapshot,
    permit: &Permit<'_>,
    incoming: &Incoming<'_>,
    passage: &Passage<'_>,
    mut exchange: Exchange,
    failure: impl FnOnce(&Exchange) -> Failure,
) -> Relayed {
    let route = permit.route();
    let Some(handle) = snapshot.server(&route.server) else { return unknown(failure(&exchange), exchange) };
    if let Err(not_relayed) = enter(snapshot, permit, handle, incoming, passage, &mut exchange) {
        return not_relayed.answer(exchange);
    }
    let with_this = incoming.modern.as_ref().and_then(|modern| modern.log_level.as_deref());
    exchange.listens(incoming.progress_token(), with_this);
    // A modern server is told with every call what a legacy client said once.
    let once = || exchange.session().log_level_name();
    let log_level = if incoming.modern.is_some() { with_this } else { once() };
    let session = Arc::clone(exchange.session());
    let capabilities = capabilities_of(snapshot, incoming, &session);
    login::note(snapshot, incoming, handle.server(), &capabilities, &mut exchange);
    let way = Way { snapshot, route, permit, handle, passage, capabilities: &capabilities, log_level };
    let asks = *capabilities != *"{}" || comes_back(incoming);
    match (asks, exchange.era()) {
        (true, Era::Modern) if handle.era() == Era::Legacy => way.held(incoming, exchange),
        (true, Era::Legacy) if handle.era() == Era::Modern => way.go(incoming, exchange, true),
        _ => way.go(incoming, exchange, false),
    }
}

/// What is looked at before a permitted request is sent: how many there are, and what it says. It is written down.
fn enter(
    snapshot: &Snapshot,
    permit: &Permit<'_>,
    handle: &ServerHandle,
    incoming: &Incoming<'_>,
    passage: &Passage<'_>,
    exchange: &mut Exchange,
) -> Result<(), NotEntered> {
    let route = permit.route();
    if let Some(entry) = exchange.entry_mut() {
        entry.allowed(route);
    }
    if let Some(meter) = snapshot.meter.as_ref().filter(|_| passage.is_call())
        && let Err(failure) =
            meter.count(&snapshot.config.settings.rates, exchange.session().caller(), &route.server)
    {
        if let Some(entry) = exchange.entry_mut() {
            entry.decided(Decision::Limited);
        }
        return Err(NotEntered::TooMany(failure));
    }
    let name = passage.tool.filter(|_| passage.method == "tools/call");
    let wrong = name.and_then(|name| checks::arguments(snapshot, handle.server(), name, incoming, exchange));
    let Some(failure) = wrong else { return Ok(()) };
    if let Some(entry) = exchange.entry_mut() {
        entry.decided(Decision::Denied);
    }
    Err(NotEntered::Wrong(failure))
}

/// Why a request that is permitted is not sent.
enum NotEntered {
    TooMany(Failure),
    Wrong(Failure),
}

impl NotEntered {
    fn answer(self, exchange: Exchange) -> Relayed {
        match self {
            Self::TooMany(failure) => refuse(failure, exchange),
            Self::Wrong(failure) => checks::refuse_arguments(failure, exchange),
        }
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
            let apps = snapshot.apps_are_clear(session.caller());
            Cow::Owned(capability::relayable(declared, Era::Modern, apps))
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

    /// Sends it. `rounds` says that the server may answer with questions, which this client is asked with requests.
    fn go(&self, incoming: &Incoming<'_>, exchange: Exchange, rounds: bool) -> Relayed {
        let connection = match isolation::connection(self.handle, self.capabilities, &exchange) {
            Ok(connection) => connection,
            Err(failure) => return refuse(failure, exchange),
        };
        let request = self.request(&incoming.params, incoming.meta.as_ref(), &exchange);
        let (handle, method) = (ServerHandle::clone(&connection), self.passage.method);
        let samples = self.capabilities != "{}" && Wanted::Sampling.is_declared(self.capabilities);
        let terms = self.call_terms();
        let patience = patience(terms, &exchange);
        let copy = || Box::new(self.again(incoming, patience));
        let (rounds, repeat) = (rounds.then(copy), self.repeats(terms.retry).then(copy));
        let next = Next { method, rounds, repeat, samples };
        let longest = self.terms().longest;
        let relay = Box::new(Relay { exchange, handle, next, longest, lacks: Lacks::default() });
        connection.call_within(self.permit, &request, relay, patience);
        Ok(())
    }

    fn call_terms(&self) -> CallTerms {
        match self.passage.tool {
            Some(_) => self.handle.server().terms_of(&self.route.own_name),
            None => self.handle.server().terms(),
        }
    }

    /// True when it may be sent once more should its server end without an answer.
    fn repeats(&self, allowed: Retry) -> bool {
        let tool = self.passage.tool.filter(|_| allowed != Retry::Never);
        tool.and_then(|name| self.snapshot.catalog.tool(name)).is_some_and(|tool| hints::allow(tool, allowed))
    }

    fn again(&self, incoming: &Incoming<'_>, patience: Patience) -> Again {
        Again {
            shared: self.handle.clone(),
            parking: Arc::clone(&self.snapshot.parking),
            terms: self.terms(),
            present: Arc::clone(&self.snapshot.present),
            kind: self.passage.kind,
            route: self.route.clone(),
            params: incoming.params.raw().to_owned(),
            replace: self.passage.replace.map(|(member, text)| (member.to_owned(), text.to_owned())),
            target: self.passage.target.map(str::to_owned),
            param_headers: self.passage.param_headers.to_vec(),
            capabilities: self.capabilities.to_owned(),
            patience,
            rounds: 0,
        }
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
        let (parking, terms, patience) =
            (&self.snapshot.parking, self.terms(), patience(self.call_terms(), &exchange));
        let held = HeldCall::new(parking, purpose, terms, &connection, exchange, self.capabilities, given);
        connection.call_within(self.permit, &request, Box::new(held), patience);
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
        Terms {
            longest: settings.answer_timeout,
            per_caller: settings.limits.parked_per_caller,
            total: settings.limits.parked_total,
        }
    }
}

/// How long an answer may take.
fn patience(terms: CallTerms, exchange: &Exchange) -> Patience {
    let CallTerms { idle, longest, .. } = terms;
    let Some(tracked) = exchange.tracked() else { return Patience { idle, longest } };
    let idle = tracked.patience(idle);
    Patience { idle, longest: longest.max(idle) }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}
