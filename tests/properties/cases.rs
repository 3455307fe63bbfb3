//! Runs a property over very many cases on all cores, and keeps the input that breaks it.
//!
//! It does not make inputs smaller: `cargo fuzz tmin` does.

use crate::corpus::Corpus;
use crate::dice::Dice;
use crate::panics;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// A variable of this run.
#[expect(clippy::disallowed_methods, reason = "how a test is run is asked of whoever runs it")]
fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str) -> Option<u64> {
    asked(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Runs `case` on many seeds. It prints what it needs to be repeated.
pub fn many(name: &str, case: impl Fn(&mut Dice) + Sync) {
    any_of(name, 1_000_000, case);
}

/// The same with `cases` unless told otherwise.
pub fn any_of(name: &str, cases: u64, case: impl Fn(&mut Dice) + Sync) {
    let cases = number("PROPERTY_CASES").unwrap_or(cases);
    let seed = number("PROPERTY_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    report(&format!("{name}: {cases} cases from seed {seed}"));
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let failed = AtomicBool::new(false);
    let work = |thread: u64| {
        for n in (thread..cases).step_by(threads as usize) {
            if failed.load(Ordering::Relaxed) {
                break;
            }
            let seed = seed.wrapping_add(n);
            if let Err(why) = failing(|| case(&mut Dice::new(seed))) {
                failed.store(true, Ordering::Relaxed);
                return Some(format!("{name}: PROPERTY_SEED={seed} PROPERTY_CASES=1: {why}"));
            }
        }
        None
    };
    let broken: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        workers
            .into_iter()
            .filter_map(|worker| worker.join().expect("what a case panics with is caught"))
            .collect()
    });
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Checks inputs made from the corpus `name`, or the file that `PROPERTY_INPUT` names.
pub fn any_input(name: &str, cases: u64, check: impl Fn(&[u8]) + Sync) {
    if let Some(path) = asked("PROPERTY_INPUT") {
        return check(&std::fs::read(path).expect("the input can be read"));
    }
    let corpus = Corpus::read(name);
    any_of(name, cases, |dice| {
        let input = corpus.input(dice);
        if let Err(why) = failing(|| check(&input)) {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.failed"));
            std::fs::write(&path, &input).expect("the input can be saved");
            panic!("PROPERTY_INPUT={}: {why}", path.display());
        }
    });
}

/// Runs `work`; what it panicked with, also when somebody caught that.
pub fn failing(work: impl FnOnce()) -> Result<(), String> {
    panics::watch();
    panics::take();
    let ended = catch_unwind(AssertUnwindSafe(work));
    let seen = panics::take();
    if ended.is_ok() && seen.is_empty() { Ok(()) } else { Err(seen.join("\n")) }
}

#[expect(clippy::print_stderr, reason = "a random test says what repeats it")]
fn report(text: &str) {
    eprintln!("{text}");
}
