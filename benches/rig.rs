//! What the benchmarks between processes share: finding the programs, reading `/proc`, medians.
//!
//! It measures nothing itself.

use std::path::{Path, PathBuf};

use anyhow::bail;

/// The gateway, built with the profile of the benchmarks.
pub const GATEWAY: &str = env!("CARGO_BIN_EXE_mcp-manifold");

/// Whether the benchmark was started by `cargo bench`, and not in passing by `cargo test --all-targets`.
pub fn is_wanted() -> bool {
    std::env::args().any(|word| word == "--bench")
}

/// The value after `--name`, if it was given.
pub fn option<T: std::str::FromStr>(name: &str, default: T) -> T {
    let value = std::env::args().skip_while(|word| word != name).nth(1);
    value.and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// An example beside the gateway.
///
/// # Errors
/// When it is not built, in words that say how to.
pub fn example(name: &str) -> anyhow::Result<PathBuf> {
    let folder = Path::new(GATEWAY).parent().expect("a program stands in a folder").join("examples");
    let path = folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    if path.is_file() {
        return Ok(path);
    }
    bail!(
        "{} is not built; build the examples first:\n\n    cargo build --release --examples\n",
        path.display()
    )
}

/// The middle of the values; 0 when there are none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
