//! A legacy client's call to a modern server that answers with questions instead of a result.
//!
//! The client is asked with requests of its own era while its call is open; the call then goes to the server once more,
//! with the answers. It does not send that call itself: `relay.rs` does.

use crate::downstream::handle::ServerHandle;
use crate::gateway::exchange::Exchange;
use crate::gateway::parking::ComeBack;
use crate::gateway::parking::Parked;
use crate::gateway::parking::Parking;
use crate::gateway::parking::Purpose;
use crate::gateway::parking::Terms;
use crate::gateway::parking::random_handle;
use crate::gateway::reply::Failure;
use crate::protocol::code;
use crate::protocol::input;
use crate::protocol::input::InputRequired;
use crate::protocol::input::Wanted;
use crate::protocol::version::Era;
use crate::wire::members::Members;
use crate::wire::pending::Question;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use tokio::time::Instant;

/// How often a server may answer one call with questions.
const MOST_ROUNDS: u32 = 10;

/// Sends a call once more, with these params (JSON text).
pub(in crate::gateway) type Resend = Box<dyn FnOnce(Exchange, String) + Send>;

/// What a round needs of the call it belongs to.
pub(in crate::gateway) struct Turn {
    pub(in crate::gateway) parking: Arc<Parking>,
    pub(in crate::gateway) purpose: Purpose,
    pub(in crate::gateway) terms: Terms,
    pub(in crate::gateway) handle: ServerHandle,
    /// The params of the call, as JSON text.
    pub(in crate::gateway) params: String,
    /// Rounds before this one.
    pub(in crate::gateway) rounds: u32,
    pub(in crate::gateway) resend: Resend,
}

/// Questions that the client has not all answered yet.
struct Round {
    parking: Arc<Parking>,
    /// Its process may hold what the state means, so it is not idle meanwhile.
    handle: ServerHandle,
    /// What keeps it running.
    reason: String,
    keys: Vec<(String, Wanted)>,
    state: Mutex<State>,
}

struct State {
    /// The call; taken by whoever ends the round.
    call: Option<(Exchange, Resend, String)>,
    answers: Vec<Option<String>>,
    request_state: Option<String>,
    ticket: Option<Box<str>>,
}

/// Asks the client what the server wants to know.
pub(in crate::gateway) fn begin(exchange: Exchange, turn: Turn, raw: &str) {
    let server = &turn.handle.server().name;
    let refuse = |exchange: Exchange, why: &str| {
        exchange.fail(&Failure::new(code::INTERNAL_ERROR, format!("server `{server}` {why}")));
    };
    if turn.rounds >= MOST_ROUNDS {
        return refuse(exchange, &format!("asked for input {MOST_ROUNDS} times in one call; it is given up"));
    }
    let Some(asked) = InputRequired::read(raw) else {
        return refuse(exchange, "asks for input without saying what for");
    };
    let mut keys = Vec::with_capacity(asked.requests.len());
    for one in &asked.requests {
        match Wanted::of(&one.method, one.params) {
            Some(wanted) if exchange.session().can_answer(wanted) => keys.push((one.key.clone(), wanted)),
            Some(wanted) => {
                let why = format!("asks for `{}`, which this client did not declare", wanted.capability());
                return refuse(exchange, &why);
            }
            None => return refuse(exchange, "asks for something that no client can be asked"),
        }
    }
    ask(exchange, turn, keys, &asked);
}

