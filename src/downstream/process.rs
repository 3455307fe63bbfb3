//! Starts a child process for a server: exact environment, own process group, three pipes.
//!
//! It speaks no protocol and does not decide when a child is started or stopped.

#[cfg(unix)]
pub mod adopted;
mod birth;
mod exit;
pub mod ledger;
mod lookup;
#[cfg(not(unix))]
mod portable;
pub mod reaper;
mod spawn_error;
pub mod stderr;
mod tree;
#[cfg(unix)]
mod unix;

pub use crate::downstream::process::exit::ExitText;
pub use crate::downstream::process::spawn_error::SpawnError;
pub use crate::downstream::process::stderr::StderrRing;
pub use crate::downstream::process::stderr::drain;
pub use crate::downstream::process::tree::ChildTree;
pub use crate::downstream::process::tree::How;
pub use crate::downstream::process::tree::StopReport;

use crate::config::model::Stdio;
use crate::downstream::veil::Veil;
use crate::name::ServerName;
use crate::wire::pipe::widen;
use std::io;
use std::path::Path;
use std::process::Command;
use tokio::process::ChildStderr;
use tokio::process::ChildStdin;
use tokio::process::ChildStdout;

/// A child that was just started.
#[derive(Debug)]
pub struct Spawned {
    /// Its stdin. Drop it to ask the child to end.
    pub stdin: ChildStdin,
    /// Its stdout.
    pub stdout: ChildStdout,
    /// The child and everything it starts.
    pub child: ChildTree,
    /// What it wrote on stderr last, once [`drain`] runs.
    pub stderr: StderrRing,
    /// Its stderr: the owner must run [`drain`] on it, or the child blocks when the pipe is full.
    pub stderr_pipe: ChildStderr,
}

/// Starts the child of `stdio` for the server `name`.
///
/// The environment is exactly `stdio.env`. A name without a separator is looked up in the `PATH` of that
/// environment; a relative path starts at `cwd`.
///
/// # Errors
/// [`SpawnError`] when the command cannot be found or run.
///
/// # Panics
/// Outside a tokio runtime with IO enabled.
pub fn spawn(stdio: &Stdio, name: &ServerName) -> Result<Spawned, SpawnError> {
    if let Some(cwd) = stdio.cwd.as_deref().filter(|cwd| !cwd.is_dir()) {
        return Err(SpawnError::Cwd { server: name.clone(), cwd: cwd.to_owned() });
    }
    let program = lookup::find(stdio, name)?;
    let child = command(stdio, &program).spawn().map_err(|error| explain(error, stdio, name))?;
    adopt(child, stdio, name).map_err(|error| explain(error, stdio, name))
}

fn command(stdio: &Stdio, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(stdio.args.iter().map(|arg| &arg.value));
    command.env_clear().envs(stdio.env.iter().map(|(key, env)| (key, env.value.expose())));
    if let Some(cwd) = &stdio.cwd {
        command.current_dir(cwd);
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // As a shell does: some programs look at the name they were called by.
        command.arg0(&stdio.command.value).process_group(0);
    }
    let pipe = std::process::Stdio::piped;
    command.stdin(pipe()).stdout(pipe()).stderr(pipe());
    command
}

/// The tree is made first: should a pipe not register with the runtime, dropping the tree kills the child.
fn adopt(mut child: std::process::Child, stdio: &Stdio, name: &ServerName) -> io::Result<Spawned> {
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let child = ChildTree::new(child);
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(io::Error::other("a pipe of the child is missing"));
    };
    widen(&stdin);
    widen(&stdout);
    Ok(Spawned {
        stdin: ChildStdin::from_std(stdin)?,
        stdout: ChildStdout::from_std(stdout)?,
        child,
        stderr: StderrRing::new(name.clone(), Veil::of_child(stdio)),
        stderr_pipe: ChildStderr::from_std(stderr)?,
    })
}

/// The program was found a moment ago, so a missing file now is the one that should run it.
fn explain(source: io::Error, stdio: &Stdio, name: &ServerName) -> SpawnError {
    let server = name.clone();
    let command = stdio.command.written.clone();
    let why = match source.kind() {
        io::ErrorKind::NotFound => {
            "the program in its first line (`#!`), or the loader it was built for, does not exist here"
        }
        io::ErrorKind::PermissionDenied => "permission denied (is it executable, on a disk that allows it?)",
        _ => return SpawnError::System { server, command, source },
    };
    SpawnError::NotRunnable { server, command, why }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
