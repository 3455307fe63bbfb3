//! What is called with: the request, and how its answer is known to be right.
//!
//! It sends nothing.

use std::fmt::Write;

/// One kind of request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// A text of this many bytes, echoed as a text.
    Text(usize),
    /// Arguments of this many bytes, echoed as structured content.
    Structured(usize),
    /// A list of this many tools.
    List(usize),
}

impl Payload {
    /// For the table.
    pub fn name(self) -> String {
        match self {
            Self::Text(size) if size < 1_000 => format!("{size} B text"),
            Self::Text(size) => format!("{} KB text", size / 1_000),
            Self::Structured(size) => format!("{} MB structured", size / 1_000_000),
            Self::List(tools) => format!("list of {tools} tools"),
        }
    }

    /// How many tools the server has.
    pub fn tools(self) -> usize {
        if let Self::List(tools) = self { tools } else { 1 }
    }

    /// A request from after its id to its end.
    pub fn request(self, tool: &str) -> String {
        let arguments = match self {
            Self::List(_) => return r#","method":"tools/list","params":{}}"#.to_owned(),
            Self::Text(size) => format!(r#"{{"text":"{}"}}"#, letters(size)),
            Self::Structured(size) => rows(size),
        };
        format!(r#","method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#)
    }

    /// Whether `answer` holds all of what was asked for. Later answers are compared with the first.
    pub fn is_in(self, answer: &str) -> bool {
        match self {
            Self::Text(size) => answer.contains(&letters(size)),
            Self::Structured(_) => {
                let asked: serde_json::Value = self.arguments();
                let seen: Option<serde_json::Value> = serde_json::from_str(answer).ok();
                seen.and_then(|seen| seen.pointer("/result/structuredContent").cloned()) == Some(asked)
            }
            Self::List(tools) => answer.matches("inputSchema").count() == tools,
        }
    }

    fn arguments(self) -> serde_json::Value {
        let text = if let Self::Structured(size) = self { rows(size) } else { String::new() };
        serde_json::from_str(&text).unwrap_or_default()
    }
}

fn letters(size: usize) -> String {
    let mut letter = 7_u32;
    let next = || {
        letter = letter.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (letter >> 24) as u8 % 26)
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// What a query of a database may answer: objects with texts, numbers, and a little nesting.
fn rows(size: usize) -> String {
    let mut text = r#"{"rows":["#.to_owned();
    let mut number = 0;
    while text.len() < size {
        let comma = if number == 0 { "" } else { "," };
        write!(
            text,
            concat!(
                r#"{}{{"id":{},"name":"row number {}","price":{}.25,"active":{},"tags":["red","round"],"#,
                r#""place":{{"city":"Lisbon","at":[38.72,-9.14]}},"note":null}}"#
            ),
            comma,
            number,
            number,
            number % 977,
            number % 3 == 0
        )
        .expect("writing to memory cannot fail");
        number += 1;
    }
    text + "]}"
}
