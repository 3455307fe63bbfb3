//! Why a child could not be started, in words for the person who wrote the entry.
//!
//! What happens to a child that was started is not told here: that is `exit.rs`.

use crate::name::ServerName;
use std::io;
use std::path::PathBuf;

/// Why a child could not be started. Commands are shown as they were written, never expanded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// No folder of `PATH` has the command.
    #[error("server `{server}`: command `{command}` was not found in its PATH `{path}`{hint}")]
    NotInPath {
        /// The server.
        server: ServerName,
        /// The command as written.
        command: String,
        /// The `PATH` that was searched.
        path: String,
        /// Empty, or a line with advice.
        hint: &'static str,
    },
    /// The command is a path and there is nothing.
    #[error("server `{server}`: command `{command}` does not exist{place}{hint}")]
    NotThere {
        /// The server.
        server: ServerName,
        /// The command as written.
        command: String,
        /// Empty, or where a relative path was looked for.
        place: String,
        /// Empty, or a line with advice.
        hint: &'static str,
    },
    /// The command exists and may not be run.
    #[error("server `{server}`: command `{command}` cannot be run: {why}")]
    NotRunnable {
        /// The server.
        server: ServerName,
        /// The command as written.
        command: String,
        /// What is wrong and what to do.
        why: &'static str,
    },
    /// The working directory is missing or no folder.
    #[error("server `{server}`: its `cwd` `{}` is not a folder", cwd.display())]
    Cwd {
        /// The server.
        server: ServerName,
        /// The folder.
        cwd: PathBuf,
    },
    /// The system refused for another reason.
    #[error("server `{server}`: command `{command}` could not be started: {source}")]
    System {
        /// The server.
        server: ServerName,
        /// The command as written.
        command: String,
        /// What the system says.
        source: io::Error,
    },
}
