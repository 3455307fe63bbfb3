//! The file taken apart → the checked model. Everything wrong is gathered; a bad entry takes no other down.
//!
//! Nothing is started, connected or looked up on the network.

use crate::config::check::entry::Verdict;
use crate::config::dialect::Found;
use crate::config::dialect::entry::Raw;
use crate::config::expand::Scope;
use crate::config::finding::Findings;
use crate::config::model::Config;
use crate::config::model::LeftOut;
use crate::config::model::Transport;
use crate::config::model::access::GATEWAY;
use crate::config::syntax::is_commented_out;
use crate::name::ServerName;
use std::sync::Arc;

pub mod access;
pub mod agents;
pub mod audit;
pub mod auth;
pub mod callers;
pub mod checks;
pub mod command;
pub mod duration;
pub mod egress;
pub mod entry;
pub mod exposure;
pub mod filter;
pub mod headers;
pub mod issuer;
pub mod kind;
pub mod life;
pub mod lock;
pub mod oauth;
pub mod outbound;
pub mod pass;
pub mod plain;
pub mod process;
pub mod rates;
pub mod read;
pub mod remote;
pub mod section;
pub mod settings;
pub mod token;
pub mod tool_terms;
pub mod variables;
pub mod weak;
pub mod written;

/// Checks all of the file; `None` when the `gateway` section cannot be used.
pub fn check(found: &Found<'_>, scope: &mut Scope<'_>, findings: &mut Findings) -> Option<Config> {
    let mut of_settings = Findings::default();
    let (settings, defaults) = settings::check(found.gateway, scope, &mut of_settings);
    let usable = of_settings.first_error().is_none();
    findings.append(of_settings);

    let mut config = Config { settings, ..Config::default() };
    for raw in &found.entries {
        let verdict = match admitted(raw, found, &config, findings) {
            Ok(name) => entry::check(*raw, name, scope, &defaults, findings),
            Err(reason) => Verdict::LeaveOut(reason),
        };
        match verdict {
            Verdict::Use(server) => {
                config.servers.insert(server.name.clone(), Arc::new(*server));
            }
            Verdict::LeaveOut(reason) => config.left_out.push(LeftOut { name: raw.name.to_owned(), reason }),
        }
    }
    config.passed = passed(&config);
    let named = |name: &str| name == GATEWAY || found.entries.iter().any(|raw| raw.name == name);
    access::warn_of_unknown(&config.settings, &named, found.gateway, findings);
    usable.then_some(config)
}

/// The headers of clients that some server is passed.
fn passed(config: &Config) -> Vec<String> {
    let remote = config.servers.values().filter_map(|server| match &server.transport {
        Transport::Http(http) => Some(http),
        Transport::Stdio(_) => None,
    });
    let mut names: Vec<String> = remote.flat_map(|http| http.outbound.pass.iter().cloned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The name of an entry that is to be looked at, or why it is not.
fn admitted(
    raw: &Raw<'_>,
    found: &Found<'_>,
    config: &Config,
    findings: &mut Findings,
) -> Result<ServerName, String> {
    if is_commented_out(raw.name) {
        let text = format!("`{}` is skipped, because its name is commented out", raw.name);
        findings.note(raw.at, text);
        return Err("its name is commented out".to_owned());
    }
    if found.excluded.contains(&raw.name) {
        return Err("it is in `mcp.excluded`".to_owned());
    }
    if found.allowed.as_ref().is_some_and(|allowed| !allowed.contains(&raw.name)) {
        return Err("it is not in `mcp.allowed`".to_owned());
    }
    let name = ServerName::new(raw.name).map_err(|error| {
        findings.error(raw.at, error.to_string());
        error.to_string()
    })?;
    if name.as_str() == GATEWAY && (config.settings.access.is_some() || config.settings.rules.is_some()) {
        let text = "with `gateway.access` or `gateway.rules` this is the name of the gateway's own tools";
        findings.error(raw.at, text).hint("give the entry another name");
        return Err(text.to_owned());
    }
    if config.servers.contains_key(&name) {
        let text = "an entry of this name is there already";
        findings.error(raw.at, text);
        return Err(text.to_owned());
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
