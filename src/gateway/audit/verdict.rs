//! What became of a request, in the words of the audit log.
//!
//! Nothing is decided here.

use serde::Serialize;

/// What was decided before a server was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It may be made.
    Allowed,
    /// It may not, there is no such thing, or the request is wrong.
    Denied,
    /// What is called is not as it was locked.
    Held,
    /// There were too many.
    Limited,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// With a result.
    Result,
    /// With an error of the gateway or the server.
    Error,
    /// With a result in which the tool reports a failure.
    ToolError,
    /// Its client no longer wanted it.
    Cancelled,
    /// The server took too long.
    Timeout,
}
