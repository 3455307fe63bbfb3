//! The gateway under load while servers die, the file changes and peers misbehave. `.ci/run soak` runs it; by hand:
//!
//! ```text
//! cargo build --examples
//! SOAK_SECONDS=60 cargo test --test soak -- --ignored --nocapture
//! ```
//!
//! Each test prints one line of figures that begins with `soak` and holds its seed, which `SOAK_SEED` sets. It asserts
//! counts, never times, but for waits that are bounded; how fast things are is measured by `benches/`.

mod support;

mod figures;
mod latency;
mod ledger;
mod load;
mod piped;
mod plan;
mod probe;
mod random;
mod web;

mod bounds;
mod cancels;
mod chaos;
mod drain;
mod first_process;
mod hung;
mod ids;
mod reload;
mod restarts;
mod rotation;
mod slow;
mod starts;
mod steady;
mod strangers;
