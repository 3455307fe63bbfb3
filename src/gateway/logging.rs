//! `logging/setLevel`: each client gets the level it asked for; servers are asked for the lowest anybody wants.

use crate::downstream::handle::ServerHandle;
use crate::downstream::link::Link;
use crate::downstream::own_call::once;
use crate::downstream::private::Key;
use crate::downstream::request::Request;
use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::relay::quoted;
use crate::gateway::reply::Failure;
use crate::gateway::severity::LEVELS;
use crate::name::ServerName;
use crate::protocol::version::Era;
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use crate::wire::message::read_text;
use crate::wire::pending::Patience;
use std::sync::Arc;
use std::time::Duration;

/// How long a server may take to accept a level. Nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Notes the level and passes the lowest on to running servers.
pub(super) fn set_level(core: &Core, incoming: &Incoming<'_>, exchange: Exchange) {
    let level = match incoming.text("level") {
        Ok(level) => level,
        Err(failure) => return exchange.fail(&failure),
    };
    if !exchange.session().set_log_level(&level) {
        let why = format!("`level` must be one of {}", LEVELS.join(", "));
        return exchange.fail(&Failure::bad_params(incoming.method, why));
    }
    let session = Arc::clone(exchange.session());
    for shared in core.current().servers.values() {
        tell(&core.pool.users_of(shared), shared);
        for own in shared.private_of(session.key()) {
            if let Some(link) = own.ready_link() {
                send(&own, &*link, session.log_level());
            }
        }
    }
    exchange.result(b"{}");
}

/// Tells one running server the lowest level that anybody wants in the gateways that use it.
pub(super) fn tell(users: &[Arc<Core>], handle: &ServerHandle) {
    let sessions = users.iter().flat_map(|core| core.sessions());
    let lowest = sessions.filter_map(|session| session.log_level()).min();
    if let Some(link) = handle.ready_link() {
        send(handle, &*link, lowest);
    }
}

/// Tells a connection that is not shared the level that its session wants.
pub(super) fn tell_private(core: &Core, server: &ServerName, whose: &Key, link: &dyn Link) {
    let session = whose.session().and_then(|key| core.session(key));
    if let (Some(session), Some(handle)) = (session, core.current().server(server)) {
        send(handle, link, session.log_level());
    }
}

fn send(handle: &ServerHandle, link: &dyn Link, level: Option<usize>) {
    let logs = || {
        handle.lists().is_some_and(|lists| {
            Members::parse(lists.capabilities.get()).is_ok_and(|all| all.get("logging").is_some())
        })
    };
    let Some(level) = level.filter(|_| link.era() == Era::Legacy && logs()) else { return };
    let params = format!(r#"{{"level":"{}"}}"#, LEVELS[level]);
    let Ok(members) = Members::parse(&params) else { return };
    let (waiter, _nobody_waits) = once();
    let _ = link.call(&Request::own("logging/setLevel", &members, "{}"), waiter, Patience::flat(PATIENCE));
}

/// A log message (its params) whose `logger` names the server first, so that a person can tell servers apart. `None` when
/// it cannot be read.
pub(super) fn attributed(params: &str, server: &str) -> Option<String> {
    let members = Members::parse_with_duplicates(params).ok()?;
    let own = match members.get("logger") {
        Some(raw) => Some(read_text(raw).ok()?),
        None => None,
    };
    let named = own.as_ref().map_or_else(|| server.to_owned(), |own| format!("{server}/{own}"));
    let named = quoted(&named);
    let edit = |key: &str| if key == "logger" { Edit::Replace(named.as_bytes()) } else { Edit::Keep };
    let added = [("logger", named.as_bytes())];
    let mut out = Vec::with_capacity(params.len() + named.len() + 16);
    write_object(&mut out, &members, edit, if own.is_none() { &added } else { &[] });
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_message_says_which_server_it_is_of() {
        let own = r#"{"level":"info","logger":"db","data":1e2}"#;
        assert_eq!(attributed(own, "s").unwrap(), r#"{"level":"info","logger":"s/db","data":1e2}"#);
        assert_eq!(attributed(r#"{"data":null}"#, "s").unwrap(), r#"{"data":null,"logger":"s"}"#);
        assert_eq!(attributed(r#"{"logger":7}"#, "s"), None);
    }
}
