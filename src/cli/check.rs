//! `check`: everything that is wrong in the file, without starting anything.

use crate::cli::arguments::Check;
use crate::cli::arguments::Global;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::startup;
use crate::cli::surroundings;
use crate::config;
use crate::config::LoadError;
use crate::config::Loaded;
use crate::config::problem::Problem;
use crate::config::problem::Severity;
use crate::config::problem::summary;
use serde_json::json;
use std::path::Path;

/// Checks the file.
#[must_use]
pub fn run(global: &Global, check: &Check) -> Exit {
    let environment = surroundings::environment();
    let path = match startup::find(global, &environment) {
        Ok(path) => path,
        Err(exit) => return exit,
    };
    let loaded = config::load(&path, &environment);
    let problems = match &loaded {
        Ok(loaded) => &loaded.problems,
        Err(error) => error.problems(),
    };
    let is_bad = loaded.is_err() || problems.iter().any(|problem| problem.severity == Severity::Error);
    if check.json {
        print_json(&path, &loaded, problems, !is_bad);
    } else {
        print_text(&path, &loaded, problems, check.verbose);
    }
    if is_bad { Exit::Configuration } else { Exit::Ok }
}

fn print_text(path: &Path, loaded: &Result<Loaded, LoadError>, problems: &[Problem], verbose: bool) {
    let least = if verbose { Severity::Note } else { Severity::Warning };
    problems
        .iter()
        .filter(|problem| problem.severity >= least)
        .for_each(|problem| output::note(&problem.to_string()));
    match loaded {
        Err(error) => output::note(&format!("error: {error}")),
        Ok(loaded) => {
            let (used, left_out) = (loaded.config.servers.len(), loaded.config.left_out.len());
            let servers = if used == 1 { "server" } else { "servers" };
            let shown: Vec<Problem> =
                problems.iter().filter(|problem| problem.severity >= least).cloned().collect();
            let text =
                format!("{}: {used} {servers} in use, {left_out} not; {}", path.display(), summary(&shown));
            output::result(&text);
        }
    }
}

fn print_json(path: &Path, loaded: &Result<Loaded, LoadError>, problems: &[Problem], valid: bool) {
    let config = loaded.as_ref().ok().map(|loaded| &loaded.config);
    let servers: Vec<&str> =
        config.iter().flat_map(|config| config.servers.keys().map(|name| name.as_str())).collect();
    let left_out = config.map(|config| config.left_out.as_slice()).unwrap_or_default();
    let left_out: Vec<_> =
        left_out.iter().map(|out| json!({"name": out.name, "reason": out.reason})).collect();
    let error = loaded.as_ref().err().map(ToString::to_string);
    let document = json!({
        "schemaVersion": 1,
        "file": path.display().to_string(),
        "valid": valid,
        "error": error,
        "servers": servers,
        "leftOut": left_out,
        "problems": problems,
    });
    output::result(&format!("{document:#}"));
}
