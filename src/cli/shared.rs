//! `serve` for one client on stdin and stdout, through the gateway that the clients of this user share.
//!
//! It reads no configuration and needs no runtime: it must stay small, because there is one for each client.

mod ending;

use crate::cli::arguments::Global;
use crate::cli::arguments::Serve;
use crate::cli::exit::Exit;
use crate::cli::meet;
use crate::cli::meet::Meet;
use crate::cli::output;
use crate::cli::serve::hint;
use crate::cli::shared::ending::Ending;
use crate::cli::shared::ending::Obeying;
use crate::config::environment::Environment;
use crate::share::attach::Door;
use crate::share::attach::Found;
use crate::share::attach::NoWay;
use crate::share::hello::Attach;
#[cfg(unix)]
use crate::share::patient::Patient;
use crate::share::pipe::Ended;
use crate::share::pipe::Line;
use crate::share::pipe::Pipe;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;
use tokio::time::Instant;

/// How long another gateway is looked for before what the client said is refused.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What became of the client of this process.
pub enum Served {
    /// It was served, or cannot be.
    Done(Exit),
    /// It is to be served alone, by a process that hears signals since [`run`].
    Alone(Option<Hearing>),
}

/// Signals are heard, and kept for whoever serves the client.
pub struct Hearing {
    #[expect(dead_code, reason = "held until another hears signals")]
    obeying: Obeying,
    pipe: Pipe,
}

impl Hearing {
    /// True when one asked for an end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.pipe.is_ended()
    }
}

/// Serves the client of this process.
#[must_use]
pub fn run(global: &Global, serve: &Serve) -> Served {
    if serve.standalone || serve.http.is_some() {
        return Served::Alone(None);
    }
    let ending = Ending::begin();
    let Meet { file, place, environment } = match Meet::at(global) {
        Ok(meet) => meet,
        Err(exit) => return Served::Done(exit),
    };
    let place = match place {
        Ok(place) => place,
        Err(error) => return alone(serve, &error.to_string(), None),
    };
    let door = meet::door(&place, &file, &environment, global, !serve.attach_only);
    let pipe = Pipe::default();
    let obeying = ending.obey(pipe.clone(), door.clone());
    let found = match door.attach(me(&environment, serve), &|| pipe.is_ended()) {
        Ok(found) => found,
        // Nobody is to be served any more, with a gateway or without.
        Err(NoWay::Left) => return Served::Done(Exit::Ok),
        Err(_) if pipe.is_ended() => return Served::Done(Exit::Ok),
        Err(NoWay::Alone(why)) => return alone(serve, &why, Some(Hearing { obeying, pipe })),
        Err(NoWay::Failed { code, notes }) => {
            notes.iter().for_each(|note| output::note(note));
            return Served::Done(Exit::of(code));
        }
        Err(NoWay::NoneRuns) => {
            let text =
                format!("no gateway runs for {}\nhint: without --attach-only one is started", file.display());
            return Served::Done(output::fail(Exit::Unreachable, &text));
        }
        Err(error @ NoWay::Broken(_)) => {
            return alone(serve, &error.to_string(), Some(Hearing { obeying, pipe }));
        }
    };
    hint();
    tell(global, &found);
    pipe.may_take(found.drain);
    let mut search = Search { door: &door, global, in_vain: false };
    let mut find = |attach: Attach, next: Option<PathBuf>| search.next(&attach, next);
    let (input, mut output) = streams();
    let ended = pipe.run(found.line, input, &mut output, || me(&environment, serve), &mut find);
    drop(obeying);
    Served::Done(match ended {
        Ended::Done => Exit::Ok,
        Ended::Cut => {
            output::note("this client was cut off: it did not read what it was sent");
            Exit::Ok
        }
        Ended::NoGateway(why) => output::fail(Exit::Unreachable, &format!("the gateway is gone: {why}")),
    })
}

/// Stdin and stdout.
#[cfg(unix)]
fn streams() -> (impl Read + Send + 'static, impl Write) {
    (Patient(std::io::stdin()), Patient(std::io::stdout()))
}

