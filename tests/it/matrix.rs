//! Every feature with every pair of eras and of transports: stdio and Streamable HTTP in front, those, HTTP+SSE and
//! WebSockets behind.
//!
//! What is expected is data (`matrix/table.rs`), which the README shows. Bytes are compared in `fidelity.rs`.

mod calls;
mod cell;
mod changes;
mod flow;
mod older;
mod questions;
mod readme;
mod table;
mod tasks;
mod unknown;

use crate::matrix::cell::Cell;
use crate::matrix::table::Outcome;
use crate::matrix::table::Row;
use crate::support::bed::Bed;
use crate::support::bed::CLIENTS;
use crate::support::bed::PEERS;
use crate::support::driver::Era;
use crate::support::driver::Transport;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Mutex;

/// Tries the feature in all combinations and fails with those that are not as the table says.
fn check(row: &Row) {
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for client in CLIENTS {
            let failures = &failures;
            scope.spawn(move || {
                let found = check_client(row, client);
                failures.lock().expect("no panic before").extend(found);
            });
        }
    });
    let failures = failures.into_inner().expect("no panic before");
    assert!(
        failures.is_empty(),
        "{}: {} of {} are not as the table says:\n{}",
        row.feature,
        failures.len(),
        CLIENTS.len() * PEERS.len(),
        failures.join("\n")
    );
}

fn check_client(row: &Row, client: (Era, Transport)) -> Vec<String> {
    let started = catch_unwind(AssertUnwindSafe(|| {
        Bed::start(client, row.capabilities(), |conf, peer| (row.server)(conf, peer))
    }));
    let bed = match started {
        Ok(bed) => bed,
        Err(why) => return vec![format!("{client:?}: {}", text_of(&*why))],
    };
    let tried = PEERS.iter().filter_map(|peer| {
        let outcome = row.outcome(client.0, peer.era);
        let cell = Cell { bed: &bed, peer };
        let ended = match outcome {
            Outcome::Works => catch_unwind(AssertUnwindSafe(|| (row.works)(&cell))),
            Outcome::NotOffered(_) => catch_unwind(AssertUnwindSafe(|| (row.refused)(&cell))),
        };
        let why = ended.err()?;
        Some(format!(
            "{client:?} with {:?} over {:?}, expected {outcome:?}: {}",
            peer.era,
            peer.behind,
            text_of(&*why)
        ))
    });
    tried.collect()
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a text").chars().take(1500).collect()
}

/// One test for each row, so that a failure names the feature.
macro_rules! rows {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            check(&table::$name());
        }
    )* };
}

rows! {
    call structured_content unknown_fields progress cancel elicitation_form elicitation_url sampling roots subscribe
    list_changed log completion tasks
}
