//! What is known not to pass, in `baseline.json`: cell → scenario → check → why. Both a flaw that is not there and one
//! that is there and gone are differences.
//!
//! The texts are for people: only the words `FAILURE` and `WARNING` at their beginning are compared.

use crate::suite::Flaws;
use crate::suite::Report;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The file.
pub struct Baseline {
    cells: BTreeMap<String, Flaws>,
}

impl Baseline {
    /// Reads it; a cell that is not in it has no flaws.
    pub fn read() -> Self {
        let text = std::fs::read_to_string(file()).expect("there is a baseline");
        Self { cells: serde_json::from_str(&text).expect("the baseline has its form") }
    }

    /// One line for each flaw that is new or gone.
    pub fn compare(&self, report: &Report) -> Vec<String> {
        let none = Flaws::new();
        let known = listed(self.cells.get(&report.cell).unwrap_or(&none));
        let seen = listed(&report.flaws);
        let line = |what, flaw: &(&str, &str, &str), text: &str| {
            format!("{what}: {} {} {}: {text}", report.cell, flaw.0, flaw.1)
        };
        let new = seen.iter().filter(|(flaw, _)| !known.contains_key(*flaw));
        let gone = known.iter().filter(|(flaw, _)| !seen.contains_key(*flaw));
        let new = new.map(|(flaw, text)| line("new", flaw, text));
        new.chain(gone.map(|(flaw, text)| line("gone, take it out", flaw, text))).collect()
    }

    /// Takes over what was seen; texts of flaws that are known stay.
    pub fn replace(&mut self, report: &Report) {
        let old = self.cells.remove(&report.cell).unwrap_or_default();
        let mut new = report.flaws.clone();
        for (scenario, checks) in &mut new {
            for (check, text) in checks {
                let known = old.get(scenario).and_then(|checks| checks.get(check));
                if let Some(known) = known.filter(|known| status(known) == status(text)) {
                    text.clone_from(known);
                }
            }
        }
        if !new.is_empty() {
            self.cells.insert(report.cell.clone(), new);
        }
    }

    /// Writes the file if that was asked for.
    #[expect(clippy::disallowed_methods, reason = "the same variable as in `tests/it`")]
    pub fn wrote_if_asked(&self) -> bool {
        let asked = std::env::var_os("UPDATE_FIXTURES").is_some();
        if asked {
            let text = serde_json::to_string_pretty(&self.cells).expect("texts can be written");
            std::fs::write(file(), text + "\n").expect("the baseline is writable");
        }
        asked
    }
}

/// Flaws by scenario, check and status.
fn listed(flaws: &Flaws) -> BTreeMap<(&str, &str, &str), &str> {
    let one = |scenario, (check, text)| ((scenario, check, status(text)), text);
    flaws
        .iter()
        .flat_map(|(scenario, checks)| {
            checks.iter().map(move |(check, text)| one(scenario.as_str(), (check.as_str(), text.as_str())))
        })
        .collect()
}

fn status(text: &str) -> &str {
    text.split(':').next().unwrap_or_default()
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/baseline.json")
}
