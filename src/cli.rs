//! The commands: what may be typed, and what becomes of it.
//!
//! One file per command. Only `cli/output.rs` writes to stdout or stderr.

pub mod arguments;
pub mod call;
pub mod check;
pub mod demo_server;
pub mod exit;
pub mod output;
pub mod panic_log;
pub mod progress;
pub mod schema;
pub mod serve;
pub mod startup;
pub mod status;
pub mod surroundings;
pub mod tools;

use crate::cli::arguments::Cli;
use crate::cli::arguments::Command;
use crate::cli::exit::Exit;
use crate::downstream::process::reaper;
use clap::Parser;

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => output::fail(Exit::Usage, &format!("the runtime cannot be started: {error}")),
    }
}

async fn run(cli: Cli) -> Exit {
    let Cli { global, serve, command } = cli;
    match command {
        None => serve::run(&global, serve).await,
        Some(Command::Serve(serve)) => serve::run(&global, serve).await,
        Some(Command::Check(check)) => check::run(&global, &check),
        Some(Command::Tools(tools)) => tools::run(&global, &tools).await,
        Some(Command::Call(call)) => call::run(&global, &call).await,
        Some(Command::Status(status)) => status::run(&status).await,
        Some(Command::Schema) => schema::run(),
        Some(Command::Reap) => {
            reaper::reap(std::io::stdin().lock());
            Exit::Ok
        }
        Some(Command::DemoServer { which }) => match demo_server::run(which).await {
            Ok(()) => Exit::Ok,
            Err(error) => output::fail(Exit::Usage, &format!("{error:#}")),
        },
    }
}
