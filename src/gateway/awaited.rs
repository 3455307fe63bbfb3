//! A request that was sent: who waits for its answer, and what the answer may lead to.
//!
//! Most are passed on as they are. Some are questions, and some requests may be sent once more. The way to the server
//! the first time is `relay.rs`.

use crate::auth::caller::Caller;
use crate::catalog::route::Route;
use crate::config::model::access::ObjectKind;
use crate::downstream::handle::ServerHandle;
use crate::downstream::request::Request;
use crate::gateway::answer::Lacks;
use crate::gateway::answer::deliver;
use crate::gateway::answer::show;
use crate::gateway::ask::round;
use crate::gateway::ask::round::Turn;
use crate::gateway::exchange::Exchange;
use crate::gateway::isolation;
use crate::gateway::parking::Parking;
use crate::gateway::parking::Purpose;
use crate::gateway::parking::Terms;
use crate::gateway::reply::Failure;
use crate::policy::Present;
use crate::protocol::bridge;
use crate::protocol::input;
use crate::protocol::input::Wanted;
use crate::protocol::param_header::ParamHeader;
use crate::protocol::version::Era;
use crate::telemetry::event;
use crate::wire::members::Members;
use crate::wire::message::Outcome;
use crate::wire::meta;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use crate::wire::pending::Owner;
use crate::wire::pending::Patience;
use crate::wire::pending::Question;
use crate::wire::pending::Waiter;
use std::sync::Arc;
use std::time::Duration;

/// A request that may have to be sent more than once, with everything that takes.
#[derive(Clone)]
pub(super) struct Again {
    /// The server; which of its connections is used may change from round to round.
    pub(super) shared: ServerHandle,
    pub(super) parking: Arc<Parking>,
    pub(super) terms: Terms,
    pub(super) present: Arc<Present>,
    /// What it is about.
    pub(super) kind: ObjectKind,
    pub(super) route: Route,
    pub(super) params: String,
    pub(super) replace: Option<(String, String)>,
    pub(super) target: Option<String>,
    pub(super) param_headers: Vec<ParamHeader>,
    pub(super) capabilities: String,
    pub(super) patience: Patience,
    /// How often it was sent with a user's answers.
    pub(super) rounds: u32,
}

impl Again {
    /// Sends the request once more, with `params`; what that leads to is up to `next`. The connection before may have ended.
    fn send(&self, exchange: Exchange, params: &str, next: Next) {
        let (again, method) = (self, next.method);
        let handle = match isolation::connection(&again.shared, &again.capabilities, &exchange) {
            Ok(connection) => connection.into_owned(),
            Err(failure) => return exchange.fail(&failure),
        };
        let session = Arc::clone(exchange.session());
        let id: Box<str> = exchange.id().into();
        // The rules of now, not those of when it was first sent.
        let policy = again.present.policy();
        let Ok(permit) = policy.permit(session.caller(), again.kind, &again.route) else {
            return exchange.fail(&Failure::no_longer_permitted(method));
        };
        let Ok(members) = Members::parse(params) else { return drop(exchange) };
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
        let longest = self.terms.longest;
        let relay = Relay { exchange, handle: handle.clone(), next, longest, lacks: Lacks::default() };
        handle.call_within(&permit, &request, Box::new(relay), self.patience);
        // It may have been given up while nothing was at the server.
        if session.has_given_up(&id) {
            handle.cancel(session.key(), &id, Some("the client cancelled it"));
        }
    }

    /// What goes on when the server asks something.
    fn turn(mut self: Box<Self>, caller: &Caller, handle: ServerHandle, method: &'static str) -> Turn {
        let purpose = Purpose {
            caller: caller.clone(),
            method,
            server: self.route.server.clone(),
            own_name: self.route.own_name.as_str().into(),
        };
        let rounds = self.rounds;
        self.rounds += 1;
        Turn {
            parking: Arc::clone(&self.parking),
            purpose,
            terms: self.terms,
            handle,
            params: self.params.clone(),
            rounds,
            resend: Box::new(move |exchange, params| {
                let next = Next { method, rounds: Some(self.clone()), repeat: None, samples: false };
                self.send(exchange, &params, next);
            }),
        }
    }
}

/// What an answer may lead to besides being passed on.
pub(super) struct Next {
    pub(super) method: &'static str,
    /// For a server that may answer with questions, which this client is asked with requests.
    pub(super) rounds: Option<Box<Again>>,
    /// For a call that may be made once more should its server end without an answer.
    pub(super) repeat: Option<Box<Again>>,
    /// A modern client may be asked to sample by the result.
    pub(super) samples: bool,
}

/// Waits for a server's answer on behalf of a client.
pub(super) struct Relay {
    pub(super) exchange: Exchange,
    pub(super) handle: ServerHandle,
    pub(super) next: Next,
    /// What a legacy server asked a modern client for in vain.
    pub(super) lacks: Lacks,
    /// How long a user may think.
    pub(super) longest: Duration,
}

impl Waiter for Relay {
    fn answer(self: Box<Self>, answer: Answer<'_>) {
        let Relay { exchange, handle, next, lacks, .. } = *self;
        if let Some(failure) = lacks.failure(&handle, &answer) {
            return exchange.fail(&failure);
        }
        let method = next.method;
        match (answer, next) {
            (Answer::Lost(Lost::Closed(why)), Next { rounds, repeat: Some(repeat), samples, .. }) => {
                event::call_repeated(&handle.server().name, method, &why);
                let next = Next { method, rounds, repeat: None, samples };
                repeat.send(exchange, &repeat.params, next);
            }
            (Answer::Outcome(Outcome::Result(raw)), Next { rounds: Some(again), .. })
                if bridge::asks_for_input(raw.get()) =>
            {
                let turn = again.turn(exchange.session().caller(), handle, method);
                round::begin(exchange, turn, raw.get());
            }
            (Answer::Outcome(Outcome::Result(raw)), Next { samples: true, .. })
                if exchange.era() == Era::Modern =>
            {
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
