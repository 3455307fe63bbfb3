//! The commands: what may be typed, and what becomes of it.
//!
//! One file per command. Only `cli/output.rs` writes to stdout or stderr.

pub mod arguments;
pub mod call;
pub mod check;
pub mod demo_server;
pub mod exit;
pub mod hold;
pub mod key;
pub mod lock;
pub mod meet;
pub mod output;
pub mod panic_log;
pub mod policy;
pub mod progress;
pub mod schema;
pub mod serve;
pub mod shared;
pub mod startup;
pub mod status;
pub mod stop;
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
    if let Some(exit) = without_runtime(&cli) {
        return exit;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => output::fail(Exit::Usage, &format!("the runtime cannot be started: {error}")),
    }
}

/// What is small, or must be done before there are threads. `None` for everything else.
fn without_runtime(cli: &Cli) -> Option<Exit> {
    match &cli.command {
        None => shared::run(&cli.global, &cli.serve),
        Some(Command::Serve(serve)) => shared::run(&cli.global, serve),
        Some(Command::Hold(hold)) if hold.detach => Some(hold::detach()),
        Some(Command::Stop) => Some(stop::stop(&cli.global)),
        Some(Command::Restart(restart)) => Some(stop::restart(&cli.global, restart)),
        Some(Command::Reap) => {
            reaper::reap(std::io::stdin().lock());
            Some(Exit::Ok)
        }
        _ => None,
    }
}

async fn run(cli: Cli) -> Exit {
    let Cli { global, serve, command } = cli;
    match command {
        None => serve::run(&global, serve).await,
        Some(Command::Serve(serve)) => serve::run(&global, serve).await,
        Some(Command::Check(check)) => check::run(&global, &check).await,
        Some(Command::Lock(lock)) => lock::run(&global, &lock).await,
        Some(Command::Tools(tools)) => tools::run(&global, &tools).await,
        Some(Command::Call(call)) => call::run(&global, &call).await,
        Some(Command::Status(status)) => status::run(&global, &status).await,
        Some(Command::Key(key)) => key::run(&global, &key),
        Some(Command::Policy(policy)) => policy::run(&global, &policy).await,
        Some(Command::Schema) => schema::run(),
        Some(Command::Hold(hold)) => hold::run(&global, &hold).await,
        Some(Command::Stop | Command::Restart(_) | Command::Reap) => Exit::Ok,
        Some(Command::DemoServer { which }) => match demo_server::run(which).await {
            Ok(()) => Exit::Ok,
            Err(error) => output::fail(Exit::Usage, &format!("{error:#}")),
        },
    }
}
