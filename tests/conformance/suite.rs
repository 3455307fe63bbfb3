//! Runs the suite against one address, and reads what it wrote about each scenario.
//!
//! It expects nothing; see `baseline.rs`.

use crate::cell::Cell;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

/// The line above the table.
pub const HEAD: &str = "cell                    scored   checks    unscored  checks    warnings";

/// The folder of the scenarios in which a client logs in; it is part of their names.
const LOGINS: &str = "auth";

/// Run of clients and reported, but not scored.
const UNSCORED_OF_CLIENTS: [&str; 1] = ["json-schema-2020-12-preservation"];

/// The scenarios that do not pass cleanly: for each, the checks and what the suite says of them.
pub type Flaws = BTreeMap<String, BTreeMap<String, String>>;

/// The installed suite.
pub struct Suite {
    folder: PathBuf,
}

impl Suite {
    /// Where `install` put it.
    #[expect(clippy::disallowed_methods, reason = "only who installed it knows where it is")]
    pub fn installed() -> Self {
        let folder = PathBuf::from(std::env::var("MCP_MANIFOLD_CONFORMANCE").unwrap_or_default());
        assert!(
            folder.join("installed").exists(),
            "set MCP_MANIFOLD_CONFORMANCE to the folder given to tests/conformance/install"
        );
        Self { folder }
    }

    /// Where the results of a cell are kept until the next run.
    pub fn results(&self, cell: &Cell) -> PathBuf {
        self.folder.join("results").join(cell.name())
    }

    /// Runs everything that the revision of the cell requires.
    pub fn run(&self, cell: &Cell, url: &str) -> Report {
        let results = self.results(cell);
        let _ = std::fs::remove_dir_all(&results);
        std::fs::create_dir_all(&results).expect("the folder of results can be made");
        let log = || File::create(results.join("suite.log")).expect("the folder of results is writable");
        let mut command = self.node();
        command.args(["server", "--url", url]);
        command.args(["--requirements", cell.revision()]).arg("-o").arg(&results);
        let status = command.stdin(Stdio::null()).stdout(log()).stderr(Stdio::null()).status();
        assert!(status.expect("the suite starts").code().is_some(), "the suite was killed");
        let required = self.scored(cell.revision(), "server");
        assert!(required.len() >= 30, "not the requirements of servers: {required:?}");
        Report::read(cell.name(), &results, &required, "server-")
    }

    /// Runs everything that the revision requires of clients, with `client` as the client.
    pub fn run_client(&self, cell: &str, revision: &str, client: &Path) -> Report {
        let results = self.folder.join("results").join(cell);
        let _ = std::fs::remove_dir_all(&results);
        std::fs::create_dir_all(results.join(LOGINS)).expect("the folder of results can be made");
        let required = self.scored(revision, "client");
        assert!(required.len() >= 18, "not the requirements of clients: {required:?}");
        for scenario in required.iter().map(String::as_str).chain(UNSCORED_OF_CLIENTS) {
            let log = File::create(results.join(format!("{scenario}.log"))).expect("the folder is writable");
            let mut command = self.node();
            command.arg("client").arg("--command").arg(client).args(["--scenario", scenario]);
            command.args(["--spec-version", revision]).arg("-o").arg(&results);
            let status = command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null()).status();
            assert!(status.expect("the suite starts").code().is_some(), "the suite was killed");
        }
        Report::read(cell.to_owned(), &results, &required, "")
    }

    fn node(&self) -> Command {
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        let mut command = Command::new(self.modules().join(format!("node-linux-{arch}/bin/node")));
        command.arg(self.package().join("dist/index.js"));
        command
    }

    /// The scenarios that a revision scores, of one side.
    fn scored(&self, revision: &str, side: &str) -> Vec<String> {
        scored(&self.package().join(format!("requirements/{revision}.yaml")), side)
    }

    fn modules(&self) -> PathBuf {
        self.folder.join("node/node_modules")
    }

    fn package(&self) -> PathBuf {
        self.modules().join("@modelcontextprotocol/conformance")
    }
}

