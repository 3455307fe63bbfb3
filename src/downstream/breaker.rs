//! Leaves a server alone that keeps failing: calls are refused at once, and now and then one is let through to see.
//!
//! Only the transport and silence count. What a server answers, errors included, shows that it lives; a caller who gives up
//! shows nothing. There is one for each connection of a server, so that one caller's trouble is no other's. It does not
//! start or stop anything: that is `task.rs`.

use crate::config::model::Server;
use crate::config::model::terms::BreakerTerms;
use crate::telemetry::event;
use crate::telemetry::metric::Metrics;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use crate::wire::pending::Owner;
use crate::wire::pending::Question;
use crate::wire::pending::Waiter;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Counts failures in a row.
pub struct Breaker {
    /// The entry now: its numbers may change while the server runs.
    entry: Arc<watch::Sender<Arc<Server>>>,
    metrics: Arc<Metrics>,
    /// Calls are refused, or one is being tried. All that a call looks at while everything is well.
    open: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Failures since the last answer to a client.
    failures: u32,
    /// What the connection had answered at the last failure.
    answered: u64,
    why: Arc<str>,
    open: Option<Open>,
}

struct Open {
    since: Instant,
    until: Instant,
    pause: Duration,
    /// One call is on its way to see.
    probing: bool,
}

/// May a call go to the server?
pub enum Entry {
    /// It may.
    Pass,
    /// It may, as the only one: wrap its waiter with [`Breaker::probe`].
    Probe,
    /// It may not; why, in words that go on after the name of the server.
    Refuse(Arc<str>),
}

/// An open breaker, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBreaker {
    /// Failures in a row.
    pub failures: u32,
    /// The last one, in words.
    pub reason: String,
    /// How long calls have been refused.
    pub since: Duration,
    /// Until one is tried; zero while one is.
    pub retry: Duration,
}

