//! How long a test runs, with which seed, and that one runs at a time.
//!
//! It is the only place that asks for the environment.

use crate::random::Random;
use crate::support::eventually::now;
use crate::support::eventually::patience;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// Figures of one test would be spoilt by another beside it.
static TURN: Mutex<()> = Mutex::new(());

/// What a run was asked to do.
pub struct Plan {
    /// `SOAK_SECONDS`, 60 by default and at least 10: how long a test puts load on the gateway.
    pub seconds: u64,
    /// `SOAK_SEED`, random by default.
    pub seed: u64,
    _turn: MutexGuard<'static, ()>,
}

impl Plan {
    /// Waits for its turn.
    pub fn take() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut random = [0; 4];
        getrandom::fill(&mut random).expect("the system has random numbers");
        let seed = variable("SOAK_SEED").unwrap_or(u32::from_le_bytes(random).into());
        Self { seconds: variable("SOAK_SECONDS").unwrap_or(60).max(10), seed, _turn: turn }
    }

    /// The `stream`-th source of numbers.
    pub fn random(&self, stream: u64) -> Random {
        Random::new(self.seed, stream)
    }

    /// The time under load.
    pub fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// What is not measured at the beginning: 10 s, less in a short run.
    pub fn warm_up(&self) -> Duration {
        Duration::from_secs(10).min(self.duration() / 4)
    }

    /// A number that is meant for ten minutes, for this run; at least 1.
    pub fn share_of(&self, number: u64) -> u64 {
        (number * self.seconds / 600).clamp(1, number)
    }
}

fn variable(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "cargo passes no arguments through")]
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// A bound that is meant for a quiet machine, stretched as `MCP_MANIFOLD_TEST_PATIENCE` asks.
pub fn bound(quiet: Duration) -> Duration {
    quiet.mul_f64(patience().as_secs_f64() / 10.0).max(quiet)
}

/// The pace of a load: a moment comes every `period`.
pub struct Ticker {
    next: Instant,
    period: Duration,
}

impl Ticker {
    /// The first moment comes after one period.
    pub fn every(period: Duration) -> Self {
        Self { next: now() + period, period }
    }

    /// Waits for the next moment. Those that were missed are made up for.
    pub fn wait(&mut self) {
        std::thread::sleep(self.next.saturating_duration_since(now()));
        self.next += self.period;
    }

    /// Waits for the next moment; those that were missed are left out.
    pub fn wait_for_next(&mut self) {
        self.next = self.next.max(now());
        self.wait();
    }
}