fn ask(exchange: Exchange, turn: Turn, keys: Vec<(String, Wanted)>, asked: &InputRequired<'_>) {
    let request_state = asked.state.map(str::to_owned);
    let label = turn.handle.server().label().map(str::to_owned);
    let count = keys.len();
    let session = exchange.session().key();
    let reason = format!("\u{0}round {} of {session} {}", turn.rounds, exchange.id());
    turn.handle.keep_running(&reason, Instant::now() + turn.terms.longest);
    let round = Arc::new(Round {
        parking: Arc::clone(&turn.parking),
        handle: turn.handle,
        reason,
        keys,
        state: Mutex::new(State { call: None, answers: vec![None; count], request_state, ticket: None }),
    });
    if count == 0 {
        round.lock().call = Some((exchange, turn.resend, turn.params));
        return round.go_on();
    }
    // Held while asking: an answer that comes meanwhile waits for it.
    let mut state = round.lock();
    let mut all_asked = true;
    for (at, one) in asked.requests.iter().enumerate() {
        let wanted = round.keys[at].1;
        let id = random_handle().unwrap_or_default();
        let params = input::question(wanted, one.params, label.as_deref(), Era::Legacy, &id);
        let answering = Arc::clone(&round);
        let reply = Arc::new(move |answer: &str| answering.answered(at, answer));
        all_asked &= exchange.ask(&Question { id: "", method: &one.method, params: Some(&params), reply });
    }
    let parked: Arc<dyn Parked> = Arc::clone(&round) as Arc<dyn Parked>;
    state.ticket = turn.parking.park(turn.purpose, session, turn.terms, parked);
    all_asked &= state.ticket.is_some();
    state.call = Some((exchange, turn.resend, turn.params));
    drop(state);
    if !all_asked {
        round.give_up("wants more answers than this client is asked at once");
    }
}

impl Round {
    fn answered(&self, at: usize, answer: &str) {
        let mut state = self.lock();
        let Some((exchange, ..)) = &state.call else { return };
        if exchange.session().has_given_up(exchange.id()) {
            let call = state.call.take();
            let ticket = state.ticket.take();
            drop(state);
            self.leave(ticket);
            self.handle.let_rest(&self.reason);
            return if let Some((exchange, ..)) = call {
                exchange.forget()
            };
        }
        let wanted = self.keys[at].1;
        let result = answer.strip_prefix(r#""result":"#);
        let refused = matches!(wanted, Wanted::Form | Wanted::Url).then_some(r#"{"action":"cancel"}"#);
        match result.or(refused) {
            Some(result) => state.answers[at] = Some(result.to_owned()),
            None => {
                drop(state);
                let why = format!("needs an answer to `{}`, and the client refused", wanted.capability());
                return self.give_up(&why);
            }
        }
        if state.answers.iter().all(Option::is_some) {
            drop(state);
            self.go_on();
        }
    }

    fn go_on(&self) {
        let mut state = self.lock();
        let Some((exchange, resend, params)) = state.call.take() else { return };
        let answers = state.answers.drain(..).flatten();
        let answers: Vec<(String, String)> =
            self.keys.iter().map(|(key, _)| key.clone()).zip(answers).collect();
        let (ticket, request_state) = (state.ticket.take(), state.request_state.take());
        drop(state);
        self.leave(ticket);
        let retry = Members::parse(&params)
            .map(|params| input::retry(&params, &answers, request_state.as_deref()))
            .unwrap_or(params.clone());
        resend(exchange, retry);
        self.handle.let_rest(&self.reason);
    }

    fn give_up(&self, why: &str) {
        let mut state = self.lock();
        let (call, ticket) = (state.call.take(), state.ticket.take());
        drop(state);
        self.leave(ticket);
        self.handle.let_rest(&self.reason);
        if let Some((exchange, ..)) = call {
            let text = format!("server `{}` {why}", self.handle.server().name);
            exchange.fail(&Failure::new(code::INTERNAL_ERROR, text));
        }
    }

    fn leave(&self, ticket: Option<Box<str>>) {
        if let Some(ticket) = ticket {
            self.parking.remove(&ticket);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parked for Round {
    /// Nobody was given the handle.
    fn resume(self: Arc<Self>, exchange: Exchange, _: &ComeBack<'_>) -> Option<Exchange> {
        Some(exchange)
    }

    fn expire(&self) {
        self.give_up("waited too long for an answer of the user");
    }
}
