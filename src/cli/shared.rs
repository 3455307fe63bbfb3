//! `serve` for one client on stdin and stdout, through the gateway that the clients of this user share.
//!
//! It reads no configuration and needs no runtime: it must stay small, because there is one for each client.

use crate::cli::arguments::Global;
use crate::cli::arguments::Serve;
use crate::cli::exit::Exit;
use crate::cli::meet;
use crate::cli::meet::Meet;
use crate::cli::output;
use crate::cli::serve::hint;
use crate::config::environment::Environment;
use crate::share::attach::Door;
use crate::share::attach::Found;
use crate::share::attach::NoWay;
use crate::share::hello::Attach;
use crate::share::hello::Wish;
use crate::share::patient::Patient;
use crate::share::pipe::Ended;
use crate::share::pipe::Pipe;
use signal_hook::consts::SIGHUP;
use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use std::thread;

/// Serves the client of this process; `None` when it is to be served alone.
#[must_use]
pub fn run(global: &Global, serve: &Serve) -> Option<Exit> {
    if serve.standalone || serve.http.is_some() {
        return None;
    }
    // Heard from here on.
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]);
    let Meet { file, place, environment } = match Meet::at(global) {
        Ok(meet) => meet,
        Err(exit) => return Some(exit),
    };
    let place = match place {
        Ok(place) => place,
        Err(error) => return alone(serve, &error.to_string()),
    };
    let door = meet::door(&place, &file, &environment, global, !serve.attach_only);
    let found = match door.attach(me(&environment, serve)) {
        Ok(found) => found,
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
    let pipe = Pipe::default();
    if let Ok(signals) = signals {
        let (pipe, door) = (pipe.clone(), door.clone());
        thread::spawn(move || obey(signals, &pipe, &door));
    }
    let mut find = |attach: Attach| {
        let found = match door.attach(Attach::clone(&attach)) {
            Err(NoWay::Alone(why)) if door.launch.is_some() => {
                output::note(&format!("not shared with other clients any more: {why}"));
                meet::own_door(&door).attach(attach)
            }
            found => found,
        };
        let found = found.map_err(|error| error.to_string())?;
        tell(global, &found);
        Ok(found.line)
    };
    let (input, output) = (Patient(std::io::stdin()), &mut Patient(std::io::stdout()));
    match pipe.run(found.line, input, output, || me(&environment, serve), &mut find) {
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

/// The first signal to end has the gateway finish what this client began, the second ends at once.
fn obey(mut signals: Signals, pipe: &Pipe, door: &Door) {
    let mut ending = false;
    for signal in signals.forever() {
        match signal {
            SIGHUP => {
                let _ = door.ask(&Wish::Reload);
            }
            _ if ending => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the second signal asks for an end without waiting"
                )]
                std::process::exit(130);
            }
            _ => {
                ending = true;
                pipe.end_input();
            }
        }
    }
}
