//! A modern client's call to a legacy server that asks for something meanwhile.
//!
//! The server's question becomes a result that asks for input, and the call waits at the server until the client comes
//! back with the answer: nothing is sent twice. The protocol has no rule for this pair of eras. How long it may wait, and
//! who may come back, is `gateway/parking.rs`.

use crate::downstream::handle::ServerHandle;
use crate::gateway::answer::Lacks;
use crate::gateway::answer::deliver;
use crate::gateway::ask::anew;
use crate::gateway::exchange::Exchange;
use crate::gateway::parking::ComeBack;
use crate::gateway::parking::Parked;
use crate::gateway::parking::Parking;
use crate::gateway::parking::Purpose;
use crate::gateway::parking::Terms;
use crate::gateway::session::reply::TakesReply;
use crate::protocol::input;
use crate::protocol::input::Wanted;
use crate::protocol::version::Era;
use crate::wire::members::Members;
use crate::wire::message::Outcome;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use crate::wire::pending::Owner;
use crate::wire::pending::Question;
use crate::wire::pending::Waiter;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// One call, from the first request of the client to the answer of the server.
pub(in crate::gateway) struct Held {
    parking: Arc<Parking>,
    purpose: Purpose,
    terms: Terms,
    handle: ServerHandle,
    state: Mutex<State>,
}

struct State {
    /// The request that is open at the client; none while it decides.
    exchange: Option<Exchange>,
    /// The session and the id of the last request.
    session: Owner,
    call: Box<str>,
    capabilities: String,
    asked: Vec<Asked>,
    keys: u32,
    /// Questions came a moment ago, and more may come.
    gathering: bool,
    /// Answers that the client gave before it was asked, as members `"result":…`.
    given: HashMap<String, String>,
    /// The server's answer, when it came while no request was open.
    answer: Option<Kept>,
    over: bool,
    /// What the server asked for in vain.
    lacks: Lacks,
}

/// A question of the server that is not answered yet.
struct Asked {
    key: String,
    /// The id that the server gave it (JSON text).
    asked_as: String,
    wanted: Wanted,
    method: String,
    params: String,
    reply: TakesReply,
}

/// An answer that waits for the client.
enum Kept {
    Result(Box<RawValue>),
    Error(Box<RawValue>),
    Lost(Lost),
}

/// Waits for the answer of the server on behalf of a held call.
pub(in crate::gateway) struct HeldCall(Arc<Held>);

impl HeldCall {
    /// For the call of `exchange`; a client with these `capabilities` (JSON text) is asked no more than it declared.
    pub(in crate::gateway) fn new(
        parking: &Arc<Parking>,
        purpose: Purpose,
        terms: Terms,
        handle: &ServerHandle,
        exchange: Exchange,
        capabilities: &str,
        given: Option<&Members<'_>>,
    ) -> Self {
        let state = State {
            session: exchange.session().key(),
            call: exchange.id().into(),
            exchange: Some(exchange),
            capabilities: capabilities.to_owned(),
            asked: Vec::new(),
            keys: 0,
            gathering: false,
            given: given.map(given_answers).unwrap_or_default(),
            answer: None,
            over: false,
            lacks: Lacks::default(),
        };
        let parking = Arc::clone(parking);
        Self(Arc::new(Held { parking, purpose, terms, handle: handle.clone(), state: Mutex::new(state) }))
    }
}

impl Held {
    /// Sends the client away with the questions. Gives the request back when too much waits already.
    fn park(self: &Arc<Self>, state: &State, exchange: Exchange) -> Result<(), Exchange> {
        let parked: Arc<dyn Parked> = Arc::clone(self) as Arc<dyn Parked>;
        let handle = self.parking.park(self.purpose.clone(), state.session, self.terms, parked);
        let Some(handle) = handle else { return Err(exchange) };
        let questions = state.asked.iter().map(|one| (&*one.key, &*one.method, &*one.params));
        exchange.result(input::input_required(questions, Some(&handle)).as_bytes());
        Ok(())
    }

    fn ask(self: &Arc<Self>, question: &Question<'_>) -> bool {
        let mut state = self.lock();
        let Some(wanted) = Wanted::of(question.method, question.params) else { return false };
        if state.over || state.answer.is_some() {
            return false;
        }
        if !wanted.is_declared(&state.capabilities) {
            state.lacks.note(Some(wanted));
            return false;
        }
        let key = Self::key(&mut state, question.params);
        if let Some(answer) = state.given.remove(&key) {
            drop(state);
            (question.reply)(&answer);
            return true;
        }
        let label = self.handle.server().label();
        let params = input::question(wanted, question.params, label, Era::Modern, "").into_owned();
        let method = question.method.to_owned();
        let (asked_as, reply) = (question.id.to_owned(), Arc::clone(&question.reply));
        state.asked.push(Asked { key, asked_as, wanted, method, params, reply });
        // Without an open request it is asked when the client comes back.
        if state.exchange.is_some() && !std::mem::replace(&mut state.gathering, true) {
            self.parking.gather(Arc::clone(self) as Arc<dyn Parked>);
        }
        true
    }

    fn answer(&self, answer: Answer<'_>) {
        let mut state = self.lock();
        // The call is over, so no answer changes it any more.
        let asked = std::mem::take(&mut state.asked);
        let exchange = state.exchange.take();
        if exchange.is_none() && !state.over {
            state.answer = Some(Kept::of(&answer));
        }
        state.over |= exchange.is_some();
        let capabilities = state.capabilities.clone();
        let lacks = if exchange.is_some() { std::mem::take(&mut state.lacks) } else { Lacks::default() };
        drop(state);
        give_up(asked);
        if let Some(exchange) = exchange {
            if let Some(failure) = lacks.failure(&self.handle, &answer) {
                return exchange.fail(&failure);
            }
            self.finish(exchange, answer, &capabilities);
        }
    }

