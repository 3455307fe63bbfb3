//! The commands: what may be typed, and what becomes of it.
//!
//! One file per command. Only `cli/output.rs` writes to stdout or stderr.

pub mod arguments;
pub mod auth;
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
use crate::cli::shared::Hearing;
use crate::cli::shared::Served;
use crate::downstream::process::reaper;
use clap::Parser;

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let hearing = match without_runtime(&cli) {
        Served::Done(exit) => return exit,
        Served::Alone(hearing) => hearing,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(cli, hearing)),
        Err(error) => output::fail(Exit::Usage, &format!("the runtime cannot be started: {error}")),
    }
}

/// What is small, or must be done before there are threads.
fn without_runtime(cli: &Cli) -> Served {
    let exit = match &cli.command {
        None => return shared::run(&cli.global, &cli.serve),
        Some(Command::Serve(serve)) => return shared::run(&cli.global, serve),
        Some(Command::Hold(hold)) if hold.detach => Some(hold::detach()),
        Some(Command::Stop) => Some(stop::stop(&cli.global)),
        Some(Command::Restart(restart)) => Some(stop::restart(&cli.global, restart)),
        Some(Command::Reap) => {
            reaper::reap(std::io::stdin().lock());
            Some(Exit::Ok)
        }
        _ => None,
    };
    exit.map_or(Served::Alone(None), Served::Done)
}

async fn run(cli: Cli, hearing: Option<Hearing>) -> Exit {
    let Cli { global, serve, command } = cli;
    match command {
        None => serve::run(&global, serve, hearing).await,
        Some(Command::Serve(serve)) => serve::run(&global, serve, hearing).await,
        Some(Command::Check(check)) => check::run(&global, &check).await,
        Some(Command::Lock(lock)) => lock::run(&global, &lock).await,
        Some(Command::Tools(tools)) => tools::run(&global, &tools).await,
        Some(Command::Call(call)) => call::run(&global, &call).await,
        Some(Command::Status(status)) => status::run(&global, &status).await,
        Some(Command::Auth(auth)) => auth::run(&global, &auth).await,
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
