//! The process as arguments: variables, folders, our own path. The only place that asks the process for them.

use crate::config::environment::Environment;
use directories::BaseDirs;
use directories::ProjectDirs;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

/// What loading a file may know about this process.
#[must_use]
pub fn environment() -> Environment {
    #[expect(clippy::disallowed_methods, reason = "here the environment becomes an argument")]
    let vars = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let mut environment = Environment::new(vars, cwd);
    if let Some(dirs) = BaseDirs::new() {
        environment = environment.home(dirs.home_dir()).user_config(dirs.config_dir());
    }
    #[cfg(unix)]
    {
        environment = environment.user(user());
    }
    match own_binary() {
        Some(path) => environment.own_binary(path),
        None => environment,
    }
}

/// The path of this program, where another version of it may be by now.
#[must_use]
pub fn own_binary() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?;
    // So Linux marks a program that was removed or replaced.
    let before = path.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map(PathBuf::from);
    Some(before.filter(|_| !path.exists()).unwrap_or(path))
}

/// Goes to `folder`: children without a folder of their own run there. One that is gone leaves everything as it is.
pub fn go_to(folder: &Path) {
    let _ = std::env::set_current_dir(folder);
}

/// The user's cache folder for this program.
#[must_use]
pub fn cache_folder() -> Option<PathBuf> {
    ProjectDirs::from("", "", "mcp-manifold").map(|dirs| dirs.cache_dir().to_owned())
}

/// The arguments of this process, without its name.
pub fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip(1)
}

/// The folder of this user for what is needed while something runs, where the system has none for that.
#[cfg(unix)]
#[must_use]
pub fn runtime_folder() -> PathBuf {
    std::env::temp_dir().join(format!("mcp-manifold-{}", user()))
}

/// The folder of this user for what is needed while something runs.
#[cfg(windows)]
#[must_use]
pub fn runtime_folder() -> PathBuf {
    let own = BaseDirs::new().map(|dirs| dirs.data_local_dir().to_owned());
    own.unwrap_or_else(std::env::temp_dir).join("mcp-manifold").join("run")
}

/// The user this process acts for.
#[cfg(unix)]
#[must_use]
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The user this process acts for. The folders and pipes of Windows know it themselves.
#[cfg(windows)]
#[must_use]
pub fn user() -> u32 {
    0
}
