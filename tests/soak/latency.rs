//! How long answers took: a histogram with steps of about 4 %.
//!
//! It holds no single value, so that a run of hours needs no more memory than one of seconds.

use std::fmt;
use std::time::Duration;

/// Steps per doubling.
const STEPS: f64 = 16.0;
/// From 1 µs to more than an hour.
const BUCKETS: usize = 512;

/// The histogram.
#[derive(Clone)]
pub struct Latency {
    counts: Vec<u64>,
    longest: Duration,
}

impl Default for Latency {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], longest: Duration::ZERO }
    }
}

impl Latency {
    /// One more.
    pub fn add(&mut self, one: Duration) {
        let micros = one.as_secs_f64() * 1e6;
        let bucket = (micros.max(1.0).log2() * STEPS) as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.longest = self.longest.max(one);
    }

    /// All of another.
    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
        self.longest = self.longest.max(other.longest);
    }

    /// What this share of the answers took at most, in milliseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        let all: u64 = self.counts.iter().sum();
        let wanted = ((all as f64) * share).ceil() as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        });
        bucket.map_or(0.0, |bucket| ((bucket as f64 + 1.0) / STEPS).exp2() / 1e3)
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (median, high) = (self.quantile(0.5), self.quantile(0.99));
        write!(f, "{median:.1}/{high:.1}/{:.1}ms", self.longest.as_secs_f64() * 1e3)
    }
}
