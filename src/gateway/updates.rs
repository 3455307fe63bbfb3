//! Who wants to hear of updates of which resource: legacy sessions (`resources/subscribe`) and open requests of modern
//! clients (`subscriptions/listen`).
//!
//! A server is told when the first wants a resource and when the last does not. How it is told is `downstream.rs`.

use crate::catalog::route::Route;
use crate::catalog::uri_owner::UriError;
use crate::downstream::handle::ServerHandle;
use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::relay::Relayed;
use crate::gateway::relay::refuse;
use crate::gateway::relay::unknown;
use crate::gateway::reply::Failure;
use crate::gateway::resources::not_found;
use crate::gateway::snapshot::Snapshot;
use crate::name::ServerName;
use crate::protocol::code;
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use crate::wire::message::read_text;
use crate::wire::meta;
use crate::wire::pending::Owner;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for the word of a server, its start included.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who wants to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subscriber {
    /// A legacy client.
    Session(Owner),
    /// An open request of a modern client: its session and its id (JSON text).
    Listen(Owner, Box<str>),
}

impl Subscriber {
    fn session(&self) -> Owner {
        match self {
            Self::Session(session) | Self::Listen(session, _) => *session,
        }
    }
}

/// By server and URI.
type Wanted = HashMap<ServerName, HashMap<Box<str>, Vec<Subscriber>>>;

/// All subscriptions to resources.
#[derive(Debug, Default)]
pub struct Registry(Mutex<Wanted>);

impl Registry {
    /// `false` when this client has too many.
    pub(super) fn add(&self, server: &ServerName, uri: &str, who: &Subscriber, limit: usize) -> bool {
        let mut table = self.lock();
        let all = table.values().flat_map(HashMap::values).flatten();
        if all.filter(|one| one.session() == who.session()).count() >= limit {
            return false;
        }
        let subscribers = table.entry(server.clone()).or_default().entry(uri.into()).or_default();
        if !subscribers.contains(who) {
            subscribers.push(who.clone());
        }
        true
    }

    /// Removes what `which` says; what nobody wants any more then.
    fn remove(&self, which: impl Fn(&ServerName, &str, &Subscriber) -> bool) -> Vec<(ServerName, Box<str>)> {
        let mut unwanted = Vec::new();
        self.lock().retain(|server, uris| {
            uris.retain(|uri, subscribers| {
                subscribers.retain(|one| !which(server, uri, one));
                if subscribers.is_empty() {
                    unwanted.push((server.clone(), uri.clone()));
                }
                !subscribers.is_empty()
            });
            !uris.is_empty()
        });
        unwanted
    }

    /// What is wanted of `server`.
    pub(super) fn wanted(&self, server: &ServerName) -> Vec<Box<str>> {
        self.lock().get(server).map(|uris| uris.keys().cloned().collect()).unwrap_or_default()
    }

    /// Who hears of an update of `uri`: it may be a part of what they subscribed to.
    fn hearers(&self, server: &ServerName, uri: &str) -> Vec<Subscriber> {
        let table = self.lock();
        let uris = table.get(server).into_iter().flatten();
        let mut hearers: Vec<Subscriber> = Vec::new();
        for (_, subscribers) in uris.filter(|(wanted, _)| is_part(uri, wanted)) {
            for one in subscribers.iter().filter(|one| !hearers.contains(one)).cloned().collect::<Vec<_>>() {
                hearers.push(one);
            }
        }
        hearers
    }

    fn lock(&self) -> MutexGuard<'_, Wanted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server may tell of a part of what was subscribed to (2025-11-25, `server/resources`).
fn is_part(uri: &str, of: &str) -> bool {
    uri.strip_prefix(of)
        .is_some_and(|rest| rest.is_empty() || of.ends_with('/') || rest.starts_with(['/', '#', '?']))
}

/// `resources/subscribe`: answered when the server has said its word.
pub(super) fn subscribe(
    core: &Arc<Core>,
    snapshot: &Snapshot,
    incoming: &Incoming<'_>,
    exchange: Exchange,
) -> Relayed {
    let (uri, handle) = match target(snapshot, incoming, &exchange) {
        Ok(target) => target,
        Err((failure, true)) => return unknown(failure, exchange),
        Err((failure, false)) => return refuse(failure, exchange),
    };
    let who = Subscriber::Session(exchange.session().key());
    let server = handle.server().name.clone();
    let limit = snapshot.config.settings.limits.subscriptions_per_client;
    if !core.registry.add(&server, &uri, &who, limit) {
        return refuse(Failure::too_many_subscriptions(limit), exchange);
    }
    handle.want_updates(&uri);
    let core = Arc::clone(core);
    core.clone().tasks.spawn(async move {
        match word(&handle, &uri).await {
            Ok(()) if exchange.session().is_closed() => {
                core.unsubscribe(|_, _, one| *one == who);
                exchange.fail(&Failure::session_ended());
            }
            Ok(()) => exchange.result(b"{}"),
            Err(why) => {
                core.unsubscribe(|at, subscribed, one| *at == server && subscribed == uri && *one == who);
                exchange.error(&why);
            }
        }
    });
    Ok(())
}

/// `resources/unsubscribe`: what is not subscribed to need not be ended.
pub(super) fn unsubscribe(
    core: &Core,
    snapshot: &Snapshot,
    incoming: &Incoming<'_>,
    exchange: Exchange,
) -> Relayed {
    let (uri, handle) = match target(snapshot, incoming, &exchange) {
        Ok(target) => target,
        Err((failure, true)) => return unknown(failure, exchange),
        Err((failure, false)) => return refuse(failure, exchange),
    };
    let who = Subscriber::Session(exchange.session().key());
    let server = &handle.server().name;
    core.unsubscribe(|at, subscribed, one| at == server && *subscribed == *uri && *one == who);
    exchange.result(b"{}");
    Ok(())
}

/// The URI and its server. The flag says that lists which are still missing could hold it.
fn target(
    snapshot: &Snapshot,
    incoming: &Incoming<'_>,
    exchange: &Exchange,
) -> Result<(String, ServerHandle), (Failure, bool)> {
    let uri = incoming.text("uri").map_err(|failure| (failure, false))?.into_owned();
    let server = snapshot.catalog.owner_of_uri(&uri);
    let server = server.map_err(|why| (not_found(&uri, &why, exchange.era()), true))?.clone();
    let handle = permitted(snapshot, exchange, &server, &uri)
        .ok_or_else(|| (not_found(&uri, &UriError::NotFound, exchange.era()), true))?;
    Ok((uri, handle))
}

/// The server, for a caller who may read this of it.
pub(super) fn permitted(
    snapshot: &Snapshot,
    exchange: &Exchange,
    server: &ServerName,
    uri: &str,
) -> Option<ServerHandle> {
    let route = Route { server: server.clone(), own_name: uri.to_owned() };
    snapshot.policy.permit(exchange.session().caller(), &route)?;
    snapshot.server(server).cloned()
}

/// The server's word on `uri`; an error object (JSON text) when it refuses or says nothing.
pub(super) async fn word(handle: &ServerHandle, uri: &str) -> Result<(), String> {
    let server = &handle.server().name;
    let failed = handle.updates().word(uri);
    let why = match timeout(PATIENCE, failed).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(why)) if !why.is_empty() => return Err(why.to_string()),
        Ok(Err(_)) => format!("server `{server}` is no longer asked for this resource"),
        Err(_) => format!("server `{server}` did not take the subscription within {} s", PATIENCE.as_secs()),
    };
    Err(Failure::new(code::INTERNAL_ERROR, why).to_json())
}

