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
use crate::config::environment::Environment;
use crate::share::attach::Found;
use crate::share::attach::NoWay;
use crate::share::hello::Attach;
#[cfg(unix)]
use crate::share::patient::Patient;
use crate::share::pipe::Ended;
use crate::share::pipe::Pipe;
use std::io::Read;
use std::io::Write;

/// Serves the client of this process; `None` when it is to be served alone.
#[must_use]
pub fn run(global: &Global, serve: &Serve) -> Option<Exit> {
    if serve.standalone || serve.http.is_some() {
        return None;
    }
    let ending = Ending::begin();
    let Meet { file, place, environment } = match Meet::at(global) {
        Ok(meet) => meet,
        Err(exit) => return Some(exit),
    };
    let place = match place {
        Ok(place) => place,
        Err(error) => return alone(serve, &error.to_string()),
    };
    let door = meet::door(&place, &file, &environment, global, !serve.attach_only);
    let pipe = Pipe::default();
    let obeying = ending.obey(pipe.clone(), door.clone());
    let found = match door.attach(me(&environment, serve), &|| pipe.is_ended()) {
        Ok(found) => found,
        // Nobody is to be served any more, with a gateway or without.
        Err(NoWay::Left) => return Some(Exit::Ok),
        Err(_) if pipe.is_ended() => return Some(Exit::Ok),
        Err(NoWay::Alone(why)) => return alone(serve, &why),
        Err(NoWay::Failed { code, notes }) => {
            notes.iter().for_each(|note| output::note(note));
            return Some(Exit::of(code));
        }
        Err(NoWay::NoneRuns) => {
            let text =
                format!("no gateway runs for {}\nhint: without --attach-only one is started", file.display());
            return Some(output::fail(Exit::Unreachable, &text));
        }
        Err(error @ NoWay::Broken(_)) => return alone(serve, &error.to_string()),
    };
    hint();
    tell(global, &found);
    let mut find = |attach: Attach| {
        // What the client has said is brought to an end whoever leaves.
        let stays = || false;
        let found = match door.attach(Attach::clone(&attach), &stays) {
            Err(NoWay::Alone(why)) if door.launch.is_some() => {
                output::note(&format!("not shared with other clients any more: {why}"));
                meet::own_door(&door).attach(attach, &stays)
            }
            found => found,
        };
        let found = found.map_err(|error| error.to_string())?;
        tell(global, &found);
        Ok(found.line)
    };
    let (input, mut output) = streams();
    let ended = pipe.run(found.line, input, &mut output, || me(&environment, serve), &mut find);
    drop(obeying);
    match ended {
        Ended::Done => Some(Exit::Ok),
        Ended::Cut => {
            output::note("this client was cut off: it did not read what it was sent");
            Some(Exit::Ok)
        }
        Ended::NoGateway(why) => {
            Some(output::fail(Exit::Unreachable, &format!("the gateway is gone: {why}")))
        }
    }
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

/// `None`: serve it alone.
fn alone(serve: &Serve, why: &str) -> Option<Exit> {
    if serve.attach_only {
        return Some(output::fail(Exit::Unreachable, why));
    }
    output::note(&format!("not shared with other clients: {why}"));
    None
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
    if found.version != env!("CARGO_PKG_VERSION") {
        output::note(&format!(
            "this is version {}; `mcp-manifold restart --when-idle` has it take over",
            env!("CARGO_PKG_VERSION")
        ));
    }
}
