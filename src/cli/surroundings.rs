//! The process as arguments: variables, folders, our own path. The only place that asks the process for them.

use crate::config::environment::Environment;
use directories::BaseDirs;
use directories::ProjectDirs;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

/// In bytes: longer paths leave no room for the name of a socket.
#[cfg(unix)]
const LONG_HOME: usize = 60;

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

/// The path of this program, where another version of it may be by now. One that was removed is still at hand on Linux.
#[must_use]
pub fn own_binary() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?;
    if path.exists() {
        return Some(path);
    }
    // So Linux marks a program that was removed or replaced.
    let before = path.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map(PathBuf::from);
    let before = before.filter(|before| before.exists());
    Some(before.or_else(spare_binary).unwrap_or(path))
}

/// This program, wherever its file has gone.
#[must_use]
pub fn spare_binary() -> Option<PathBuf> {
    Some(PathBuf::from("/proc/self/exe")).filter(|path| path.exists())
}

/// Goes to `folder`: children without a folder of their own run there. One that is gone leaves everything as it is.
pub fn go_to(folder: &Path) {
    let _ = std::env::set_current_dir(folder);
}

/// Whatever this process starts gets stdin, stdout and stderr, and nothing that this one was given besides.
#[cfg(unix)]
pub fn keep_only_the_usual_streams() {
    close_fds::set_fds_cloexec(3, &[]);
}

/// Whatever this process starts gets stdin, stdout and stderr.
#[cfg(windows)]
pub fn keep_only_the_usual_streams() {}

/// As many open files as the system allows: each client needs two, each server three.
#[cfg(unix)]
pub fn want_many_files() {
    use rustix::process::Resource;
    use rustix::process::Rlimit;
    let Rlimit { current, maximum } = rustix::process::getrlimit(Resource::Nofile);
    if current < maximum || maximum.is_none() {
        let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// There is no such bound here.
#[cfg(windows)]
pub fn want_many_files() {}

/// The user's cache folder for this program.
#[must_use]
pub fn cache_folder() -> Option<PathBuf> {
    ProjectDirs::from("", "", "mcp-manifold").map(|dirs| dirs.cache_dir().to_owned())
}

/// The user's folder for what this program remembers and cannot find out again.
#[must_use]
pub fn state_folder() -> Option<PathBuf> {
    let dirs = ProjectDirs::from("", "", "mcp-manifold")?;
    Some(dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned())
}

/// The arguments of this process, without its name.
pub fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip(1)
}

/// The folder of this user for what is needed while something runs: that of the system, else one in the home of the user,
/// else one in `/tmp`. The same for all processes of the user, whatever their variables are.
#[cfg(unix)]
#[must_use]
pub fn runtime_folder() -> PathBuf {
    let user = user();
    let system = PathBuf::from(format!("/run/user/{user}"));
    if is_own(&system, user) {
        return system.join("mcp-manifold");
    }
    let caches = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    let home = BaseDirs::new().map(|dirs| dirs.home_dir().join(caches).join("mcp-manifold"));
    let home = home.filter(|folder| folder.as_os_str().len() < LONG_HOME && is_writable(folder));
    home.map_or_else(|| format!("/tmp/mcp-manifold-{user}").into(), |folder| folder.join("run"))
}

/// True for a folder that only `user` can enter.
#[cfg(unix)]
fn is_own(folder: &Path, user: u32) -> bool {
    use std::os::unix::fs::MetadataExt;
    folder
        .symlink_metadata()
        .is_ok_and(|found| found.is_dir() && found.uid() == user && found.mode() & 0o077 == 0)
}

#[cfg(unix)]
fn is_writable(folder: &Path) -> bool {
    std::fs::create_dir_all(folder).is_ok()
        && rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
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
