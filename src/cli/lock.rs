//! `lock`: writes down what the servers offer, says what is no longer as it was written down, and approves it.
//!
//! Nothing is approved without `--update`, but for the first time, when there is no lock file. Servers whose entry changed
//! are not even started before that.

use crate::app::App;
use crate::catalog::lists::ServerLists;
use crate::catalog::lock::judge::Change;
use crate::catalog::lock::judge::Difference;
use crate::catalog::lock::judge::approve;
use crate::catalog::lock::judge::judge;
use crate::catalog::lock::words::Detail;
use crate::cli::arguments::Global;
use crate::cli::arguments::Lock;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::progress;
use crate::cli::startup;
use crate::cli::surroundings;
use crate::config;
use crate::config::file_lock;
use crate::config::lockfile;
use crate::config::lockfile::LockFile;
use crate::config::lockfile::LockMode;
use crate::config::model::Config;
use crate::config::model::Server;
use crate::telemetry::clean::clean;
use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::sleep;

/// Longest reason shown, in bytes.
const REASON: usize = 4000;
/// Longest wait for somebody else who writes the lock file, and how often it is tried.
const TURN: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(20);
/// How long servers may take to start and tell what they have: packages may have to be fetched first.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is asked for.
enum Wish {
    /// To be told.
    Compare,
    /// To write down what there is, because nothing is yet.
    First,
    /// To approve everything.
    All,
    /// To approve what this server offers.
    One(String),
}

/// What one server offers now; `None` when it cannot be told.
type Offered = (Arc<Server>, Option<Arc<ServerLists>>, Option<String>);

