//! `stop` and `restart`: the end of the gateway that the stdio clients of a file share.
//!
//! They end no client: its pipe waits for it to need a gateway, or finds the next one.

use crate::cli::arguments::Global;
use crate::cli::arguments::Restart;
use crate::cli::exit::Exit;
use crate::cli::meet;
use crate::cli::meet::Meet;
use crate::cli::output;
use crate::cli::startup;
use crate::cli::surroundings;
use crate::share::attach::NoWay;
use crate::share::hello::Wish;

/// Ends the gateway of the file.
#[must_use]
pub fn stop(global: &Global) -> Exit {
    wish(global, &Wish::Stop, "is stopping; it starts again when a client needs it")
}

/// Has another process take its place.
#[must_use]
pub fn restart(global: &Global, restart: &Restart) -> Exit {
    // The next one would not start: the clients keep this one instead.
    if let Err(exit) = startup::try_file(global) {
        return exit;
    }
    let wish = Wish::Restart { when_idle: restart.when_idle, binary: surroundings::own_binary() };
    self::wish(global, &wish, concat!("hands over to version ", env!("CARGO_PKG_VERSION")))
}

fn wish(global: &Global, wish: &Wish, done: &str) -> Exit {
    let Meet { file, place, environment } = match Meet::at(global) {
        Ok(meet) => meet,
        Err(exit) => return exit,
    };
    let place = match place {
        Ok(place) => place,
        Err(error) => return output::fail(Exit::Unreachable, &error.to_string()),
    };
    match meet::door(&place, &file, &environment, global, false).ask(wish) {
        Ok(pid) => {
            output::result(&format!("the gateway of {} (pid {pid}) {done}", file.display()));
            Exit::Ok
        }
        Err(NoWay::NoneRuns) => {
            let text = format!("no shared gateway runs for {}", file.display());
            output::fail(Exit::Unreachable, &text)
        }
        Err(error) => output::fail(Exit::Unreachable, &error.to_string()),
    }
}
