//! `schema`: the JSON Schema of the file.

use crate::cli::exit::Exit;
use crate::cli::output;
use crate::config::file::schema_json;

/// Prints it.
#[must_use]
pub fn run() -> Exit {
    output::result(schema_json().trim_end());
    Exit::Ok
}
