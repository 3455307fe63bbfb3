//! The only writer to stdout and stderr.
//!
//! Results go to stdout, everything for the eye goes to stderr. While a stdio client is served stdout belongs to the
//! protocol and nothing here writes to it.

use crate::cli::exit::Exit;
use crate::telemetry::clean::clean_block;
use crate::telemetry::clean::seen_json;
use std::io::Write;

/// Writes a result and a line break. A reader that is gone is no error: `| head` is common.
pub fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// Writes a JSON text as a result, with every hidden character as an escape: a program reads the same, and a terminal is
/// told nothing.
pub fn json(text: &str) {
    result(&seen_json(text));
}

/// Writes a line for the eye, without anything a terminal would obey: it may quote what a server said.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", clean_block(text));
}

/// Writes over the current line of a terminal; an empty text clears it.
pub fn over(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "\r\x1b[2K{text}");
    let _ = err.flush();
}

/// Says what went wrong.
#[must_use]
pub fn fail(exit: Exit, text: &str) -> Exit {
    note(&format!("error: {text}"));
    exit
}

/// Says what is wrong with the arguments, or what was asked for with `--help` and `--version`.
#[must_use]
pub fn usage(error: &clap::Error) -> Exit {
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Ok }
}
