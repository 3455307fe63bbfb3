//! The official conformance suite against `examples/conformance_server`, directly and through the gateway: the gateway
//! keeps the score of the server behind it. And the suite's servers behind the gateway of `examples/conformance_client`:
//! they score how it behaves towards servers. `.ci/run conformance` runs it; by hand:
//!
//! ```text
//! tests/conformance/install target/conformance
//! cargo build --example conformance_server --example conformance_client
//! MCP_MANIFOLD_CONFORMANCE=$PWD/target/conformance cargo test --test conformance -- --ignored --nocapture
//! ```
//!
//! `MCP_MANIFOLD_CONFORMANCE_CELLS=http,direct` runs only the cells whose names contain one of these words;
//! `UPDATE_FIXTURES=1` writes `baseline.json` anew. What the suite saw stays in `results` of the folder.
//!
//! It installs nothing itself, and judges nothing itself: what passes is what the suite says.

mod support;

mod baseline;
mod cell;
mod suite;

use crate::baseline::Baseline;
use crate::cell::Cell;
use crate::suite::Suite;

#[test]
#[ignore = "needs the suite from npm: run by .ci/run"]
fn the_score_is_that_of_the_server() {
    let suite = Suite::installed();
    let mut baseline = Baseline::read();
    let mut table = Vec::new();
    let mut differences = Vec::new();
    for cell in Cell::wanted() {
        let running = cell.start();
        let report = suite.run(&cell, &running.url());
        running.save_log(&suite.results(&cell));
        table.push(report.line());
        differences.extend(baseline.compare(&report));
        baseline.replace(&report);
    }
    for (name, revision) in cell::wanted_clients() {
        let report = suite.run_client(name, revision, &cell::client());
        table.push(report.line());
        differences.extend(baseline.compare(&report));
        baseline.replace(&report);
    }
    say(&format!("\n{}\n{}\n", suite::HEAD, table.join("\n")));
    if !baseline.wrote_if_asked() {
        assert!(differences.is_empty(), "not what baseline.json says:\n{}", differences.join("\n"));
    }
}

#[expect(clippy::print_stdout, reason = "the table of scores is what this is run for")]
fn say(text: &str) {
    println!("{text}");
}
