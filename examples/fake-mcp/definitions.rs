//! Lists as a test wrote them into a file: read anew each time, so that a test can change what a server offers.
//!
//! It does not check them.

use crate::server::Server;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// The items of the list `member` (`tools`, `prompts`, …), when the file of `--definitions` has it.
pub fn of(server: &Server, member: &str) -> Option<Vec<String>> {
    let raw = read(server, member)?;
    let items: Vec<Box<RawValue>> = serde_json::from_str(raw.get()).expect("a list of definitions");
    Some(items.into_iter().map(|item| item.get().to_owned()).collect())
}

/// The instructions in that file.
pub fn instructions(server: &Server) -> Option<String> {
    let raw = read(server, "instructions")?;
    Some(serde_json::from_str(raw.get()).expect("instructions are a text"))
}

fn read(server: &Server, member: &str) -> Option<Box<RawValue>> {
    let text = std::fs::read_to_string(server.options.definitions.as_ref()?).ok()?;
    let mut all: HashMap<String, Box<RawValue>> = serde_json::from_str(&text).expect("definitions are JSON");
    all.remove(member)
}
