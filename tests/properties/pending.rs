//! Calls in flight: an answer goes to its caller, once, and to nobody else; the table is empty in the end.
//!
//! The model is a list of who waits under which id. What an answer says is not its business.

use crate::dice::Dice;
use mcp_manifold::wire::pending::Answer;
use mcp_manifold::wire::pending::Lost;
use mcp_manifold::wire::pending::NotAccepted;
use mcp_manifold::wire::pending::Owner;
use mcp_manifold::wire::pending::Patience;
use mcp_manifold::wire::pending::Pending;
use mcp_manifold::wire::pending::Question;
use mcp_manifold::wire::pending::Waiter;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;

const MOST: usize = 6;
const FOREVER: Duration = Duration::from_secs(3600);

/// Who was answered (by number of call), with what.
type Answers = Arc<Mutex<Vec<(u64, String)>>>;

struct Caller {
    call: u64,
    owner: Owner,
    background: bool,
    answers: Answers,
}

impl Waiter for Caller {
    fn answer(self: Box<Self>, answer: Answer<'_>) {
        let Answer::Lost(Lost::Unreadable(what)) = answer else { panic!("{answer:?} was not sent") };
        self.answers.lock().expect("nobody panics").push((self.call, what.to_string()));
    }
    fn progress(&self, params: &str) {
        self.answers.lock().expect("nobody panics").push((self.call, format!("progress {params}")));
    }
    fn notice(&self, _: &str, _: Option<&str>) {}
    fn ask(&self, _: &Question<'_>) -> bool {
        false
    }
    fn owner(&self) -> Owner {
        self.owner
    }
    fn is_background(&self) -> bool {
        self.background
    }
    /// Two callers may use the same id.
    fn is(&self, id: &str) -> bool {
        id == (self.call % 3).to_string()
    }
}

#[derive(Default)]
struct Model {
    /// Our id → number of the call, owner, background.
    waiting: BTreeMap<u64, (u64, Owner, bool)>,
    issued: BTreeSet<u64>,
    calls: u64,
    expected: Vec<(u64, String)>,
}

fn reply(waiter: Box<dyn Waiter>, text: &str) {
    waiter.answer(Answer::Lost(Lost::Unreadable(text.into())));
}

thread_local! {
    static CLOCK: Runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
}

/// A random history of one connection.
pub fn case(dice: &mut Dice) {
    CLOCK.with(|clock| {
        let _inside = clock.enter();
        history(dice);
    });
}

fn history(dice: &mut Dice) {
    let (table, answers, mut model) = (Pending::new(MOST), Answers::default(), Model::default());
    for step in 0..dice.below(40) {
        match dice.below(8) {
            0..=2 => begin(&table, &answers, &mut model, dice),
            // Often an id that is waited for, sometimes one that is over or never was.
            3 | 4 => {
                let id = dice.below(model.issued.len() + 3) as u64;
                let taken = table.take(id);
                assert_eq!(taken.is_some(), model.waiting.contains_key(&id));
                if let Some(waiter) = taken {
                    settle(&mut model, id, &format!("answer {step}"), waiter);
                }
            }
            5 => {
                let (owner, call) = (dice.below(3) as u64, dice.below(3).to_string());
                if let Some((id, waiter)) = table.take_of(owner, &call) {
                    let (number, whose, _) = model.waiting[&id];
                    assert_eq!(
                        (whose, (number % 3).to_string()),
                        (owner, call),
                        "another's call was cancelled"
                    );
                    settle(&mut model, id, "cancelled", waiter);
                }
            }
            6 => {
                let calls: Vec<u64> = model.waiting.iter().filter(|(_, w)| !w.2).map(|(id, _)| *id).collect();
                let only = table.take_only();
                assert_eq!(only.is_some(), calls.len() == 1);
                if let Some(waiter) = only {
                    settle(&mut model, calls[0], "the only one", waiter);
                }
            }
            _ => {
                let id = dice.below(model.issued.len() + 3) as u64;
                table.progress(id, "{}");
                model.expected.extend(model.waiting.get(&id).map(|w| (w.0, "progress {}".to_owned())));
            }
        }
        let calls = model.waiting.values().filter(|waiting| !waiting.2).count();
        assert_eq!((table.len(), table.is_empty()), (calls, calls == 0));
        assert!(table.expired().is_empty());
    }
    let left = table.close(&"over".into());
    assert_eq!(left.len(), model.waiting.len());
    left.into_iter().for_each(|waiter| reply(waiter, "closed"));
    let closed = model.waiting.values().map(|waiting| (waiting.0, "closed".to_owned()));
    model.expected.extend(closed);
    assert!(table.is_empty() && model.issued.iter().all(|id| table.take(*id).is_none()));
    let mut seen = answers.lock().expect("nobody panics").clone();
    seen.sort();
    model.expected.sort();
    assert_eq!(seen, model.expected);
    let ended: Vec<u64> = seen.iter().filter(|one| !one.1.starts_with("progress")).map(|one| one.0).collect();
    assert_eq!(ended, (0..model.calls).collect::<Vec<_>>(), "one answer for each");
}

fn begin(table: &Pending, answers: &Answers, model: &mut Model, dice: &mut Dice) {
    let (owner, background, call) = (dice.below(3) as u64, dice.once_in(6), model.calls);
    let waiter = Caller { call, owner, background, answers: Arc::clone(answers) };
    model.calls += 1;
    // What is meant to stay open counts as no call.
    let calls = model.waiting.values().filter(|waiting| !waiting.2).count();
    match table.insert(Box::new(waiter), Patience::flat(FOREVER)) {
        Ok(id) => {
            assert!(background || calls < MOST, "{calls} calls at once");
            assert!(model.issued.insert(id), "{id} was given out twice");
            assert!(table.has_issued(id));
            model.waiting.insert(id, (call, owner, background));
        }
        Err((waiter, why)) => {
            assert_eq!((why, calls, background), (NotAccepted::Full(MOST), MOST, false));
            reply(waiter, "full");
            model.expected.push((call, "full".to_owned()));
        }
    }
}

/// The answer for `id` goes to `waiter`, who must be the one that waits for it.
fn settle(model: &mut Model, id: u64, text: &str, waiter: Box<dyn Waiter>) {
    let (call, ..) = model.waiting.remove(&id).expect("it was in flight");
    model.expected.push((call, text.to_owned()));
    reply(waiter, text);
}
