//! `auth`: logging in at servers, and out.
//!
//! A gateway that runs hears of it through the folder of logins; it is not spoken to.

mod kept;
mod login;
mod whose;

use crate::cli::arguments::Auth;
use crate::cli::arguments::Global;
use crate::cli::exit::Exit;
use crate::cli::startup;

/// Runs one of the commands.
pub async fn run(global: &Global, auth: &Auth) -> Exit {
    if let Err(exit) = startup::start_log(global, Some("error")) {
        return exit;
    }
    match auth {
        Auth::Login(login) => login::run(global, login).await,
        Auth::Logout { server, caller } => kept::log_out(global, server, caller.as_deref()).await,
        Auth::Status { server, json } => kept::show(global, server.as_deref(), *json),
    }
}
