//! `check`: everything that is wrong in the file, without starting anything; with `--deep` what servers say too.
//!
//! It changes nothing.

pub mod deep;

use crate::cli::arguments::Check;
use crate::cli::arguments::Global;
use crate::cli::check::deep::Found;
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
pub async fn run(global: &Global, check: &Check) -> Exit {
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
    if check.deep
        && let Err(exit) = startup::start_log(global, Some("error"))
    {
        return exit;
    }
    let found = match &loaded {
        Ok(loaded) if check.deep => Some(deep::look(global, &environment, loaded.config.clone()).await),
        _ => None,
    };
    if check.json {
        print_json(&path, &loaded, problems, !is_bad, found.as_ref());
    } else {
        print_text(&path, &loaded, problems, check.verbose);
        found.iter().flat_map(Found::lines).for_each(|line| output::result(&line));
    }
    match found {
        _ if is_bad => Exit::Configuration,
        Some(found) if !found.unreachable.is_empty() => Exit::Unreachable,
        _ => Exit::Ok,
    }
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

fn print_json(
    path: &Path,
    loaded: &Result<Loaded, LoadError>,
    problems: &[Problem],
    valid: bool,
    found: Option<&Found>,
) {
    let config = loaded.as_ref().ok().map(|loaded| &loaded.config);
    let servers: Vec<&str> =
        config.iter().flat_map(|config| config.servers.keys().map(|name| name.as_str())).collect();
    let left_out = config.map(|config| config.left_out.as_slice()).unwrap_or_default();
    let left_out: Vec<_> =
        left_out.iter().map(|out| json!({"name": out.name, "reason": out.reason})).collect();
    let error = loaded.as_ref().err().map(ToString::to_string);
    let mut document = json!({
        "schemaVersion": 1,
        "file": path.display().to_string(),
        "valid": valid,
        "error": error,
        "servers": servers,
        "leftOut": left_out,
        "problems": problems,
    });
    if let Some(found) = found {
        document["deep"] = found.json();
    }
    output::json(&format!("{document:#}"));
}
