//! Opening, trying and closing, with all their times.

use crate::config::environment::Environment;
use crate::config::parse;
use crate::downstream::breaker::Breaker;
use crate::downstream::breaker::Entry;
use crate::wire::message::Outcome;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use crate::wire::pending::Owner;
use crate::wire::pending::Question;
use crate::wire::pending::Waiter;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::advance;

const FILE: &str = r#"{
    "mcpServers": { "shaky": { "command": "server" } },
    "gateway": { "breaker": { "failures": 3, "pause": "4s", "maxPause": "10s" } }
}"#;

struct Nobody;

impl Waiter for Nobody {
    fn answer(self: Box<Self>, _: Answer<'_>) {}
    fn progress(&self, _: &str) {}
    fn notice(&self, _: &str, _: Option<&str>) {}
    fn ask(&self, _: &Question<'_>) -> bool {
        false
    }
    fn owner(&self) -> Owner {
        7
    }
    fn is(&self, id: &str) -> bool {
        id == "1"
    }
}

fn breaker() -> Arc<Breaker> {
    let environment = Environment::new([("HOME", "/home/ann")], "/home/ann");
    let loaded = parse(FILE, "mcp.json".as_ref(), &environment).expect("a configuration");
    let (_, entry) = loaded.config.servers.first().expect("an entry");
    Arc::new(Breaker::new(Arc::new(watch::Sender::new(Arc::clone(entry))), Arc::default()))
}

fn fail(breaker: &Breaker, times: usize) {
    (0..times).for_each(|_| breaker.failed(0, "closed the connection"));
}

fn refusal(breaker: &Breaker) -> Option<Arc<str>> {
    match breaker.enter() {
        Entry::Refuse(why) => Some(why),
        Entry::Pass | Entry::Probe => None,
    }
}

fn passes(breaker: &Breaker) -> bool {
    matches!(breaker.enter(), Entry::Pass)
}

/// The one call that may be tried, with an answer.
fn try_one(breaker: &Arc<Breaker>, answer: Answer<'_>) {
    assert!(matches!(breaker.enter(), Entry::Probe), "one call may be tried");
    breaker.probe(Box::new(Nobody)).answer(answer);
}

fn result() -> Answer<'static> {
    Answer::Outcome(Outcome::Result(serde_json::from_str("{}").expect("JSON")))
}

fn closed() -> Answer<'static> {
    Answer::Lost(Lost::Closed("exited".into()))
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_open_it_and_one_answer_closes_it() {
    let breaker = breaker();
    fail(&breaker, 2);
    assert!(passes(&breaker), "two failures are too few");
    fail(&breaker, 1);
    let why = refusal(&breaker).expect("three failures open it");
    assert_eq!(
        &*why,
        "failed 3 times in a row, the last time it closed the connection; calls are refused, one is tried in 4.0 s"
    );
    advance(Duration::from_secs(4)).await;
    try_one(&breaker, result());
    assert!(passes(&breaker) && breaker.shown().is_none());
    fail(&breaker, 2);
    assert!(passes(&breaker), "it counts from the beginning again");
}

#[tokio::test(start_paused = true)]
async fn answers_in_between_start_the_count_anew() {
    let breaker = breaker();
    for answered in 1..20 {
        breaker.failed(answered, "gave no answer");
        assert!(passes(&breaker));
    }
    breaker.failed(19, "gave no answer");
    breaker.failed(19, "gave no answer");
    assert!(!passes(&breaker));
}

#[tokio::test(start_paused = true)]
async fn exactly_one_of_many_calls_is_tried() {
    let breaker = breaker();
    fail(&breaker, 3);
    advance(Duration::from_secs(4)).await;
    let tried = (0..100).filter(|_| matches!(breaker.enter(), Entry::Probe)).count();
    assert_eq!(tried, 1);
    assert!(refusal(&breaker).is_some_and(|why| why.ends_with("one call is being tried now")));
}

