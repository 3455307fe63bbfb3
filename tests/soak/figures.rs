//! The line that a test prints.
//!
//! It judges nothing.
#![expect(clippy::print_stdout, reason = "the figures are what this is run for")]

use crate::plan::Plan;
use std::fmt::Display;
use std::fmt::Write as _;

/// The line under construction.
pub struct Figures(String);

impl Figures {
    /// The line of one test.
    pub fn of(test: &str, plan: &Plan) -> Self {
        Self(format!("soak {test}: seconds={} seed={}", plan.seconds, plan.seed))
    }

    /// One more figure.
    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        let _ = write!(self.0, " {name}={value}");
        self
    }

    /// Prints it.
    pub fn print(self) {
        println!("{}", self.0);
    }
}
