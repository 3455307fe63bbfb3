//! How the program ends, as a number. The same numbers as MCP Inspector's CLI, plus 2.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: as asked.
    Ok,
    /// 1: something is wrong with what was typed.
    Usage,
    /// 2: something is wrong with the configuration.
    Configuration,
    /// 3: a server wants credentials first.
    Authorization,
    /// 4: a server, or the gateway that was asked, cannot be reached.
    Unreachable,
    /// 5: the tool was called and reports an error.
    ToolError,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Usage => 1,
            Exit::Configuration => 2,
            Exit::Authorization => 3,
            Exit::Unreachable => 4,
            Exit::ToolError => 5,
        })
    }
}
