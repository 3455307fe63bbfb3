//! The binary: everything is in the library's `cli` module.

use std::process::ExitCode;

fn main() -> ExitCode {
    mcp_manifold::cli::main().into()
}
