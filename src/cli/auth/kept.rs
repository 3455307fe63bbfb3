//! `auth logout` and `auth status`: the logins that are kept. Tokens are never shown.

use crate::auth::oauth::folder::Folder;
use crate::auth::oauth::folder::Kept;
use crate::auth::oauth::login::GATEWAY;
use crate::auth::oauth::login::Tokens;
use crate::auth::oauth::login::now;
use crate::cli::arguments::Global;
use crate::cli::auth::whose;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::startup;
use crate::cli::surroundings;
use crate::config;
use crate::telemetry::clean::clean;
use serde::Serialize;

/// Longest text shown of a login, in bytes.
const TEXT: usize = 300;

/// One login, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    server: &'a str,
    principal: &'a str,
    /// `valid`, `renewable` or `ended`.
    state: &'static str,
    issuer: &'a str,
    scopes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_secs: Option<u64>,
    logged_in_at: u64,
}

/// Forgets the login of `caller` at `server`, or else that of the gateway.
pub(super) async fn log_out(global: &Global, server: &str, caller: Option<&str>) -> Exit {
    let (folder, mut kept) = match kept(global, Some(server)) {
        Ok(kept) => kept,
        Err(exit) => return exit,
    };
    let principal = match caller.map(|caller| principal_of(global, caller)).transpose() {
        Ok(principal) => principal.unwrap_or_else(|| GATEWAY.to_owned()),
        Err(exit) => return exit,
    };
    let others = kept.len();
    kept.retain(|one| one.login.principal == principal);
    if kept.is_empty() {
        let who = if others == 0 { "nobody".to_owned() } else { format!("`{principal}`") };
        let verb = if others == 0 { "is" } else { "is not" };
        output::result(&format!("{who} {verb} logged in to `{server}`"));
    }
    for one in &kept {
        if let Err(error) = folder.forget(one).await {
            return output::fail(Exit::Usage, &format!("the login to `{server}` cannot be removed: {error}"));
        }
        output::result(&format!("logged out of `{server}` at {}", clean(&one.login.issuer, TEXT)));
    }
    Exit::Ok
}

/// Shows the logins at `server`, or all.
pub(super) fn show(global: &Global, server: Option<&str>, json: bool) -> Exit {
    let kept = match kept(global, server) {
        Ok((_, kept)) => kept,
        Err(exit) => return exit,
    };
    let shown: Vec<Shown<'_>> = kept.iter().map(shown).collect();
    match (json, server) {
        (true, _) => {
            let document = serde_json::json!({ "schemaVersion": 1, "logins": shown });
            output::json(&format!("{document:#}"));
        }
        (false, Some(server)) if shown.is_empty() => {
            output::result(&format!("nobody is logged in to `{server}`"));
        }
        (false, None) if shown.is_empty() => output::result("nobody is logged in anywhere"),
        (false, _) => shown.iter().for_each(|login| output::result(&line(login))),
    }
    let usable = shown.iter().any(|login| login.state != "ended");
    if server.is_some() && !usable { Exit::Authorization } else { Exit::Ok }
}

/// The principal that is meant; the file is read only where it takes that.
fn principal_of(global: &Global, caller: &str) -> Result<String, Exit> {
    if let Some(principal) = whose::written(caller) {
        return Ok(principal.to_owned());
    }
    let environment = surroundings::environment();
    let path = environment.current_folder().join(startup::find(global, &environment)?);
    let loaded = config::load(&path, &environment).map_err(|error| startup::refused(&error))?;
    whose::principal(&loaded.config.settings, caller).map_err(|why| output::fail(Exit::Usage, &why))
}

fn kept(global: &Global, server: Option<&str>) -> Result<(Folder, Vec<Kept>), Exit> {
    let Some(folder) = startup::state_folder(global) else {
        return Err(output::fail(Exit::Usage, "there is no folder of logins: name one with --state-dir"));
    };
    let folder = Folder::within(&folder);
    let kept = folder.all();
    let mut kept =
        kept.map_err(|error| output::fail(Exit::Usage, &format!("logins cannot be read: {error}")))?;
    kept.retain(|one| server.is_none_or(|server| one.login.server == server));
    Ok((folder, kept))
}

fn shown(kept: &Kept) -> Shown<'_> {
    let login = &kept.login;
    let tokens = login.tokens.as_ref();
    let renews = |tokens: &Tokens| tokens.refresh.is_some();
    let state = match tokens {
        Some(tokens) if !tokens.have_ended() => "valid",
        Some(tokens) if renews(tokens) => "renewable",
        _ => "ended",
    };
    let left = |at: u64| at.saturating_sub(now());
    Shown {
        server: &login.server,
        principal: &login.principal,
        state,
        issuer: &login.issuer,
        scopes: tokens.map(|tokens| &*tokens.scopes).unwrap_or_default(),
        expires_in_secs: tokens.and_then(|tokens| tokens.expires_at).map(left),
        logged_in_at: login.logged_in_at,
    }
}

fn line(login: &Shown<'_>) -> String {
    let state = match (login.state, login.expires_in_secs) {
        ("valid", Some(left)) => format!("valid for {} min", left.div_ceil(60)),
        ("valid", None) => "valid".to_owned(),
        ("renewable", _) => "is renewed at the next call".to_owned(),
        _ if login.principal == GATEWAY => format!("ended: run `mcp-manifold auth login {}`", login.server),
        _ => "ended: log in again".to_owned(),
    };
    let whose = match login.principal {
        GATEWAY => String::new(),
        principal => format!("  of {}", clean(principal, TEXT)),
    };
    let scopes = if login.scopes.is_empty() { "-".to_owned() } else { login.scopes.join(" ") };
    let (server, issuer) = (clean(login.server, TEXT), clean(login.issuer, TEXT));
    format!("{server}{whose}  {state}  at {issuer}  scopes {}", clean(&scopes, TEXT))
}
