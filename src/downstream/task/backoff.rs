//! How long a server that does not stay up is left alone.
//!
//! The first quick ends cost nothing, so that one crash only costs its own call; then the pause doubles up to a
//! minute, ± 25 %, so that many servers do not start in step. A run that was stable or of use forgets everything: a
//! server that answers and is killed again and again is started again by the next call each time.

use std::time::Duration;

/// A connection that lived this long counts as stable.
const STABLE: Duration = Duration::from_secs(30);
/// Quick ends after a good start that are forgiven.
const FORGIVEN: u32 = 3;
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);

/// Counts what went wrong since the last stable run.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    ends: u32,
    failures: u32,
}

impl Backoff {
    /// The pause after a start that failed.
    pub(super) fn after_failed_start(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        jittered(exponential(self.failures - 1))
    }

    /// The pause after a connection that lived for `lived`, and answered calls or not.
    pub(super) fn after_end(&mut self, lived: Duration, served: bool) -> Duration {
        if lived >= STABLE || served {
            *self = Self::default();
        }
        self.failures = 0;
        self.ends = self.ends.saturating_add(1);
        match self.ends.checked_sub(FORGIVEN + 1) {
            None => Duration::ZERO,
            Some(over) => jittered(exponential(over)),
        }
    }
}

fn exponential(step: u32) -> Duration {
    FIRST.saturating_mul(1u32.checked_shl(step.min(16)).unwrap_or(u32::MAX)).min(LONGEST)
}

/// ± 25 %.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [128u8];
    // Without randomness there is no jitter, which is no reason to fail.
    let _ = getrandom::fill(&mut byte);
    pause.mul_f64(0.75 + f64::from(byte[0]) / 255.0 / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_crash_costs_nothing_and_a_run_that_was_stable_or_of_use_forgets() {
        let mut backoff = Backoff::default();
        for _ in 0..FORGIVEN {
            assert!(backoff.after_end(Duration::from_secs(1), false).is_zero());
        }
        assert!(!backoff.after_end(Duration::from_secs(1), false).is_zero());
        assert!(backoff.after_end(STABLE, false).is_zero());
        for _ in 0..=FORGIVEN {
            assert!(backoff.after_end(Duration::from_secs(1), true).is_zero());
        }
    }

    #[test]
    fn the_pause_of_every_attempt_is_within_its_jitter_and_no_count_overflows() {
        let within =
            |pause: Duration, base: Duration| pause >= base.mul_f64(0.749) && pause <= base.mul_f64(1.251);
        let mut backoff = Backoff::default();
        for attempt in 0..100_000 {
            let base = exponential(attempt);
            assert!(base >= exponential(attempt.saturating_sub(1)) && base <= LONGEST);
            assert!(within(backoff.after_failed_start(), base), "attempt {attempt}");
        }
        // The attempts 2^32 and after.
        backoff = Backoff { ends: u32::MAX, failures: u32::MAX };
        for _ in 0..3 {
            assert!(within(backoff.after_failed_start(), LONGEST));
        }
        for _ in 0..3 {
            assert!(within(backoff.after_end(Duration::ZERO, false), LONGEST));
        }
    }

    proptest! {
        #[test]
        fn pauses_grow_and_are_bounded(steps in 0u32..u32::MAX) {
            prop_assert!(exponential(steps) <= exponential(steps.saturating_add(1)));
            prop_assert!(exponential(steps) <= LONGEST);
            let pause = jittered(exponential(steps));
            prop_assert!(pause >= FIRST.mul_f64(0.74) && pause <= LONGEST.mul_f64(1.26));
        }
    }
}
