//! What servers say unasked, on its way to the right client or to nobody.
//!
//! A line that cannot be attributed reaches no client while several share the server, in this gateway or beside it.

use crate::catalog::lists::ServerLists;
use crate::downstream::link::Link;
use crate::downstream::link::Listener;
use crate::downstream::link::Source;
use crate::downstream::listen::hear_acknowledged;
use crate::downstream::private::Key;
use crate::downstream::usage::User;
use crate::gateway::ask;
use crate::gateway::core::Core;
use crate::gateway::isolation;
use crate::gateway::logging;
use crate::gateway::session::Session;
use crate::gateway::tasks::followed;
use crate::gateway::tasks::heard;
use crate::gateway::updates::Place;
use crate::name::ServerName;
use crate::wire::members::Members;
use crate::wire::message::read_text;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::Weak;

/// The ears of the gateways that use one server. Weak, because servers must not keep them alive.
///
/// What belongs to a session goes to the gateway that has it; what belongs to nobody in particular, to all that have this
/// server now. A gateway that has let it go is still known here, for its calls that are not done.
pub(super) struct Ears(RwLock<Vec<(User, Weak<Core>)>>);

impl Ears {
    /// The ears of the first one.
    pub(super) fn of(user: User, core: &Weak<Core>) -> Self {
        Self(RwLock::new(vec![(user, Weak::clone(core))]))
    }

    /// One more uses the server.
    pub(super) fn join(&self, user: User, core: &Weak<Core>) {
        let mut cores = self.0.write().unwrap_or_else(PoisonError::into_inner);
        cores.retain(|(other, core)| *other != user && core.strong_count() > 0);
        cores.push((user, Weak::clone(core)));
        cores.sort_by_key(|(user, _)| *user);
    }

    /// All that use the server or did, oldest first.
    fn all(&self) -> Vec<Arc<Core>> {
        let cores = self.0.read().unwrap_or_else(PoisonError::into_inner);
        cores.iter().filter_map(|(_, core)| core.upgrade()).collect()
    }

    /// Those that use it now; a gateway alone also hears one that it is about to have no more.
    pub(super) fn users(&self, server: &ServerName) -> Vec<Arc<Core>> {
        let mut cores = self.all();
        if cores.len() > 1 {
            let uses = |core: &Core| core.current().server(server).is_some_and(|one| one.is_heard_by(self));
            cores.retain(|core| uses(core));
        }
        cores
    }

    /// The gateway whose session has caused what is heard; the oldest when that cannot be told.
    fn home(&self, source: &Source<'_>) -> Option<Arc<Core>> {
        let mut cores = self.all();
        if cores.len() > 1 {
            let pending = source.link.pending();
            let caused = source.call.and_then(|call| pending.owner_of(call));
            let whose = || source.whose.and_then(Key::session).or_else(|| pending.sole_owner());
            let has = |core: &Arc<Core>, owner| core.session(owner).is_some();
            let at = caused.or_else(whose).and_then(|owner| cores.iter().position(|core| has(core, owner)));
            return Some(cores.swap_remove(at.unwrap_or(0)));
        }
        cores.pop()
    }

    /// Told to each gateway that uses the server.
    fn told(&self, core: &Core, source: Source<'_>, method: &str, params: Option<&RawValue>) {
        match (method, params) {
            ("notifications/resources/updated", Some(params)) => {
                let place = Place { server: source.server.clone(), whose: source.whose.cloned() };
                core.tell_update(&place, params.get());
            }
            ("notifications/tasks", _) => followed::told(core, &source, method, params.map(RawValue::get)),
            ("notifications/tasks/status", _) => {
                heard::status(core, &source, method, params.map(RawValue::get));
            }
            // Unknown ones are ignored, as the protocol asks.
            _ => {}
        }
    }
}

impl Listener for Ears {
    fn notification(&self, source: Source<'_>, method: &str, params: Option<&RawValue>) {
        let server = source.server;
        match method {
            "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed" => {
                if let Some(handle) = self.users(server).first().and_then(|core| core.server(server)) {
                    handle.relist();
                }
            }
            "notifications/cancelled" => {
                let params = params.and_then(|raw| Members::parse(raw.get()).ok());
                if let Some(id) = params.and_then(|params| params.get("requestId")) {
                    source.link.pending().retract(id.get());
                }
            }
            "notifications/subscriptions/acknowledged" => {
                let users = self.users(server);
                let handle = users.first().and_then(|core| core.current().connection(server, source.whose));
                if let (Some(params), Some(handle)) = (params, handle) {
                    hear_acknowledged(handle.updates(), params.get());
                }
            }
            "notifications/elicitation/complete" => {
                let done = |core: &Arc<Core>| page_done(core, &source, method, params);
                self.all().iter().any(done);
            }
            "notifications/message" => {
                let Some(core) = self.home(&source) else { return };
                let label = core.server(server);
                let label = label.as_ref().and_then(|handle| handle.server().label());
                let params = params.map(|raw| heard::outward(&core, &source, raw.get()));
                let params = params.as_deref();
                let named = params.zip(label).and_then(|(raw, label)| logging::attributed(raw, label));
                self.log_line(&core, &source, named.as_deref().or(params));
            }
            _ => self.users(server).iter().for_each(|core| self.told(core, source, method, params)),
        }
    }