impl Core {
    /// Ends subscriptions; servers are told of what nobody wants any more.
    pub(super) fn unsubscribe(&self, which: impl Fn(&ServerName, &str, &Subscriber) -> bool) {
        let snapshot = self.current();
        for (server, uri) in self.registry.remove(which) {
            if let Some(handle) = snapshot.server(&server) {
                handle.updates().unwant(&uri);
            }
        }
    }

    /// A resource of `server` has changed: whoever wants to hear of it does.
    pub(super) fn tell_update(&self, server: &ServerName, params: &str) {
        let Ok(members) = Members::parse_with_duplicates(params) else { return };
        let uri = members.get("uri").and_then(|raw| read_text(raw).ok());
        let Some(uri) = uri else { return };
        let hearers = self.registry.hearers(server, &uri);
        if hearers.is_empty() {
            return;
        }
        let sessions = self.sessions();
        for hearer in hearers {
            match hearer {
                Subscriber::Session(key) => {
                    if let Some(session) = sessions.iter().find(|session| session.key() == key) {
                        session.notify("notifications/resources/updated", Some(&tagged(&members, None)));
                    }
                }
                Subscriber::Listen(key, id) => {
                    self.subscribers.tell_update(key, &id, &tagged(&members, Some(&id)));
                }
            }
        }
    }
}

/// The params for the next hop, which for a modern client carry the id of its request.
pub(super) fn tagged(params: &Members<'_>, listen: Option<&str>) -> String {
    let from = meta::of(params).ok().flatten();
    let added: Vec<(&str, &[u8])> =
        listen.iter().map(|id| ("io.modelcontextprotocol/subscriptionId", id.as_bytes())).collect();
    let mut edited = Vec::new();
    let has_meta = meta::write(&mut edited, from.as_ref(), &added);
    let mut out = Vec::with_capacity(params.raw().len() + 64);
    let edit = |key: &str| if key == meta::META { Edit::Drop } else { Edit::Keep };
    let with_meta = [(meta::META, edited.as_slice())];
    write_object(&mut out, params, edit, if has_meta { &with_meta } else { &[] });
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_who_leaves_ends_the_subscription() {
        let registry = Registry::default();
        let server = ServerName::new("s").expect("a name");
        let (one, two) = (Subscriber::Session(1), Subscriber::Listen(2, "7".into()));
        assert!(registry.add(&server, "a:x", &one, 2) && registry.add(&server, "a:x", &two, 2));
        assert!(registry.add(&server, "a:y", &one, 2));
        assert!(!registry.add(&server, "a:z", &one, 2));
        assert_eq!(registry.hearers(&server, "a:x/part"), [one.clone(), two.clone()]);
        assert!(registry.hearers(&server, "a:xy").is_empty());
        assert_eq!(registry.remove(|_, _, who| *who == one), [(server.clone(), "a:y".into())]);
        assert_eq!(registry.remove(|_, _, who| *who == two), [(server, "a:x".into())]);
    }

    #[test]
    fn an_update_carries_the_id_of_the_next_hop() {
        let raw = r#"{"uri":"a:1","_meta":{"io.modelcontextprotocol/subscriptionId":4,"v/k":1e2},"x":null}"#;
        let params = Members::parse(raw).expect("an object");
        assert_eq!(tagged(&params, None), r#"{"uri":"a:1","x":null,"_meta":{"v/k":1e2}}"#);
        assert_eq!(
            tagged(&params, Some("\"l\"")),
            r#"{"uri":"a:1","x":null,"_meta":{"v/k":1e2,"io.modelcontextprotocol/subscriptionId":"l"}}"#
        );
    }
}
