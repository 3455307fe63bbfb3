//! Who wants to hear of updates of which resource: legacy sessions (`resources/subscribe`) and open requests of modern
//! clients (`subscriptions/listen`).
//!
//! A server is told when the first wants a resource and when the last does not. How it is told is `downstream.rs`.

use crate::auth::caller::Caller;
use crate::catalog::route::Route;
use crate::catalog::uri_owner::UriError;
use crate::config::model::Sharing;
use crate::config::model::access::ObjectKind;
use crate::downstream::handle::ServerHandle;
use crate::downstream::private::Key;
use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::isolation;
use crate::gateway::permission;
use crate::gateway::relay::capabilities_of;
use crate::gateway::relayed::NotRelayed;
use crate::gateway::relayed::Relayed;
use crate::gateway::relayed::refuse;
use crate::gateway::reply::Failure;
use crate::gateway::resources::not_found;
use crate::gateway::snapshot::Snapshot;
use crate::name::ServerName;
use crate::policy::Denied;
use crate::protocol::code;
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use crate::wire::message::read_text;
use crate::wire::meta;
use crate::wire::pending::Owner;
use std::borrow::Cow;
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

/// One connection of a server: the one that all share, or that of `whose`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// The server.
    pub(super) server: ServerName,
    /// Whose the connection is.
    pub(super) whose: Option<Key>,
}

impl Place {
    /// Where a handle leads.
    pub(super) fn of(handle: &ServerHandle) -> Self {
        Self { server: handle.server().name.clone(), whose: handle.key().cloned() }
    }
}

/// By connection and URI.
type Wanted = HashMap<Place, HashMap<Box<str>, Vec<Subscriber>>>;

/// All subscriptions to resources.
#[derive(Debug, Default)]
pub struct Registry(Mutex<Wanted>);

impl Registry {
    /// `false` when this client has too many.
    pub(super) fn add(&self, place: &Place, uri: &str, who: &Subscriber, limit: usize) -> bool {
        let mut table = self.lock();
        let all = table.values().flat_map(HashMap::values).flatten();
        if all.filter(|one| one.session() == who.session()).count() >= limit {
            return false;
        }
        let subscribers = table.entry(place.clone()).or_default().entry(uri.into()).or_default();
        if !subscribers.contains(who) {
            subscribers.push(who.clone());
        }
        true
    }

    /// Removes what `which` says; what nobody wants any more then.
    fn remove(&self, which: impl Fn(&Place, &str, &Subscriber) -> bool) -> Vec<(Place, Box<str>)> {
        let mut unwanted = Vec::new();
        self.lock().retain(|place, uris| {
            uris.retain(|uri, subscribers| {
                subscribers.retain(|one| !which(place, uri, one));
                if subscribers.is_empty() {
                    unwanted.push((place.clone(), uri.clone()));
                }
                !subscribers.is_empty()
            });
            !uris.is_empty()
        });
        unwanted
    }

    /// Runs `then` if nobody has come meanwhile who wants `uri`; nobody can while it runs.
    fn unless_wanted(&self, place: &Place, uri: &str, then: impl FnOnce()) {
        let table = self.lock();
        if !table.get(place).is_some_and(|uris| uris.contains_key(uri)) {
            then();
        }
    }

    /// Has the connections of `shared` asked for everything that is wanted of them.
    pub(super) fn ask(&self, shared: &ServerHandle) {
        let table = self.lock();
        let theirs = table.iter().filter(|(place, _)| place.server == shared.server().name);
        let theirs: Vec<(Option<Key>, Vec<Box<str>>)> =
            theirs.map(|(place, uris)| (place.whose.clone(), uris.keys().cloned().collect())).collect();
        drop(table);
        for (whose, uris) in theirs {
            let private = whose.map(|key| shared.private(key));
            let handle = match &private {
                None => shared,
                Some(Ok(private)) => private,
                Some(Err(_)) => continue,
            };
            uris.iter().for_each(|uri| handle.want_updates(uri));
        }
    }

