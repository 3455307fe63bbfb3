//! `hold`: the gateway that the stdio clients of a file share, in a process of its own.
//!
//! Whoever starts it reads its stdout until it says that clients can come, or why not (`share/launch.rs`).

use crate::app::Fronts;
use crate::cli::arguments::Global;
use crate::cli::arguments::Hold;
use crate::cli::exit::Exit;
use crate::cli::meet::Meet;
use crate::cli::output;
use crate::cli::serve::Signals;
use crate::cli::startup;
use crate::cli::surroundings;
use crate::front::attached;
use crate::front::attached::Terms;
use crate::share::apart;
use crate::share::launch::Report;
use crate::share::place::Place;
use crate::share::trim::trim;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A log that is larger, in bytes, is put aside at the next start.
const LONG_LOG: u64 = 1 << 20;

/// Starts the same command again in a session of its own, so that what ends the client does not end it.
///
/// Two steps make it nobody's child: a client that ends its tree of processes does not find it.
#[must_use]
pub fn detach() -> Exit {
    let args = surroundings::arguments().filter(|arg| arg != "--detach");
    let Some(binary) = surroundings::own_binary() else { return Exit::Unreachable };
    // What the client was given, a pipe of its own client perhaps, is not to stay open as long as the gateway lives.
    surroundings::keep_only_the_usual_streams();
    let mut command = Command::new(&binary);
    // Stdout and stderr lead to the client, until it has heard that others can come.
    command.args(args).stdin(Stdio::null());
    match apart::start(command) {
        Ok(_) => Exit::Ok,
        Err(why) => {
            output::fail(Exit::Unreachable, &format!("{} cannot be started: {why}", binary.display()))
        }
    }
}

/// Holds the gateway until nobody needs it.
pub async fn run(global: &Global, hold: &Hold) -> Exit {
    let signals = Signals::begin();
    let Meet { file, place, environment } = match Meet::at(global) {
        Ok(meet) => meet,
        Err(exit) => return failed(exit),
    };
    let place = match place {
        Ok(place) => place,
        Err(error) => return say(&Report::Alone(error.to_string())),
    };
    let log = global.log_file.clone().unwrap_or_else(|| fresh_log(&place));
    let logged = Global { log_file: Some(log.clone()), ..global.clone() };
    if let Err(exit) = startup::start_log(&logged, None) {
        return failed(exit);
    }
    let place = hold.only_for.map_or_else(|| place.clone(), |pid| place.only_for(pid));
    let terms = Terms { log: Some(log), for_one: hold.only_for.is_some(), ..Terms::default() };
    let meeting = match attached::open(&place, surroundings::user(), terms) {
        Ok(Some(meeting)) => meeting,
        Ok(None) => return say(&Report::Busy),
        Err(error) => return say(&Report::Alone(format!("the socket cannot be made: {error}"))),
    };
    place.sweep();
    surroundings::want_many_files();
    let app = match startup::app_in(&logged, environment.for_everybody()).await {
        Ok(app) => app,
        Err(exit) => return failed(exit),
    };
    // Servers without a `cwd` must not run in the folder of whichever client came first.
    if let Some(folder) = file.parent() {
        surroundings::go_to(folder);
    }
    if hold.only_for.is_none() && !app.gateway().config().settings.share {
        app.close().await;
        return say(&Report::Alone("`gateway.share` is false".into()));
    }
    let Some(hosts) = app.house().map(Arc::new) else {
        return say(&Report::Alone("there is no file to share".into()));
    };
    let shutdown = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(signals.obey(shutdown.clone(), app.reload_handle()));
    say(&Report::Ready);
    trim();
    app.run(Fronts { attached: Some((meeting, hosts)), ..Fronts::default() }, shutdown).await;
    tasks.shutdown().await;
    Exit::Ok
}

/// Where it logs when nobody said so.
fn fresh_log(place: &Place) -> PathBuf {
    let log = place.log();
    if std::fs::metadata(&log).is_ok_and(|found| found.len() > LONG_LOG) {
        let _ = std::fs::rename(&log, log.with_extension("log.old"));
    }
    log
}

fn failed(exit: Exit) -> Exit {
    say(&Report::Failed(exit.number()));
    exit
}

fn say(report: &Report) -> Exit {
    output::result(&report.line());
    Exit::Ok
}
