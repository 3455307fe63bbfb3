//! Where the benchmarks between processes find their programs.
//!
//! It starts none of them.

use std::path::{Path, PathBuf};

use anyhow::bail;

/// The gateway, built with the profile of the benchmarks.
pub const GATEWAY: &str = env!("CARGO_BIN_EXE_mcp-manifold");

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