    fn finish(&self, exchange: Exchange, answer: Answer<'_>, capabilities: &str) {
        let exchange = match answer {
            Answer::Outcome(Outcome::Error(error)) if Wanted::Url.is_declared(capabilities) => {
                let (parking, purpose) = (&self.parking, self.purpose.clone());
                match anew::ask(parking, purpose, self.terms, &self.handle, exchange, error) {
                    Ok(()) => return,
                    Err(exchange) => exchange,
                }
            }
            _ => exchange,
        };
        deliver(exchange, &self.handle, self.purpose.method, answer);
    }

    /// The name of a question in the result: the one it was given, or the next number.
    fn key(state: &mut State, params: Option<&str>) -> String {
        let is_free = |key: &String| state.asked.iter().all(|one| one.key != *key);
        if let Some(key) = input::wanted_key(params).filter(is_free) {
            return key;
        }
        loop {
            state.keys += 1;
            let key = format!("question-{}", state.keys);
            if state.asked.iter().all(|one| one.key != key) {
                return key;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parked for Held {
    fn resume(self: Arc<Self>, exchange: Exchange, come_back: &ComeBack<'_>) -> Option<Exchange> {
        let mut state = self.lock();
        exchange.session().bind(exchange.id(), &self.handle);
        state.session = exchange.session().key();
        state.call = exchange.id().into();
        come_back.capabilities.clone_into(&mut state.capabilities);
        let mut replies: Vec<(TakesReply, String)> = Vec::new();
        let mut given = come_back.responses.map(given_answers).unwrap_or_default();
        state.asked.retain(|asked| match given.remove(&asked.key) {
            Some(answer) => {
                replies.push((Arc::clone(&asked.reply), answer));
                false
            }
            None => true,
        });
        state.given = given;
        let mut ready = None;
        if let Some(answer) = state.answer.take() {
            state.over = true;
            ready = Some((exchange, answer));
        } else if state.asked.is_empty() {
            state.exchange = Some(exchange);
        } else if let Err(exchange) = self.park(&state, exchange) {
            let given_up = state.asked.drain(..);
            replies.extend(given_up.map(|asked| (asked.reply, asked.wanted.given_up().to_owned())));
            state.exchange = Some(exchange);
        }
        drop(state);
        // The request is open again before the server hears anything: its answer may come at once.
        replies.into_iter().for_each(|(reply, answer)| reply(&answer));
        if let Some((exchange, answer)) = ready {
            answer.give(|answer| self.finish(exchange, answer, come_back.capabilities));
        }
        None
    }

    fn gathered(self: Arc<Self>) {
        let mut state = self.lock();
        state.gathering = false;
        if state.over || state.asked.is_empty() {
            return;
        }
        let Some(exchange) = state.exchange.take() else { return };
        let Err(exchange) = self.park(&state, exchange) else { return };
        state.exchange = Some(exchange);
        let given_up = std::mem::take(&mut state.asked);
        drop(state);
        give_up(given_up);
    }

    fn expire(&self) {
        let mut state = self.lock();
        state.over = true;
        let asked = std::mem::take(&mut state.asked);
        let (session, call) = (state.session, state.call.clone());
        drop(state);
        give_up(asked);
        self.handle.cancel(session, &call, Some("the client did not come back with an answer"));
    }
}

impl Waiter for HeldCall {
    fn answer(self: Box<Self>, answer: Answer<'_>) {
        self.0.answer(answer);
    }

    fn progress(&self, params: &str) {
        if let Some(exchange) = &self.0.lock().exchange {
            exchange.progress(params);
        }
    }

    fn notice(&self, method: &str, params: Option<&str>) {
        if let Some(exchange) = &self.0.lock().exchange {
            exchange.log(method, params);
        }
    }

    fn ask(&self, question: &Question<'_>) -> bool {
        self.0.ask(question)
    }

    fn retract(&self, id: &str) {
        self.0.lock().asked.retain(|asked| asked.asked_as != id);
    }

    fn owner(&self) -> Owner {
        self.0.lock().session
    }

    fn is(&self, id: &str) -> bool {
        *self.0.lock().call == *id
    }

    fn waits_for_client(&self) -> bool {
        let state = self.0.lock();
        state.exchange.is_none() && !state.over
    }
}

impl Kept {
    fn of(answer: &Answer<'_>) -> Self {
        match answer {
            Answer::Outcome(Outcome::Result(raw)) => Self::Result((*raw).to_owned()),
            Answer::Outcome(Outcome::Error(raw)) => Self::Error((*raw).to_owned()),
            Answer::Lost(lost) => Self::Lost(lost.clone()),
        }
    }

    fn give(self, to: impl FnOnce(Answer<'_>)) {
        match self {
            Self::Result(raw) => to(Answer::Outcome(Outcome::Result(&raw))),
            Self::Error(raw) => to(Answer::Outcome(Outcome::Error(&raw))),
            Self::Lost(lost) => to(Answer::Lost(lost)),
        }
    }
}

/// What answers there are, by the keys of the questions.
fn given_answers(responses: &Members<'_>) -> HashMap<String, String> {
    let objects = responses.iter().filter(|(_, raw)| raw.get().starts_with('{'));
    objects.map(|(key, raw)| (key.to_owned(), format!(r#""result":{}"#, raw.get()))).collect()
}

/// The server is told that nobody answers.
fn give_up(asked: Vec<Asked>) {
    asked.into_iter().for_each(|asked| (asked.reply)(asked.wanted.given_up()));
}