/// Stdin and stdout.
#[cfg(windows)]
fn streams() -> (impl Read + Send + 'static, impl Write) {
    (std::io::stdin(), std::io::stdout())
}

fn me(environment: &Environment, serve: &Serve) -> Attach {
    let vars = environment.vars().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let (folder, caller) = (environment.current_folder().to_owned(), serve.caller.clone());
    Attach { folder, vars, turn: 0, again: Vec::new(), caller }
}

/// The search for the next gateway.
struct Search<'a> {
    door: &'a Door,
    global: &'a Global,
    /// The last one was in vain.
    in_vain: bool,
}

impl Search<'_> {
    /// What fails may succeed in a moment: the file is being edited, the program replaced. Who was told already that there
    /// is none is told so again at once.
    fn next(&mut self, attach: &Attach, next: Option<PathBuf>) -> Result<Line, String> {
        let until = Instant::now() + if self.in_vain { Duration::ZERO } else { PATIENCE };
        let mut pause = FIRST_PAUSE;
        let found = loop {
            match self.try_once(attach, next.clone()) {
                Err(NoWay::Failed { .. } | NoWay::Broken(_)) if Instant::now() + pause < until => {
                    sleep(pause);
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
                found => break found,
            }
        };
        self.in_vain = found.is_err();
        let found = found.map_err(|error| error.to_string())?;
        tell(self.global, &found);
        Ok(found.line)
    }

    fn try_once(&self, attach: &Attach, next: Option<PathBuf>) -> Result<Found, NoWay> {
        // What the client has said is brought to an end whoever leaves.
        let stays = || false;
        // The folder may have been removed.
        let place = Meet::at(self.global).map(|meet| meet.place);
        if let Ok(Err(error)) = place {
            return Err(NoWay::Broken(error.to_string()));
        }
        let mut door = self.door.clone();
        if let (Some(launch), Some(next)) = (&mut door.launch, next) {
            launch.spare = Some(std::mem::replace(&mut launch.binary, next));
        }
        match door.attach(attach.clone(), &stays) {
            Err(NoWay::Alone(why)) if door.launch.is_some() => {
                output::note(&format!("not shared with other clients any more: {why}"));
                meet::own_door(&door).attach(attach.clone(), &stays)
            }
            found => found,
        }
    }
}

fn alone(serve: &Serve, why: &str, hearing: Option<Hearing>) -> Served {
    if serve.attach_only {
        return Served::Done(output::fail(Exit::Unreachable, why));
    }
    // A caller that is not there is told by whoever serves it then.
    if serve.caller.is_none() || !why.contains("`gateway.callers` has no") {
        output::note(&format!("not shared with other clients: {why}"));
    }
    Served::Alone(hearing)
}

/// Lines for the person who looks into the log of the client.
fn tell(global: &Global, found: &Found) {
    found.notes.iter().for_each(|note| output::note(note));
    if matches!(global.log_level.as_str(), "error" | "warn" | "off") {
        return;
    }
    let log = found.log.as_ref().map(|log| format!("; its log: {}", log.display())).unwrap_or_default();
    output::note(&format!(
        "attached to the shared gateway, pid {}, version {}{log}",
        found.pid, found.version
    ));
    if is_older(&found.version, env!("CARGO_PKG_VERSION")) {
        output::note(&format!(
            "this is version {}; `mcp-manifold restart --when-idle` has it take over",
            env!("CARGO_PKG_VERSION")
        ));
    }
}

/// Compares versions by their numbers; what follows them does not count.
fn is_older(one: &str, other: &str) -> bool {
    let numbers = |version: &str| -> Vec<u64> {
        let plain = version.split(['-', '+']).next().unwrap_or_default();
        plain.split('.').map(|number| number.parse().unwrap_or_default()).collect()
    };
    numbers(one) < numbers(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(is_older("0.9.1", "0.10.0") && is_older("1.2", "1.2.1"));
        assert!(
            !is_older("1.0.0", "1.0.0") && !is_older("0.10.0", "0.9.9") && !is_older("1.0.1-rc.1", "1.0.1")
        );
    }
}
