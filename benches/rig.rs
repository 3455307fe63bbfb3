//! What the benchmarks share: whether they are wanted, their options, medians.
//!
//! It measures nothing itself.

/// Whether the benchmark was started by `cargo bench`, and not in passing by `cargo test --all-targets`.
pub fn is_wanted() -> bool {
    std::env::args().any(|word| word == "--bench")
}

/// The value after `--name`, if it was given.
pub fn option<T: std::str::FromStr>(name: &str, default: T) -> T {
    let value = std::env::args().skip_while(|word| word != name).nth(1);
    value.and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The middle of the values; 0 when there are none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
