//! What the commands that need a gateway have in common: log, file, app.

use crate::app::App;
use crate::app::Options;
use crate::auth::oauth::logins::Logins;
use crate::cli::arguments::Global;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::panic_log;
use crate::cli::surroundings;
use crate::config;
use crate::config::LoadError;
use crate::config::environment::Environment;
use crate::config::locate::locate;
use crate::config::problem::Problem;
use crate::config::problem::Severity;
use crate::downstream::connector::Connector;
#[cfg(unix)]
use crate::downstream::process::adopted::keep_reaping;
use crate::downstream::process::ledger::Ledger;
use crate::downstream::process::reaper::Reaper;
use crate::downstream::process::reaper::end_left_behind;
use crate::telemetry::log;
use crate::telemetry::log::Format;
use crate::telemetry::log::LogSettings;
use crate::telemetry::log::Target;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

/// The folder in the cache where gateways write down what they started.
const LEDGERS: &str = "children";

/// Starts the log. `quiet` is the level when the user gave none: commands for people log less than `serve`.
///
/// # Errors
/// The exit after the reason was shown.
pub fn start_log(global: &Global, quiet: Option<&str>) -> Result<(), Exit> {
    let level = match quiet {
        Some(level) if global.log_level == "info" => level.to_owned(),
        _ => global.log_level.clone(),
    };
    let target = global.log_file.clone().map_or(Target::Stderr, Target::File);
    let format = if global.log_json { Format::Json } else { Format::Text };
    let color = std::io::stderr().is_terminal();
    log::start(&LogSettings { level, format, target, color })
        .map_err(|error| output::fail(Exit::Usage, &error.to_string()))?;
    panic_log::start();
    Ok(())
}

/// Finds the file.
///
/// # Errors
/// The exit after the reason was shown.
pub fn find(global: &Global, environment: &Environment) -> Result<PathBuf, Exit> {
    locate(global.config.as_deref(), environment)
        .map_err(|error| output::fail(Exit::Configuration, &error.to_string()))
}

/// Reads the file and builds the app. Problems are shown.
///
/// # Errors
/// The exit after the reason was shown.
pub async fn app(global: &Global) -> Result<App, Exit> {
    app_in(global, surroundings::environment()).await
}

/// As [`app`], with what the file may be read with.
///
/// # Errors
/// As [`app`].
pub async fn app_in(global: &Global, environment: Environment) -> Result<App, Exit> {
    let path = find(global, &environment)?;
    let options = options(global, &environment);
    let app = App::from_file(&path, environment, options).await.map_err(|error| refused(&error))?;
    show_problems(app.problems());
    Ok(app)
}

/// Shows what is wrong, but for notes.
pub fn show_problems(problems: &[Problem]) {
    for problem in problems.iter().filter(|problem| problem.severity > Severity::Note) {
        output::note(&problem.to_string());
    }
}

/// What an app may use: where lists are kept, and how servers are started so that none is left behind.
#[must_use]
pub fn options(global: &Global, environment: &Environment) -> Options {
    let cache = match (global.no_cache, &global.cache_dir) {
        (true, _) => None,
        (false, Some(folder)) => Some(folder.clone()),
        (false, None) => surroundings::cache_folder(),
    };
    let ledgers = cache.as_ref().map(|folder| folder.join(LEDGERS));
    let ledger = ledgers.as_deref().and_then(Ledger::of_this_process);
    if let Some(folder) = ledgers.filter(|folder| folder.is_dir()) {
        // Beside the start, which need not wait for it.
        std::thread::spawn(move || end_left_behind(&folder));
    }
    let reaper = environment.own_binary_path().map(|binary| Reaper::new(binary.to_owned(), ledger));
    #[cfg(unix)]
    if let Some(reaper) = reaper.clone() {
        keep_reaping(move |process| reaper.knows(process));
    }
    let mut connector = reaper.map_or_else(Connector::default, Connector::with_reaper);
    let file = locate(global.config.as_deref(), environment);
    if let (Some(folder), Ok(file)) = (state_folder(global), file) {
        connector = connector.with_logins(Logins::new(&folder, &environment.current_folder().join(file)));
    }
    Options { cache, connector: Arc::new(connector) }
}

/// Looks whether a gateway could be started with the file.
///
/// # Errors
/// The exit after the reason was shown.
pub fn try_file(global: &Global) -> Result<(), Exit> {
    let environment = surroundings::environment();
    let path = find(global, &environment)?;
    config::load(&path, &environment).map(|_| ()).map_err(|error| refused(&error))
}

/// Where logins are kept.
#[must_use]
pub fn state_folder(global: &Global) -> Option<PathBuf> {
    global.state_dir.clone().or_else(surroundings::state_folder)
}

/// Shows why the file cannot be used.
#[must_use]
pub fn refused(error: &LoadError) -> Exit {
    show_problems(error.problems());
    output::fail(Exit::Configuration, &error.to_string())
}
