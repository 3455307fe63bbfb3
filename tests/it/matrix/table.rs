//! The table: what each feature does in each of the four pairs of eras. The README shows it.
//!
//! How it is tried stands in the files beside it.

use crate::matrix::calls;
use crate::matrix::cell::Cell;
use crate::matrix::changes;
use crate::matrix::flow;
use crate::matrix::questions;
use crate::matrix::tasks as of_tasks;
use crate::support::bed::Bed;
use crate::support::bed::Peer;
use crate::support::driver::Era;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;

/// What a client of one era can expect of a server of an era.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As if there were no gateway.
    Works,
    /// It is not announced and refused when tried, for this reason.
    NotOffered(&'static str),
}

use Outcome::NotOffered;
use Outcome::Works;

/// The pairs of eras, client first, in the order of the cells of a row.
pub const PAIRS: [(Era, Era); 4] = [
    (Era::Legacy, Era::Legacy),
    (Era::Modern, Era::Modern),
    (Era::Legacy, Era::Modern),
    (Era::Modern, Era::Legacy),
];

/// One feature.
pub struct Row {
    /// As the README names it.
    pub feature: &'static str,
    /// In the order of [`PAIRS`].
    pub cells: [Outcome; 4],
    /// More arguments of a server.
    pub server: fn(&TempConf, &Peer) -> Vec<String>,
    /// Tries it where it works.
    pub works: fn(&Cell<'_>),
    /// Tries it where it is not offered.
    pub refused: fn(&Cell<'_>),
}

impl Row {
    fn new(feature: &'static str, cells: [Outcome; 4], works: fn(&Cell<'_>)) -> Self {
        Self {
            feature,
            cells,
            server: |_, _| Vec::new(),
            works,
            refused: |_| panic!("there is nothing to refuse"),
        }
    }

    /// With lists that a test writes.
    fn scripted(mut self) -> Self {
        self.server = |conf, peer| {
            Bed::play(conf, peer, &json!({}));
            vec!["--script".into(), Bed::script(conf, peer).display().to_string()]
        };
        self
    }

    /// The cell of a pair.
    pub fn outcome(&self, client: Era, server: Era) -> Outcome {
        let at = PAIRS.iter().position(|pair| *pair == (client, server)).expect("every pair is there");
        self.cells[at]
    }

    /// What the client says it can do.
    pub fn capabilities(&self) -> Value {
        json!({
            "elicitation": { "form": {}, "url": {} },
            "sampling": { "tools": {} },
            "roots": { "listChanged": true },
            "extensions": { "io.modelcontextprotocol/tasks": {} },
        })
    }
}

/// All rows, in the order of the README.
pub fn rows() -> Vec<Row> {
    vec![
        call(),
        structured_content(),
        unknown_fields(),
        progress(),
        cancel(),
        elicitation_form(),
        elicitation_url(),
        sampling(),
        roots(),
        subscribe(),
        list_changed(),
        log(),
        completion(),
        tasks(),
    ]
}

const EVERYWHERE: [Outcome; 4] = [Works; 4];

pub fn call() -> Row {
    Row::new("calls of tools, prompts, resources, and their lists", EVERYWHERE, calls::call)
}

pub fn structured_content() -> Row {
    Row::new("structured content", EVERYWHERE, calls::structured_content)
}

pub fn unknown_fields() -> Row {
    Row::new("fields and content types nobody knows", EVERYWHERE, calls::unknown_fields)
}

pub fn progress() -> Row {
    Row::new("progress", EVERYWHERE, flow::progress)
}

pub fn cancel() -> Row {
    Row::new("cancellation", EVERYWHERE, flow::cancel)
}

pub fn elicitation_form() -> Row {
    Row::new("elicitation with a form", EVERYWHERE, questions::form)
}

pub fn elicitation_url() -> Row {
    Row::new("elicitation with a URL", EVERYWHERE, questions::url)
}

pub fn sampling() -> Row {
    Row::new("sampling, with tools", EVERYWHERE, questions::sampling)
}

pub fn roots() -> Row {
    Row::new("roots of the client", [Works; 4], questions::roots)
}

pub fn subscribe() -> Row {
    Row::new("subscriptions to resources", EVERYWHERE, changes::subscribe)
}

pub fn list_changed() -> Row {
    Row::new("changed lists", EVERYWHERE, changes::list_changed).scripted()
}

pub fn log() -> Row {
    Row::new("log messages", EVERYWHERE, flow::log)
}

pub fn completion() -> Row {
    Row::new("completion", EVERYWHERE, calls::completion)
}

pub fn tasks() -> Row {
    let none = NotOffered("the two kinds of tasks have nothing in common");
    let mut row = Row::new("tasks", [Works, Works, none, none], of_tasks::works);
    row.server = |_, _| vec!["--tasks".into()];
    row.refused = of_tasks::refused;
    row
}