impl Breaker {
    /// A closed one.
    #[must_use]
    pub fn new(entry: Arc<watch::Sender<Arc<Server>>>, metrics: Arc<Metrics>) -> Self {
        Self { entry, metrics, open: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Asks for a call. While the server is well this costs one load.
    pub fn enter(&self) -> Entry {
        if !self.open.load(Ordering::Relaxed) {
            return Entry::Pass;
        }
        let mut state = self.lock();
        let State { failures, why, open, .. } = &mut *state;
        let Some(open) = open else { return Entry::Pass };
        let left = open.until.saturating_duration_since(Instant::now());
        if left.is_zero() && !open.probing {
            open.probing = true;
            return Entry::Probe;
        }
        let then = match open.probing {
            true => "one call is being tried now".to_owned(),
            false => format!("one is tried in {:.1} s", left.as_secs_f32().max(0.1)),
        };
        Entry::Refuse(
            format!("failed {failures} times in a row, the last time it {why}; calls are refused, {then}")
                .into(),
        )
    }

    /// A waiter for the call that is tried.
    #[must_use]
    pub fn probe(self: &Arc<Self>, waiter: Box<dyn Waiter>) -> Box<dyn Waiter> {
        Box::new(Probe { waiter: Some(waiter), breaker: Arc::clone(self), judged: AtomicBool::new(false) })
    }

    /// The call that might have been tried was not sent: the next one may be.
    pub fn not_tried(&self) {
        self.tried(Verdict::Unknown);
    }

    /// The transport failed, or nothing came in time. `answered` is how many calls of clients the connection has answered so
    /// far: those since the last failure show that it was well in between.
    pub fn failed(&self, answered: u64, why: &str) {
        let terms = self.terms();
        let mut state = self.lock();
        if std::mem::replace(&mut state.answered, answered) != answered {
            state.failures = 0;
        }
        state.failures = state.failures.saturating_add(1);
        state.why = why.into();
        // One that is open is judged by the call that is tried.
        if terms.failures != 0 && state.failures >= terms.failures && state.open.is_none() {
            self.refuse_for(&mut state, terms.pause);
        }
    }

    /// A new connection is ready, which has answered nothing yet.
    pub fn connected(&self) {
        self.lock().answered = 0;
    }

    /// How it is; `None` while it is closed.
    #[must_use]
    pub fn shown(&self) -> Option<OpenBreaker> {
        let state = self.lock();
        let open = state.open.as_ref()?;
        Some(OpenBreaker {
            failures: state.failures,
            reason: state.why.to_string(),
            since: open.since.elapsed(),
            retry: open.until.saturating_duration_since(Instant::now()),
        })
    }

    fn refuse_for(&self, state: &mut State, pause: Duration) {
        let now = Instant::now();
        let since = state.open.as_ref().map_or(now, |open| open.since);
        state.open = Some(Open { since, until: now + pause, pause, probing: false });
        self.open.store(true, Ordering::Relaxed);
        let server = &self.entry.borrow().name;
        event::breaker_opened(&self.metrics, server, state.failures, &state.why, pause);
    }

    fn tried(&self, verdict: Verdict) {
        let terms = self.terms();
        let mut state = self.lock();
        let Some(open) = &mut state.open else { return };
        match verdict {
            Verdict::Well => {
                *state = State { answered: state.answered, ..State::default() };
                self.open.store(false, Ordering::Relaxed);
                event::breaker_closed(&self.entry.borrow().name);
            }
            Verdict::Failed => {
                let pause = open.pause.saturating_mul(2).min(terms.max_pause);
                self.refuse_for(&mut state, pause);
            }
            Verdict::Unknown => open.probing = false,
        }
    }

    fn terms(&self) -> BreakerTerms {
        self.entry.borrow().breaker
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of the call that was tried.
#[derive(Clone, Copy)]
enum Verdict {
    Well,
    Failed,
    Unknown,
}

impl Verdict {
    fn of(answer: &Answer<'_>) -> Self {
        match answer {
            Answer::Outcome(_) | Answer::Lost(Lost::Unreadable(_) | Lost::Endless(_)) => Self::Well,
            Answer::Lost(Lost::Closed(_) | Lost::Silent(_) | Lost::NotStarted(_)) => Self::Failed,
            Answer::Lost(Lost::NotSent(_) | Lost::Unauthorized(_) | Lost::Held(_) | Lost::Cancelled) => {
                Self::Unknown
            }
        }
    }
}

/// Looks at the answer to the call that is tried, and passes it on.
struct Probe {
    waiter: Option<Box<dyn Waiter>>,
    breaker: Arc<Breaker>,
    /// Its verdict was given.
    judged: AtomicBool,
}

impl Probe {
    fn judge(&self, verdict: Verdict) {
        if !self.judged.swap(true, Ordering::Relaxed) {
            self.breaker.tried(verdict);
        }
    }

    /// The server says something because of the call: it lives, and nobody needs to wait for the answer to know.
    fn lives(&self) -> Option<&dyn Waiter> {
        self.judge(Verdict::Well);
        self.waiter.as_deref()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if self.waiter.is_some() {
            self.judge(Verdict::Unknown);
        }
    }
}

impl Waiter for Probe {
    fn answer(mut self: Box<Self>, answer: Answer<'_>) {
        let waiter = self.waiter.take();
        // First: whoever hears the answer may call again at once.
        self.judge(Verdict::of(&answer));
        if let Some(waiter) = waiter {
            waiter.answer(answer);
        }
    }

    fn progress(&self, params: &str) {
        if let Some(waiter) = self.lives() {
            waiter.progress(params);
        }
    }

    fn notice(&self, method: &str, params: Option<&str>) {
        if let Some(waiter) = self.lives() {
            waiter.notice(method, params);
        }
    }

    fn ask(&self, question: &Question<'_>) -> bool {
        self.lives().is_some_and(|waiter| waiter.ask(question))
    }

    fn retract(&self, id: &str) {
        if let Some(waiter) = &self.waiter {
            waiter.retract(id);
        }
    }

    fn owner(&self) -> Owner {
        self.waiter.as_ref().map_or(0, |waiter| waiter.owner())
    }

    fn is_background(&self) -> bool {
        self.waiter.as_ref().is_some_and(|waiter| waiter.is_background())
    }

    fn is(&self, id: &str) -> bool {
        self.waiter.as_ref().is_some_and(|waiter| waiter.is(id))
    }

    fn waits_for_client(&self) -> bool {
        self.waiter.as_ref().is_some_and(|waiter| waiter.waits_for_client())
    }
}

#[cfg(test)]
mod tests;
