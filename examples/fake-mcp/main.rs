//! A scripted MCP server for tests: it speaks raw JSON of either era over stdio or HTTP, and misbehaves as told by its
//! arguments and by the names of the tools called.
//!
//! It uses neither this project's code nor an MCP library, so that it cannot share their mistakes.

mod definitions;
mod floods;
mod http;
mod lists;
mod load;
mod message;
mod old_sse;
mod options;
mod roots;
mod script;
mod server;
mod stdio;
mod tasks;
mod tools;
mod ws;

use crate::options::Options;
use crate::server::Server;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

/// Among the arguments of a process that was started over again with SIGTERM ignored.
const TERM_IGNORED: &str = "--term-is-ignored";

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let term_is_ignored = args.iter().any(|arg| arg == TERM_IGNORED);
    args.retain(|arg| arg != TERM_IGNORED);
    let options = Options::read(args.iter().cloned());
    if options.ignore_term && !term_is_ignored {
        panic!("start over: {}", deaf_to_term(&args).exec());
    }
    if options.sleep_forever {
        sleep_forever();
    }
    let server = Arc::new(Server::new(options));
    server.note("spawn", "");
    begin(&server);
    let options = &server.options;
    match (&options.http, &options.old_sse, &options.ws) {
        (Some(address), _, _) => http::serve(&server, address),
        (_, Some(address), _) => old_sse::serve(&server, address),
        (_, _, Some(address)) => ws::serve(&server, address),
        _ => stdio::serve(&server),
    }
}

/// This program with other arguments, started by a shell that ignores SIGTERM: an ignored signal stays ignored.
fn deaf_to_term(args: &[String]) -> Command {
    let mut command = Command::new("/bin/sh");
    let me = std::env::current_exe().expect("a running program has a path");
    command.args(["-c", "trap '' TERM; exec \"$0\" \"$@\""]).arg(me).args(args).arg(TERM_IGNORED);
    command
}

/// The faults that come before the first message.
fn begin(server: &Arc<Server>) {
    let options = &server.options;
    if options.grandchild {
        start_grandchild();
    }
    if options.stderr_flood > 0 {
        let line = [b'e'; 1023].iter().chain(b"\n").copied().collect::<Vec<u8>>();
        for _ in 0..options.stderr_flood.div_ceil(1024) {
            let _ = std::io::stderr().write_all(&line);
        }
    }
    if let Some(code) = options.exit_at_start {
        complain(&format!("{}: cannot start: the licence is missing", options.name));
        leave(code);
    }
    if options.banner {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(b"Welcome to the fake server \x1b[32mready\x1b[0m\r\n{\"level\":\"info\",\"msg\":\"started\"}\n\n");
        let _ = out.flush();
    }
    std::thread::sleep(Duration::from_millis(options.slow_start));
    if options.noise {
        floods::make_noise();
    }
    if options.note_term {
        note_term(server);
    }
    if options.no_read_stdin {
        sleep_forever();
    }
}

/// Notes every SIGTERM in the ledger, and lives on.
fn note_term(server: &Arc<Server>) {
    let server = Arc::clone(server);
    let (ready, is_ready) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(async {
            let kind = tokio::signal::unix::SignalKind::terminate();
            let mut signals = tokio::signal::unix::signal(kind).expect("a signal can be noted");
            let _ = ready.send(());
            while signals.recv().await.is_some() {
                server.note("term", "");
            }
        });
    });
    let _ = is_ready.recv();
}

#[expect(clippy::zombie_processes, reason = "it is to outlive us")]
fn start_grandchild() {
    let mut command = deaf_to_term(&["--sleep-forever".to_owned()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the grandchild starts");
}

fn sleep_forever() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// A line on stderr.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[expect(clippy::disallowed_methods, reason = "dying at once is what is tested")]
fn leave(code: i32) -> ! {
    std::process::exit(code)
}