#[tokio::test(start_paused = true)]
async fn a_try_that_fails_doubles_the_pause_up_to_the_longest() {
    let breaker = breaker();
    fail(&breaker, 3);
    for pause in [4, 8, 10, 10] {
        advance(Duration::from_secs(pause) - Duration::from_millis(1)).await;
        assert!(refusal(&breaker).is_some(), "not before {pause} s");
        advance(Duration::from_millis(1)).await;
        try_one(&breaker, closed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_try_that_says_nothing_makes_room_for_the_next() {
    let breaker = breaker();
    fail(&breaker, 3);
    advance(Duration::from_secs(4)).await;
    try_one(&breaker, Answer::Lost(Lost::Cancelled));
    try_one(&breaker, Answer::Lost(Lost::NotSent("is full".into())));
    assert!(matches!(breaker.enter(), Entry::Probe));
    drop(breaker.probe(Box::new(Nobody)));
    try_one(&breaker, result());
    assert!(passes(&breaker));
}

#[tokio::test(start_paused = true)]
async fn a_try_that_reports_progress_closes_it_before_its_answer_and_is_judged_once() {
    let breaker = breaker();
    fail(&breaker, 3);
    advance(Duration::from_secs(4)).await;
    assert!(matches!(breaker.enter(), Entry::Probe));
    let probe = breaker.probe(Box::new(Nobody));
    assert!(refusal(&breaker).is_some());
    probe.progress("{}");
    assert!(passes(&breaker) && breaker.shown().is_none());
    fail(&breaker, 3);
    advance(Duration::from_secs(4)).await;
    probe.answer(result());
    assert!(breaker.shown().is_some(), "an old answer says nothing of what came after");
    try_one(&breaker, result());
    assert!(passes(&breaker));
}

#[tokio::test(start_paused = true)]
async fn the_waiter_of_a_try_is_the_waiter() {
    let breaker = breaker();
    fail(&breaker, 3);
    advance(Duration::from_secs(4)).await;
    assert!(matches!(breaker.enter(), Entry::Probe));
    let probe = breaker.probe(Box::new(Nobody));
    assert!(probe.owner() == 7 && probe.is("1") && !probe.is("2") && !probe.is_background());
}

#[derive(Debug, Clone)]
enum Step {
    Fail,
    Answered,
    Wait(u64),
    Try(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Fail),
        Just(Step::Answered),
        (0u64..12).prop_map(Step::Wait),
        any::<bool>().prop_map(Step::Try),
    ]
}

/// What the breaker promises, in a few lines.
#[derive(Default)]
struct Model {
    failures: u32,
    until: Option<(u64, u64)>,
}

proptest! {
    #[test]
    fn it_does_what_its_model_does(steps in proptest::collection::vec(step(), 0..60)) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        runtime.block_on(async {
            let (breaker, mut model, mut now, mut answered) = (breaker(), Model::default(), 0u64, 0u64);
            for step in steps {
                match step {
                    Step::Fail => {
                        breaker.failed(answered, "failed");
                        model.failures += 1;
                        if model.failures >= 3 && model.until.is_none() {
                            model.until = Some((now + 4, 4));
                        }
                    }
                    // While it is open nothing but the call that is tried reaches the server.
                    Step::Answered if model.until.is_none() => {
                        answered += 1;
                        model.failures = 0;
                    }
                    Step::Answered => {}
                    Step::Wait(seconds) => {
                        advance(Duration::from_secs(seconds)).await;
                        now += seconds;
                    }
                    Step::Try(well) => match (breaker.enter(), model.until) {
                        (Entry::Pass, None) => {}
                        (Entry::Refuse(_), Some((until, _))) => prop_assert!(now < until),
                        (Entry::Probe, Some((until, pause))) => {
                            prop_assert!(now >= until);
                            let answer = if well { result() } else { closed() };
                            breaker.probe(Box::new(Nobody)).answer(answer);
                            let pause = (pause * 2).min(10);
                            model = match well {
                                true => Model::default(),
                                false => Model { until: Some((now + pause, pause)), ..model },
                            };
                        }
                        _ => prop_assert!(false, "the model says otherwise"),
                    },
                }
            }
            Ok(())
        })?;
    }
}
