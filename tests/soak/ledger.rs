//! What a client sent and what came back: one answer to every request, and the right one.
//!
//! It does not speak to anybody. A tool result is right when its text is the tag of its own call, a space and the id of
//! the process that answered; an error is right when it names the server that was called.

use crate::latency::Latency;
use crate::support::eventually::now;
use crate::support::stdio_client::lock;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Lines that are kept of what was not right.
const SAMPLES: usize = 5;

/// The servers of one gateway: their names, and which process answered last for each.
pub struct Targets {
    names: Vec<String>,
    pids: Vec<AtomicU32>,
    changes: AtomicU32,
}

/// The requests of one client.
pub struct Ledger {
    targets: Arc<Targets>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: HashMap<String, Open>,
    /// Requests that were given up; an answer may have been on its way.
    given_up: HashSet<String>,
    /// The highest number that an id was made from.
    highest: u64,
    totals: Totals,
}

struct Open {
    tag: String,
    target: usize,
    sent: Instant,
}

/// What the entries of a ledger come to.
#[derive(Default, Clone)]
pub struct Totals {
    /// Requests.
    pub sent: u64,
    /// Requests with an answer.
    pub answered: u64,
    /// Answers that crossed with the word that they were not wanted.
    pub crossed: u64,
    /// Requests without one.
    pub lost: u64,
    /// Answers beyond the first.
    pub dup: u64,
    /// Answers that belong to another request, or to none.
    pub wrong: u64,
    /// Notifications of progress.
    pub progress: u64,
    /// Errors that do not name the server.
    pub unnamed: u64,
    /// Errors by server.
    pub failed: BTreeMap<usize, u64>,
    /// Errors by text, numbers left out.
    pub reasons: BTreeMap<String, u64>,
    /// From request to answer.
    pub latency: Latency,
    /// Some answers that were not right.
    pub samples: Vec<String>,
}

