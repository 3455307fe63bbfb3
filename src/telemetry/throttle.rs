//! Lets a few lines per second through and counts the rest.
//!
//! It does not write anything: whoever asks writes the line and the summary.

use std::time::Duration;
use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(1);

/// At most a number of lines in any one second since the last fresh start.
#[derive(Debug)]
pub struct Throttle {
    per_second: u32,
    window: Option<Instant>,
    passed: u32,
    held: u64,
}

/// What [`Throttle::ask`] answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Write it; `held` lines were left out since the last one that was written.
    Yes {
        /// Lines left out, not yet told.
        held: u64,
    },
    /// Leave it out.
    No,
}

impl Throttle {
    /// Lets `per_second` lines through each second.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self { per_second, window: None, passed: 0, held: 0 }
    }

    /// May one more line be written at `now`?
    pub fn ask(&mut self, now: Instant) -> Pass {
        if self.window.is_none_or(|start| now.duration_since(start) >= WINDOW) {
            self.window = Some(now);
            self.passed = 0;
        }
        if self.passed < self.per_second {
            self.passed += 1;
            return Pass::Yes { held: std::mem::take(&mut self.held) };
        }
        self.held += 1;
        Pass::No
    }

    /// When a summary of left out lines is due; `None` while nothing was left out.
    #[must_use]
    pub fn summary_due(&self) -> Option<Instant> {
        self.window.filter(|_| self.held > 0).map(|start| start + WINDOW)
    }

    /// The number of lines left out and not yet told, which counts as told from now on.
    pub fn take_held(&mut self) -> u64 {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_passes_in_small_parts_and_the_rest_is_counted() {
        let mut throttle = Throttle::new(2);
        let yes = (0..10).filter(|_| throttle.ask(Instant::now()) == Pass::Yes { held: 0 }).count();
        assert_eq!(yes, 2);
        let due = throttle.summary_due().expect("lines were left out");
        assert_eq!(due.duration_since(Instant::now()), WINDOW);
        tokio::time::advance(WINDOW).await;
        assert_eq!(throttle.ask(Instant::now()), Pass::Yes { held: 8 });
        assert_eq!(throttle.summary_due(), None);
    }
}
