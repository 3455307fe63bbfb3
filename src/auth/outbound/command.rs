//! Runs a command that prints headers as a JSON object, as `headersHelper` of other clients has it.
//!
//! There is no shell. No text quotes what the command printed, which may hold a credential.

use crate::auth::outbound::changing::CredentialError;
use crate::auth::outbound::changing::Fresh;
use crate::config::model::outbound::HeaderCommand;
use crate::name::ServerName;
use http::HeaderName;
use http::HeaderValue;
#[cfg(unix)]
use rustix::process::Pid;
use serde_json::Value;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::process::Child;
use tokio::process::Command;
use tokio::time::timeout;

/// Longest output, in bytes.
const LONGEST: u64 = 64 * 1024;
/// Headers of the protocol and of the connection, which no command sets.
const OURS: [&str; 8] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "transfer-encoding",
    "upgrade",
];

/// For what headers are asked for.
#[derive(Debug, Clone)]
pub struct Asks {
    /// The server.
    pub server: ServerName,
    /// Its address.
    pub url: String,
    /// The caller, where it is not the gateway.
    pub caller: Option<Arc<str>>,
}

/// A command and all that it started. Dropping it ends them, but for those who left its process group.
struct Running {
    child: Child,
    #[cfg(unix)]
    group: Option<Pid>,
}

/// Runs `command`, and reads what it prints. Nothing of it lives on, however that ends and also when nobody waits any more.
///
/// # Errors
/// [`CredentialError::Command`]
pub async fn run(command: &HeaderCommand, asks: &Asks) -> Result<Fresh, CredentialError> {
    let failed = |why: String| CredentialError::Command(why);
    let mut running = start(command, asks).map_err(|error| failed(format!("cannot be started: {error}")))?;
    let ended = timeout(command.timeout, finish(&mut running.child))
        .await
        .map_err(|_| failed(format!("did not end within {} s", command.timeout.as_secs_f32())))?;
    drop(running);
    let (printed, code) = ended.map_err(|error| failed(format!("cannot be read: {error}")))?;
    if code != Some(0) {
        let how =
            code.map_or("was ended by a signal".to_owned(), |code| format!("failed with exit code {code}"));
        return Err(failed(how));
    }
    Ok((read(&printed).map_err(failed)?, command.ttl))
}

fn start(command: &HeaderCommand, asks: &Asks) -> io::Result<Running> {
    let Some((program, args)) = command.argv.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut run = Command::new(&program.value);
    run.args(args.iter().map(|arg| &arg.value)).env_clear();
    run.envs(command.env.iter().map(|(name, variable)| (name, variable.value.expose())));
    for prefix in ["CLAUDE_CODE_MCP", "MCP_MANIFOLD"] {
        run.env(format!("{prefix}_SERVER_NAME"), asks.server.as_str());
        run.env(format!("{prefix}_SERVER_URL"), &asks.url);
    }
    if let Some(caller) = &asks.caller {
        run.env("MCP_MANIFOLD_CALLER", &**caller);
    }
    run.current_dir(&command.cwd).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    #[cfg(unix)]
    run.process_group(0);
    Ok(Running::new(run.kill_on_drop(true).spawn()?))
}

/// What it printed, and its exit code.
async fn finish(child: &mut Child) -> io::Result<(Vec<u8>, Option<i32>)> {
    let printed = match child.stdout.take() {
        Some(stdout) => all(stdout).await?,
        None => Vec::new(),
    };
    Ok((printed, child.wait().await?.code()))
}

async fn all(stream: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(LONGEST + 1).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::Error::other(format!("it prints more than {LONGEST} bytes")));
    }
    Ok(bytes)
}

#[cfg(unix)]
impl Running {
    fn new(child: Child) -> Self {
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, group }
    }
}

#[cfg(not(unix))]
impl Running {
    fn new(child: Child) -> Self {
        Self { child }
    }
}

#[cfg(unix)]
impl Drop for Running {
    /// Its number is that of its group while anybody lives in it, and nobody else got it since it ended a moment ago.
    fn drop(&mut self) {
        if let Some(group) = self.group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

fn read(printed: &[u8]) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(printed) else {
        return Err("printed something that is no JSON object of headers".into());
    };
    let mut headers = Vec::with_capacity(members.len());
    for (name, value) in &members {
        let Ok(key) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err("printed something that is not the name of a header".into());
        };
        let own = key.as_str();
        if OURS.contains(&own) || own.starts_with("mcp-") || own.starts_with("proxy-") {
            return Err(format!("printed the header `{key}`, which the gateway sets itself"));
        }
        let value = value.as_str().and_then(|text| HeaderValue::from_str(text).ok());
        let mut value = value.ok_or(format!("printed a value of `{key}` that no header can hold"))?;
        value.set_sensitive(true);
        headers.push((key, value));
    }
    Ok(headers)
}
