//! Finds the program of a server as its own environment would.
//!
//! It does not use the `PATH` of this process, which may differ from that of the child.

use crate::config::model::Stdio;
use crate::downstream::process::spawn_error::SpawnError;
use crate::name::ServerName;
use std::path::Path;
use std::path::PathBuf;

/// What the system searches when there is no `PATH`.
#[cfg(unix)]
const DEFAULT_PATH: &str = "/bin:/usr/bin";
#[cfg(not(unix))]
const DEFAULT_PATH: &str = "";

const ARGS_HINT: &str = "\nhint: `command` is only the program, arguments belong in `args`";
const DENIED: &str = "permission denied (is it executable? `chmod +x` makes it so)";
const FOLDER: &str = "it is a folder";

enum Found {
    Program(PathBuf),
    Unusable(&'static str),
    Nothing,
}

/// The program of `stdio`: absolute when there is a `cwd` or an absolute `PATH`.
pub(super) fn find(stdio: &Stdio, name: &ServerName) -> Result<PathBuf, SpawnError> {
    let value = stdio.command.value.as_str();
    let written = &stdio.command.written;
    let hint = if written.trim().contains(char::is_whitespace) { ARGS_HINT } else { "" };
    let is_path = value.contains(std::path::is_separator);
    let path = variable(stdio, "PATH").unwrap_or(DEFAULT_PATH);
    let found = if is_path { look(stdio, Path::new("."), value) } else { search(stdio, path) };
    let (server, command) = (name.clone(), written.clone());
    match found {
        Found::Program(program) => Ok(program),
        Found::Unusable(why) => Err(SpawnError::NotRunnable { server, command, why }),
        Found::Nothing if is_path => Err(SpawnError::NotThere { server, command, place: place(stdio), hint }),
        Found::Nothing => Err(SpawnError::NotInPath { server, command, path: path.to_owned(), hint }),
    }
}

fn place(stdio: &Stdio) -> String {
    match &stdio.cwd {
        Some(cwd) if Path::new(&stdio.command.value).is_relative() => format!(" in `{}`", cwd.display()),
        _ => String::new(),
    }
}

fn search(stdio: &Stdio, path: &str) -> Found {
    let mut best = Found::Nothing;
    if stdio.command.value.is_empty() {
        return best;
    }
    for folder in std::env::split_paths(path) {
        match look(stdio, &folder, &stdio.command.value) {
            Found::Program(program) => return Found::Program(program),
            // A folder named like the command is not what anybody meant; a file that cannot be run may be.
            Found::Unusable(DENIED) => best = Found::Unusable(DENIED),
            _ => {}
        }
    }
    best
}

fn look(stdio: &Stdio, folder: &Path, command: &str) -> Found {
    let here = stdio.cwd.as_deref().unwrap_or(Path::new("")).join(folder).join(command);
    candidates(stdio, here)
        .map(|file| judge(&file))
        .find(|found| !matches!(found, Found::Nothing))
        .unwrap_or(Found::Nothing)
}

/// On Windows a program may be written without its ending.
fn candidates(stdio: &Stdio, file: PathBuf) -> impl Iterator<Item = PathBuf> {
    let endings =
        if cfg!(windows) { variable(stdio, "PATHEXT").unwrap_or(".COM;.EXE;.BAT;.CMD") } else { "" };
    let endings: Vec<String> =
        endings.split(';').filter(|text| !text.is_empty()).map(str::to_owned).collect();
    let with_ending = endings.into_iter().map({
        let file = file.clone().into_os_string();
        move |ending| {
            let mut name = file.clone();
            name.push(ending);
            PathBuf::from(name)
        }
    });
    let bare = (!cfg!(windows) || file.extension().is_some()).then_some(file);
    bare.into_iter().chain(with_ending)
}

fn judge(file: &Path) -> Found {
    match file.metadata() {
        Ok(meta) if meta.is_dir() => Found::Unusable(FOLDER),
        Ok(_) if may_run(file) => Found::Program(file.to_owned()),
        Ok(_) => Found::Unusable(DENIED),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Found::Unusable(DENIED),
        Err(_) => Found::Nothing,
    }
}

#[cfg(unix)]
fn may_run(file: &Path) -> bool {
    rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn may_run(_file: &Path) -> bool {
    true
}

fn variable<'a>(stdio: &'a Stdio, name: &str) -> Option<&'a str> {
    let same = |key: &str| if cfg!(windows) { key.eq_ignore_ascii_case(name) } else { key == name };
    stdio.env.iter().find(|(key, _)| same(key)).map(|(_, env)| env.value.expose())
}
