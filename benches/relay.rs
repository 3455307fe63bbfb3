//! What the gateway costs beside a typed relay, in one process: `cargo bench --bench relay`.
//!
//! The same raw load generator and the same raw echo server, connected by pipes, with nothing, the gateway's real path,
//! or a relay built only from rmcp between them, all on one thread. CPU is that of the process; what the same calls
//! cost with nothing in between is subtracted from both. The numbers are printed; nothing is asserted, since a shared
//! machine would fail it.
//!
//! Options after `--`: `--seconds S` for each run (0.6), `--runs N` of which the median counts (3), `--only TEXT`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its result")]

mod rig;

#[cfg(unix)]
#[path = "relay/echo.rs"]
mod echo;
#[cfg(unix)]
#[path = "relay/load.rs"]
mod load;
#[cfg(unix)]
#[path = "relay/payload.rs"]
mod payload;
#[cfg(unix)]
#[path = "relay/set_up.rs"]
mod set_up;
#[cfg(unix)]
#[path = "relay/table.rs"]
mod table;
#[cfg(unix)]
#[path = "../examples/rmcp-relay/relay.rs"]
mod typed;

use std::process::ExitCode;

fn main() -> ExitCode {
    if !rig::is_wanted() {
        println!("a benchmark: run it with `cargo bench --bench relay`");
        return ExitCode::SUCCESS;
    }
    #[cfg(unix)]
    match table::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
    #[cfg(not(unix))]
    {
        eprintln!("error: calls over pipes are measured on Unix only");
        ExitCode::FAILURE
    }
}