/// The names in the list of one side, `server` or `client`, of a file of requirements.
fn scored(file: &Path, side: &str) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("the suite has the requirements");
    let list = text.lines().skip_while(|line| line.strip_suffix(':') != Some(side)).skip(1);
    list.map_while(|line| line.strip_prefix("  - ")).map(str::to_owned).collect()
}

/// What came of one cell.
pub struct Report {
    /// The name of the cell.
    pub cell: String,
    /// What did not pass cleanly.
    pub flaws: Flaws,
    scored: Tally,
    unscored: Tally,
    warnings: usize,
}

/// How many passed, of how many.
#[derive(Default)]
struct Tally {
    scenarios: (usize, usize),
    checks: (usize, usize),
}

impl Report {
    fn read(cell: String, results: &Path, required: &[String], prefix: &str) -> Self {
        let (scored, unscored) = Default::default();
        let mut report = Self { cell, flaws: Flaws::new(), scored, unscored, warnings: 0 };
        let mut seen = Vec::new();
        for (name, folder) in folders(results) {
            let Some(scenario) = scenario(&name, prefix) else { continue };
            let checks = std::fs::read_to_string(folder.join("checks.json"));
            let checks = checks.ok().and_then(|text| serde_json::from_str::<Vec<Value>>(&text).ok());
            report.add(scenario, checks.as_deref(), required.iter().any(|name| name == scenario));
            seen.push(scenario.to_owned());
        }
        for missing in required.iter().filter(|scenario| !seen.contains(scenario)) {
            report.add(missing, None, true);
        }
        report
    }

    /// Counts one scenario; without checks it broke off.
    fn add(&mut self, scenario: &str, checks: Option<&[Value]>, scored: bool) {
        let tally = if scored { &mut self.scored } else { &mut self.unscored };
        let mut flaws = BTreeMap::<String, String>::new();
        let mut failed = checks.is_none();
        if failed {
            flaws.insert("(broken off)".to_owned(), "FAILURE: it ended without checks".to_owned());
        }
        for check in checks.unwrap_or_default() {
            let status = check["status"].as_str().unwrap_or("none");
            tally.checks.0 += usize::from(status == "SUCCESS");
            tally.checks.1 += usize::from(matches!(status, "SUCCESS" | "FAILURE"));
            self.warnings += usize::from(status == "WARNING");
            failed |= status == "FAILURE";
            if matches!(status, "FAILURE" | "WARNING") {
                let said = format!("{status}: {}", check["errorMessage"].as_str().unwrap_or("no message"));
                let id = check["id"].as_str().unwrap_or("none").to_owned();
                // One id may stand for several checks; a failure weighs more than a warning.
                let known = flaws.entry(id).or_insert_with(|| said.clone());
                if said < *known {
                    *known = said;
                }
            }
        }
        tally.scenarios.0 += usize::from(!failed);
        tally.scenarios.1 += 1;
        if !flaws.is_empty() {
            self.flaws.insert(scenario.to_owned(), flaws);
        }
    }

    /// Its line in the table.
    pub fn line(&self) -> String {
        let of = |(passed, all): (usize, usize)| format!("{passed}/{all}");
        format!(
            "{:<22} {:>7} {:>8} {:>11} {:>7} {:>11}",
            self.cell,
            of(self.scored.scenarios),
            of(self.scored.checks),
            of(self.unscored.scenarios),
            of(self.unscored.checks),
            self.warnings
        )
    }
}

/// The folders of scenarios, with their names.
fn folders(results: &Path) -> Vec<(String, PathBuf)> {
    let within = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let name = |entry: &DirEntry| entry.file_name().to_string_lossy().into_owned();
    let logins = results.join(LOGINS);
    let logins = within(&logins).map(|entry| (format!("{LOGINS}/{}", name(&entry)), entry.path()));
    let all = within(results).map(|entry| (name(&entry), entry.path())).chain(logins);
    all.filter(|(_, path)| path.is_dir()).collect()
}

/// The scenario in the name of a folder: `server-NAME-2026-11-21T01-33-19-232Z`, for clients without the `server-`.
fn scenario<'a>(folder: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = folder.strip_prefix(prefix)?;
    rest.get(..rest.len().checked_sub("-2026-11-21T01-33-19-232Z".len())?)
}