    /// Who hears of an update of `uri`: it may be a part of what they subscribed to.
    fn hearers(&self, place: &Place, uri: &str) -> Vec<Subscriber> {
        let table = self.lock();
        let uris = table.get(place).into_iter().flatten();
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
    let (uri, handle, exchange) = target(snapshot, incoming, exchange)?;
    let who = Subscriber::Session(exchange.session().key());
    let place = Place::of(&handle);
    let limit = snapshot.config.settings.limits.subscriptions_per_client;
    if !core.registry.add(&place, &uri, &who, limit) {
        return refuse(Failure::too_many_subscriptions(limit), exchange);
    }
    handle.want_updates(&uri);
    let core = Arc::clone(core);
    core.clone().tasks.spawn(async move {
        match word(&handle, &uri).await {
            Ok(()) if exchange.session().has_given_up(exchange.id()) => {
                core.unsubscribe(|at, subscribed, one| *at == place && subscribed == uri && *one == who);
                exchange.forget();
            }
            Ok(()) if exchange.session().is_closed() => {
                core.unsubscribe(|_, _, one| *one == who);
                exchange.fail(&Failure::session_ended());
            }
            Ok(()) => exchange.result(b"{}"),
            Err(why) => {
                core.unsubscribe(|at, subscribed, one| *at == place && subscribed == uri && *one == who);
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
    let (uri, handle, exchange) = target(snapshot, incoming, exchange)?;
    let who = Subscriber::Session(exchange.session().key());
    let server = &handle.server().name;
    // Whichever connection it was that was asked for it.
    core.unsubscribe(|at, subscribed, one| at.server == *server && *subscribed == *uri && *one == who);
    exchange.result(b"{}");
    Ok(())
}

/// The URI, and the connection of its server that this caller uses.
fn target(
    snapshot: &Snapshot,
    incoming: &Incoming<'_>,
    exchange: Exchange,
) -> Result<(String, ServerHandle, Exchange), Box<NotRelayed>> {
    let uri = match incoming.text("uri") {
        Ok(uri) => uri.into_owned(),
        Err(failure) => return Err(NotRelayed::refused(failure, exchange)),
    };
    let era = exchange.era();
    let owner = permission::owner_of_uri(snapshot, exchange.session().caller(), &uri);
    let server = match owner {
        Ok(server) => server.clone(),
        Err(why) => return Err(NotRelayed::unknown(not_found(&uri, &why, era), exchange)),
    };
    match permitted(snapshot, incoming, &exchange, &server, &uri) {
        Ok(Ok(handle)) => Ok((uri, handle, exchange)),
        Ok(Err(failure)) => Err(NotRelayed::refused(failure, exchange)),
        Err(Denied::ListOnly) => {
            Err(NotRelayed::refused(Failure::list_only(ObjectKind::Resource, &uri), exchange))
        }
        Err(Denied::Hidden) => Err(NotRelayed::unknown(not_found(&uri, &UriError::NotFound, era), exchange)),
    }
}

/// The connection of the server, for a caller who may read this of it: [`Denied`] for another. A connection that lasts for one
/// call only could tell of nothing, so the shared one is asked then.
pub(super) fn permitted(
    snapshot: &Snapshot,
    incoming: &Incoming<'_>,
    exchange: &Exchange,
    server: &ServerName,
    uri: &str,
) -> Result<Result<ServerHandle, Failure>, Denied> {
    let route = Route { server: server.clone(), own_name: uri.to_owned() };
    snapshot.policy.permit(exchange.session().caller(), ObjectKind::Resource, &route)?;
    let shared = snapshot.server(server).ok_or(Denied::Hidden)?;
    if shared.server().sharing == Sharing::PerCall {
        // The shared one would show another credential.
        return match shared.server().is_personal() {
            true => Ok(Err(Failure::no_updates(&shared.server().name))),
            false => Ok(Ok(shared.clone())),
        };
    }
    let capabilities = capabilities_of(snapshot, incoming, exchange.session());
    Ok(isolation::connection(shared, &capabilities, exchange).map(Cow::into_owned))
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
    pub(super) fn unsubscribe(&self, which: impl Fn(&Place, &str, &Subscriber) -> bool) {
        let snapshot = self.current();
        for (place, uri) in self.registry.remove(which) {
            if let Some(handle) = snapshot.connection(&place.server, place.whose.as_ref()) {
                self.registry.unless_wanted(&place, &uri, || handle.unwant_updates(&uri));
            }
        }
    }

    /// A server says over this connection that a resource has changed: whoever wants to hear of it does.
    pub(super) fn tell_update(&self, place: &Place, params: &str) {
        let Ok(members) = Members::parse_with_duplicates(params) else { return };
        let uri = members.get("uri").and_then(|raw| read_text(raw).ok());
        let Some(uri) = uri else { return };
        let hearers = self.registry.hearers(place, &uri);
        if hearers.is_empty() {
            return;
        }
        let sessions = self.sessions();
        let (policy, route) = (
            self.current().policy.clone(),
            Route { server: place.server.clone(), own_name: uri.into_owned() },
        );
        let permitted = |caller: &Caller| policy.permit(caller, ObjectKind::Resource, &route).is_ok();
        for hearer in hearers {
            match hearer {
                Subscriber::Session(key) => {
                    let session = sessions.iter().find(|session| session.key() == key);
                    if let Some(session) = session.filter(|session| permitted(session.caller())) {
                        session.notify("notifications/resources/updated", Some(&tagged(&members, None)));
                    }
                }
                Subscriber::Listen(key, id) => {
                    let params = tagged(&members, Some(&id));
                    self.subscribers.tell_update(key, &id, &params, permitted);
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
        let server = Place { server, whose: None };
        let (one, two) = (Subscriber::Session(1), Subscriber::Listen(2, "7".into()));
        assert!(registry.add(&server, "a:x", &one, 2) && registry.add(&server, "a:x", &two, 2));
        assert!(registry.add(&server, "a:y", &one, 2));
        assert!(!registry.add(&server, "a:z", &one, 2));
        assert_eq!(registry.hearers(&server, "a:x/part"), [one.clone(), two.clone()]);
        assert!(registry.hearers(&server, "a:xy").is_empty());
        assert_eq!(registry.remove(|_, _, who| *who == one), [(server.clone(), "a:y".into())]);
        assert_eq!(registry.remove(|_, _, who| *who == two), [(server.clone(), "a:x".into())]);
        assert!(registry.add(&server, "a:x", &one, 2));
        registry.unless_wanted(&server, "a:x", || panic!("somebody came meanwhile"));
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