    fn lists_read(&self, server: &ServerName, lists: &Arc<ServerLists>) {
        let users = self.users(server);
        self.all().iter().for_each(|core| core.hold_at_once(server, lists));
        if let Some(first) = users.first() {
            first.note_lists(server, lists);
            if let Some(handle) = first.server(server) {
                logging::tell(&users, &handle);
            }
        }
        // One that is about to have it may have looked at its lists before they came.
        let told = |core: &Arc<Core>| users.first().is_some_and(|first| Arc::ptr_eq(core, first));
        self.all().iter().filter(|core| !told(core)).for_each(|core| core.note_change());
    }

    fn private_ready(&self, server: &ServerName, whose: &Key, link: &Arc<dyn Link>) {
        let has = |core: &&Arc<Core>| whose.session().is_some_and(|key| core.session(key).is_some());
        if let Some(core) = self.all().iter().find(has) {
            logging::tell_private(core, server, whose, &**link);
        }
    }

    fn request(
        &self,
        source: Source<'_>,
        link: Arc<dyn Link>,
        id: &RawValue,
        method: &str,
        params: Option<&RawValue>,
    ) {
        let Some(core) = self.home(&source) else { return };
        if source.whose.is_none()
            && let Some(user) = self.users(source.server).first()
            && let Some(shared) = user.server(source.server)
        {
            isolation::note_asking(user, &shared, method);
        }
        let params = params.map(|raw| heard::outward(&core, &source, raw.get()));
        ask::pass_on(&core, source, &link, id, method, params.as_deref());
    }
}

impl Ears {
    /// To the client whose call caused it; without calls, to the only client there is.
    fn log_line(&self, core: &Core, source: &Source<'_>, params: Option<&str>) {
        let pending = source.link.pending();
        if let Some(call) = source.call {
            pending.notice_call(call, "notifications/message", params);
            return;
        }
        let whose = source.whose.map(Key::session);
        if let Some(owner) = whose.flatten().or_else(|| pending.sole_owner())
            && pending.notice(owner, "notifications/message", params)
        {
            return;
        }
        let level = params.and_then(log_level_of);
        let policy = &core.current().policy;
        let shown = |session: &Session| policy.may_show(session.caller(), source.server.as_str());
        let wants =
            |session: &Session| shown(session) && level.as_ref().is_none_or(|level| session.wants_log(level));
        if let Some(session) = whose {
            let session = session.and_then(|key| core.session(key));
            if let Some(session) = session.filter(|session| wants(session)) {
                session.notify("notifications/message", params);
            }
            return;
        }
        let sessions: Vec<_> = self.all().iter().flat_map(|core| core.sessions()).collect();
        if let [only] = sessions.as_slice()
            && pending.is_empty()
            && wants(only)
        {
            only.notify("notifications/message", params);
        }
    }
}

/// To the client that was told to open the page, and to nobody else. `true` when it is one of this gateway.
fn page_done(core: &Core, source: &Source<'_>, method: &str, params: Option<&RawValue>) -> bool {
    let Some(raw) = params else { return false };
    let members = Members::parse(raw.get()).ok();
    let Some(elicitation) = members.and_then(|members| members.get("elicitationId")) else { return false };
    // Each connection of a server may count from one.
    let whose = source.whose.and_then(Key::session);
    let mut asked =
        core.sessions().into_iter().filter(|session| whose.is_none_or(|key| session.key() == key));
    let told = asked.find(|session| session.take_page(source.server, elicitation.get()));
    if let Some(session) = &told {
        session.notify(method, Some(raw.get()));
    }
    told.is_some()
}

/// The severity that a log message names.
pub(super) fn log_level_of(params: &str) -> Option<String> {
    let members = Members::parse(params).ok()?;
    read_text(members.get("level")?).ok().map(std::borrow::Cow::into_owned)
}
