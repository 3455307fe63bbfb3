//! `auth login`: a person logs in at a server, in a browser here or elsewhere.
//!
//! The address is always printed, so that it works where no browser can be opened; the address that a browser elsewhere
//! is sent to may be pasted.

use crate::auth::oauth::attempt::Attempt;
use crate::auth::oauth::attempt::Wanted;
use crate::auth::oauth::browser::Browser;
use crate::auth::oauth::browser::SystemBrowser;
use crate::auth::oauth::browser::is_web;
use crate::auth::oauth::callback::pasted;
use crate::auth::oauth::error::LoginError;
use crate::auth::oauth::folder::Folder;
use crate::auth::oauth::login::Login;
use crate::auth::oauth::logins::login_of;
use crate::cli::arguments::Global;
use crate::cli::arguments::Login as Options;
use crate::cli::auth::whose::principal;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::startup;
use crate::cli::surroundings;
use crate::config;
use crate::config::check::oauth::is_scope;
use crate::config::model::Config;
use crate::config::model::Server;
use crate::config::model::Transport;
use crate::config::suggest::did_you_mean;
use crate::telemetry::clean::clean;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::Url;

/// Longest text of a server that is shown, in characters.
const TEXT: usize = 300;
/// Addresses that may be pasted wrongly before no more are read.
const PASTES: usize = 8;

/// Logs in.
pub async fn run(global: &Global, options: &Options) -> Exit {
    let environment = surroundings::environment();
    let path = match startup::find(global, &environment) {
        Ok(path) => environment.current_folder().join(path),
        Err(exit) => return exit,
    };
    let loaded = match config::load(&path, &environment) {
        Ok(loaded) => loaded,
        Err(error) => return startup::refused(&error),
    };
    let server = match entry(&loaded.config, &options.server) {
        Ok(server) => server,
        Err((exit, why)) => return output::fail(exit, &why),
    };
    let Some(folder) = startup::state_folder(global) else {
        return output::fail(Exit::Usage, "there is no folder to keep logins in: name one with --state-dir");
    };
    let whose = match whose(&loaded.config, server, options) {
        Ok(whose) => whose,
        Err(why) => return output::fail(Exit::Usage, &why),
    };
    let for_whom = whose.as_ref().map(|whose| format!(" for `{whose}`")).unwrap_or_default();
    match log_in(&loaded.config, server, options, whose, Folder::within(&folder), &path).await {
        Ok(login) => {
            let issuer = clean(&login.issuer, TEXT);
            output::result(&format!("logged in to `{}`{for_whom} at {issuer}", server.name));
            if server.logs_callers_in() && for_whom.is_empty() {
                output::note("note: its lists are read with this login; each caller logs in with `--caller`");
            }
            Exit::Ok
        }
        Err(LoginError::NotNeeded(status)) => {
            output::result(&format!("server `{}` wants no login: it answered HTTP {status}", server.name));
            Exit::Ok
        }
        Err(error @ LoginError::Unreachable(_)) => refused(Exit::Unreachable, server, &error),
        Err(error) => refused(Exit::Authorization, server, &error),
    }
}

fn refused(exit: Exit, server: &Server, error: &LoginError) -> Exit {
    output::fail(exit, &format!("server `{}` {error}", server.name))
}

/// The entry with this name, at which somebody can log in.
fn entry<'a>(config: &'a Config, name: &str) -> Result<&'a Server, (Exit, String)> {
    if let Some((_, server)) = config.servers.iter().find(|(known, _)| known.as_str() == name) {
        let no_login = |why: &str| Err((Exit::Usage, format!("nobody can log in at server `{name}`: {why}")));
        return match &server.transport {
            _ if login_of(server, None).is_some() => Ok(server),
            Transport::Stdio(_) => no_login("it is a command, and not in the network"),
            Transport::Http(_) => no_login("its entry gives other credentials, or says that it wants none"),
        };
    }
    if let Some(left_out) = config.left_out.iter().find(|entry| entry.name == name) {
        return Err((Exit::Configuration, format!("server `{name}` is not in use: {}", left_out.reason)));
    }
    let near = did_you_mean(name, config.servers.keys().map(|known| known.as_str()));
    let hint = near.map(|near| format!("; {near}")).unwrap_or_default();
    Err((Exit::Usage, format!("there is no server `{name}` in the file{hint}")))
}

/// The principal whose login it is to be; none for the gateway.
fn whose(config: &Config, server: &Server, options: &Options) -> Result<Option<Arc<str>>, String> {
    let Some(named) = &options.caller else { return Ok(None) };
    if !server.logs_callers_in() {
        return Err(format!(
            "server `{}` is asked with the login of the gateway: `--caller` is for entries with `\"identity\": \"caller\"`",
            server.name
        ));
    }
    principal(&config.settings, named).map(|principal| Some(principal.into()))
}

async fn log_in(
    config: &Config,
    server: &Server,
    options: &Options,
    whose: Option<Arc<str>>,
    folder: Folder,
    file: &Path,
) -> Result<Login, LoginError> {
    let scopes = options.scope.iter().flat_map(|scopes| scopes.split_ascii_whitespace());
    let scopes = scopes.filter(|scope| is_scope(scope)).map(str::to_owned).collect();
    let wanted = Wanted { scopes, port: options.port, whose, cookie: None };
    let attempt = Attempt::start(server, &config.settings.egress, wanted, folder, file).await?;
    if let Some(before) = attempt.issuer_before() {
        output::note(&format!("note: it was {before} that logged in before; it is another one now"));
    }
    show(server, &attempt, options.no_browser);
    let returned = timeout(Duration::from_secs(options.timeout), returned(&attempt)).await;
    let returned = returned.map_err(|_| LoginError::TooLate(options.timeout))??;
    attempt.keep(&returned).await
}

fn show(server: &Server, attempt: &Attempt, only: bool) {
    let (name, issuer) = (&server.name, attempt.issuer());
    output::note(&format!("log in to `{name}` at {issuer} in a browser; the address is:"));
    output::result(attempt.address().as_str());
    output::note("on another machine: open it there, and paste the address that the browser is sent to here");
    if !only
        && is_web(attempt.address())
        && let Err(error) = SystemBrowser.open(attempt.address())
    {
        output::note(&format!("no browser could be opened: {error}"));
    }
}

/// What the browser comes back with, to this machine or by way of a person.
async fn returned(attempt: &Attempt) -> Result<Url, LoginError> {
    let mut pastes = read_lines();
    let mut visit = std::pin::pin!(attempt.returned());
    loop {
        tokio::select! {
            url = &mut visit => return url,
            Some(line) = pastes.recv() => match pasted(&line).filter(|url| attempt.is_mine(url)) {
                Some(url) => return Ok(url),
                None if line.trim().is_empty() => {}
                None => output::note("that is not the address that this login leads to; it holds `state=` and `code=`"),
            },
        }
    }
}

/// Lines of stdin, from a thread that ends with the process: reading them cannot be called off.
fn read_lines() -> mpsc::Receiver<String> {
    let (tell, told) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok).take(PASTES) {
            if tell.blocking_send(line).is_err() {
                return;
            }
        }
    });
    told
}