/// Compares or writes.
pub async fn run(global: &Global, lock: &Lock) -> Exit {
    if let Err(exit) = startup::start_log(global, Some("error")) {
        return exit;
    }
    match compare_or_write(global, lock).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn compare_or_write(global: &Global, lock: &Lock) -> Result<Exit, Exit> {
    let environment = surroundings::environment();
    let path = startup::find(global, &environment)?;
    let full = environment.current_folder().join(&path);
    let place = lockfile::path_for(&full);
    let file = read(&place)?;
    // It is used without its lock file, which may be the very thing that keeps it from being used.
    let loaded = config::load_unlocked(&path, &environment).map_err(|error| startup::refused(&error))?;
    startup::show_problems(&loaded.problems);
    let wish = match (&lock.update, &file) {
        (Some(Some(one)), _) => Wish::One(one.clone()),
        (Some(None), _) => Wish::All,
        (None, None) if !lock.check => Wish::First,
        (None, _) => Wish::Compare,
    };
    let is_used = loaded.config.settings.lock != LockMode::Off;
    let config = narrowed(loaded.config, &wish, file.as_ref())?;
    let mut options = startup::options(global, &environment);
    // What counts is what they offer now.
    options.cache = None;
    let app = App::from_config(config.clone(), options);
    let offered = ask(&app).await;
    app.close().await;
    match wish {
        Wish::Compare => Ok(compare(&place, &config, &offered, file.as_ref())),
        _ => {
            let exit = write(&place, &config, &offered, &wish).await?;
            if !is_used {
                output::note(
                    "hint: it takes effect with `\"gateway\": {\"lock\": \"warn\"}` or `\"enforce\"`",
                );
            }
            Ok(exit)
        }
    }
}

fn read(place: &Path) -> Result<Option<LockFile>, Exit> {
    let unusable = |why: String| {
        let hint = "hint: restore it, or remove it and run `mcp-manifold lock`";
        output::fail(Exit::Configuration, &format!("`{}` cannot be used: {why}\n{hint}", place.display()))
    };
    match fs::read_to_string(place) {
        Ok(text) => LockFile::parse(&text).map(Some).map_err(|error| unusable(error.to_string())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(error.to_string())),
    }
}

/// The configuration with the servers that are to be asked; to compare, only those whose entry was approved.
fn narrowed(mut config: Config, wish: &Wish, file: Option<&LockFile>) -> Result<Config, Exit> {
    config.settings.list_timeout = PATIENCE;
    match wish {
        Wish::Compare => config.pin(LockMode::Enforce, file),
        Wish::First | Wish::All => config.pin(LockMode::Off, None),
        Wish::One(one) => {
            config.pin(LockMode::Off, None);
            config.servers.retain(|name, _| name.as_str() == one.as_str());
            if config.servers.is_empty() {
                let text = format!("there is no server `{}` in use", clean(one, 100));
                return Err(output::fail(Exit::Usage, &text));
            }
        }
    }
    Ok(config)
}

async fn ask(app: &App) -> Vec<Offered> {
    progress::watch(app.gateway(), app.gateway().settle()).await;
    let snapshot = app.gateway().snapshot();
    let offered = snapshot.servers.values().map(|handle| {
        let lists = handle.lists().filter(|lists| !lists.incomplete);
        (Arc::clone(handle.server()), lists, handle.status().reason)
    });
    offered.collect()
}

/// Says what differs.
fn compare(place: &Path, config: &Config, offered: &[Offered], file: Option<&LockFile>) -> Exit {
    let (mut differences, mut unreachable): (Vec<Difference>, usize) = (Vec::new(), 0);
    for (server, lists, why) in offered {
        let judgement = judge(server, lists.as_deref(), Detail::Whole);
        differences.extend(judgement.differences().iter().cloned());
        if lists.is_none() && !server.pins.hold_all() {
            unreachable += 1;
            say_unreachable(server, why.as_deref());
        }
    }
    let left = file.into_iter().flat_map(|file| file.servers.keys());
    for name in left.filter(|name| !config.servers.keys().any(|known| known.as_str() == **name)) {
        output::note(&format!("note: `{}` is locked and not in use", clean(name, 100)));
    }
    differences.iter().for_each(tell);
    if differences.iter().any(|difference| difference.change != Change::Gone) || file.is_none() {
        output::note(
            "look at what changed, then run `mcp-manifold lock --update SERVER`, or `--update` for all servers",
        );
        return Exit::Configuration;
    }
    if unreachable > 0 {
        return Exit::Unreachable;
    }
    output::result(&format!("{}: nothing changed", place.display()));
    Exit::Ok
}

/// Says what differs about one thing: on one line, or with each of several changes on a line of its own.
fn tell(difference: &Difference) {
    if difference.words.len() < 2 {
        return output::result(&clean(&difference.to_string(), usize::MAX));
    }
    let head = Difference { words: Vec::new(), ..difference.clone() };
    output::result(&format!("{}:", clean(&head.to_string(), usize::MAX)));
    difference.words.iter().for_each(|words| output::result(&format!("  {}", clean(words, usize::MAX))));
}

/// Approves what was offered; everything else stays as it is in the file by now, which others may have written meanwhile.
async fn write(place: &Path, config: &Config, offered: &[Offered], wish: &Wish) -> Result<Exit, Exit> {
    let failed = |why: &dyn Display| {
        output::fail(Exit::Configuration, &format!("`{}` cannot be written: {why}", place.display()))
    };
    let _held = turn(place).await.map_err(|why| failed(&why))?;
    let before = read(place)?;
    if matches!(wish, Wish::First) && before.is_some() {
        return Err(failed(&"somebody else wrote it just now; run `mcp-manifold lock` again to compare"));
    }
    let mut unreachable = false;
    let mut pinned = config.clone();
    pinned.pin(LockMode::Warn, before.as_ref());
    let mut file = match before {
        Some(file) => file,
        None => LockFile::new().map_err(|error| failed(&error))?,
    };
    for (server, lists, why) in offered {
        let Some(lists) = lists else {
            unreachable = true;
            say_unreachable(server, why.as_deref());
            continue;
        };
        if let Some(known) = pinned.servers.get(&server.name) {
            judge(known, Some(lists), Detail::Whole).differences().iter().for_each(tell);
        }
        file.servers.insert(server.name.to_string(), Arc::new(approve(server, lists, &file.salt)));
    }
    if matches!(wish, Wish::All) {
        // What left the file is approved no longer.
        file.servers.retain(|name, _| config.servers.keys().any(|known| known.as_str() == name.as_str()));
    }
    let count = file.servers.len();
    file.write(place).map_err(|error| failed(&error))?;
    let word = if count == 1 { "server" } else { "servers" };
    output::result(&format!("{}: {count} {word} locked", place.display()));
    Ok(if unreachable { Exit::Unreachable } else { Exit::Ok })
}

/// Waits until nobody else writes the lock file at `place`.
async fn turn(place: &Path) -> Result<file_lock::Lock, String> {
    let mut name = place.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let end = Instant::now() + TURN;
    while Instant::now() < end {
        match file_lock::take(&name, &format!("pid {}", std::process::id())) {
            Ok(Some(held)) => return Ok(held),
            Ok(None) => sleep(AGAIN).await,
            Err(error) => return Err(error.to_string()),
        }
    }
    let owner = file_lock::owner(&name).unwrap_or_else(|| "somebody".into());
    Err(format!("{owner} holds `{}`", name.display()))
}

fn say_unreachable(server: &Server, why: Option<&str>) {
    let why = why.unwrap_or("its lists did not come in time");
    output::note(&format!("warning: server `{}` was not asked: {}", server.name, clean(why, REASON)));
}