impl Targets {
    /// Servers of which none has answered.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Arc<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let pids = names.iter().map(|_| AtomicU32::new(0)).collect();
        Arc::new(Self { names, pids, changes: AtomicU32::new(0) })
    }

    /// The name of a server.
    pub fn name(&self, target: usize) -> &str {
        &self.names[target]
    }

    fn answered(&self, target: usize, pid: u32) {
        let before = self.pids[target].swap(pid, Ordering::SeqCst);
        if before != 0 && before != pid {
            self.changes.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// How often another process answered than before.
    pub fn changes(&self) -> u32 {
        self.changes.load(Ordering::SeqCst)
    }

    /// The process that answered last; 0 when none has.
    pub fn pid(&self, target: usize) -> u32 {
        self.pids[target].load(Ordering::SeqCst)
    }
}

impl Ledger {
    /// An empty one.
    pub fn new(targets: &Arc<Targets>) -> Arc<Self> {
        Arc::new(Self { targets: Arc::clone(targets), state: Mutex::default() })
    }

    /// The servers.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// A request goes out; `id` as it stands in the message, made from `number`.
    pub fn sent(&self, id: String, number: u64, target: usize, tag: String) {
        let mut state = lock(&self.state);
        state.highest = state.highest.max(number);
        state.totals.sent += 1;
        let before = state.open.insert(id, Open { tag, target, sent: now() });
        assert!(before.is_none(), "an id was used twice at once");
    }

    /// A message came that is no notification. True when it was the answer to a request without one.
    pub fn came(&self, message: &Value, raw: &str) -> bool {
        let id = message["id"].to_string();
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let Some(open) = state.open.remove(&id) else {
            if state.given_up.remove(&id) {
                state.totals.crossed += 1;
                return false;
            }
            let number: Option<u64> = id.trim_matches('"').parse().ok();
            match number.is_some_and(|number| number <= state.highest) {
                true => state.totals.dup += 1,
                false => state.totals.wrong += 1,
            }
            state.totals.sample(raw);
            return false;
        };
        state.totals.answered += 1;
        state.totals.latency.add(now().saturating_duration_since(open.sent));
        let name = &self.targets.names[open.target];
        if let Some(text) = message.pointer("/error/message").and_then(Value::as_str) {
            state.totals.error(open.target, name, text);
            return true;
        }
        let text = message.pointer("/result/content/0/text").and_then(Value::as_str).unwrap_or_default();
        match text.strip_prefix(&open.tag).and_then(|rest| rest.strip_prefix(' ')?.parse().ok()) {
            Some(pid) => self.targets.answered(open.target, pid),
            None => {
                state.totals.wrong += 1;
                state.totals.sample(raw);
            }
        }
        true
    }

    /// Progress of the request `id` came, which is to say the tag of that request.
    pub fn progressed(&self, id: &str, message: &Value, raw: &str) {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let said = message.pointer("/params/message").and_then(Value::as_str);
        let token = message["params"]["progressToken"].to_string();
        let own = *token == *id && state.open.get(id).is_some_and(|open| said == Some(&open.tag));
        state.totals.progress += 1;
        if !own {
            state.totals.wrong += 1;
            state.totals.sample(raw);
        }
    }

    /// A message came for one request that answers another, or no request at all.
    pub fn stray(&self, raw: &str) {
        let mut state = lock(&self.state);
        state.totals.wrong += 1;
        state.totals.sample(raw);
    }

    /// Requests without an answer.
    pub fn open(&self) -> usize {
        lock(&self.state).open.len()
    }

    /// The way of an answer broke. Its request stays without one.
    pub fn broken(&self, id: &str, why: &str) {
        lock(&self.state).totals.sample(&format!("the way of the answer to {id} broke: {why}"));
    }

    /// Requests to a server without an answer.
    pub fn open_of(&self, target: usize) -> usize {
        lock(&self.state).open.values().filter(|open| open.target == target).count()
    }

    /// The requests to a server without an answer are not to be answered any more; their ids.
    pub fn withdraw(&self, target: usize) -> Vec<String> {
        lock(&self.state).open.extract_if(|_, open| open.target == target).map(|(id, _)| id).collect()
    }

    /// A request is given up: there may be an answer to it, or none. False when it has one.
    pub fn give_up(&self, id: &str) -> bool {
        let mut state = lock(&self.state);
        let open = state.open.remove(id).is_some();
        if open {
            state.given_up.insert(id.to_owned());
        }
        open
    }

    /// The `place`-th of the open requests, in no order.
    pub fn any_open(&self, place: usize) -> Option<String> {
        lock(&self.state).open.keys().nth(place).cloned()
    }

    /// How long answers took since this was asked last.
    pub fn take_latency(&self) -> Latency {
        std::mem::take(&mut lock(&self.state).totals.latency)
    }

    /// The sums; what is open counts as lost.
    pub fn totals(&self) -> Totals {
        let state = lock(&self.state);
        let mut totals = state.totals.clone();
        totals.lost = state.open.len() as u64;
        totals.samples.extend(
            state
                .open
                .iter()
                .take(SAMPLES)
                .map(|(id, open)| format!("no answer to {id}: a call of {}", self.targets.name(open.target))),
        );
        totals
    }
}

impl Totals {
    /// The sums of many.
    pub fn of<'a>(ledgers: impl IntoIterator<Item = &'a Arc<Ledger>>) -> Self {
        ledgers.into_iter().fold(Self::default(), |mut sum, ledger| {
            let one = ledger.totals();
            sum.sent += one.sent;
            sum.answered += one.answered;
            sum.crossed += one.crossed;
            sum.lost += one.lost;
            sum.dup += one.dup;
            sum.wrong += one.wrong;
            sum.progress += one.progress;
            sum.unnamed += one.unnamed;
            one.failed
                .into_iter()
                .for_each(|(target, count)| *sum.failed.entry(target).or_default() += count);
            one.reasons.into_iter().for_each(|(text, count)| *sum.reasons.entry(text).or_default() += count);
            sum.latency.merge(&one.latency);
            sum.samples.extend(one.samples);
            sum
        })
    }

    /// Errors altogether.
    pub fn errors(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Every request has one answer, and it is its own.
    pub fn check(&self) {
        let bad = [self.lost, self.dup, self.wrong, self.unnamed];
        assert_eq!(bad, [0; 4], "lost, twice, wrong, unnamed; samples: {:#?}", self.samples);
        assert_eq!(self.sent, self.answered);
    }

    fn error(&mut self, target: usize, name: &str, text: &str) {
        *self.failed.entry(target).or_default() += 1;
        let kind: String = text.chars().filter(|c| !c.is_ascii_digit()).take(160).collect();
        *self.reasons.entry(kind).or_default() += 1;
        // The name and nothing else would be no reason.
        if !text.contains(&format!("`{name}`")) || text.len() < name.len() + 20 {
            self.unnamed += 1;
            self.sample(text);
        }
    }

    fn sample(&mut self, text: &str) {
        if self.samples.len() < SAMPLES {
            self.samples.push(text.chars().take(500).collect());
        }
    }
}
