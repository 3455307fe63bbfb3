//! What servers say unasked, on its way to the right client or to nobody.
//!
//! A line that cannot be attributed reaches no client while several share the server.

use crate::catalog::lists::ServerLists;
use crate::downstream::link::Link;
use crate::downstream::link::Listener;
use crate::downstream::link::Source;
use crate::downstream::listen::hear_acknowledged;
use crate::downstream::private::Key;
use crate::gateway::ask;
use crate::gateway::core::Core;
use crate::gateway::isolation;
use crate::gateway::logging;
use crate::gateway::tasks::followed;
use crate::gateway::tasks::heard;
use crate::gateway::updates::Place;
use crate::name::ServerName;
use crate::wire::members::Members;
use crate::wire::message::read_text;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::Weak;

/// The ears of a gateway. Weak, because servers must not keep it alive.
pub(super) struct Ears(pub(super) Weak<Core>);

impl Listener for Ears {
    fn notification(&self, source: Source<'_>, method: &str, params: Option<&RawValue>) {
        let Some(core) = self.0.upgrade() else { return };
        match method {
            "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed" => {
                if let Some(handle) = core.current().server(source.server) {
                    handle.relist();
                }
            }
            "notifications/cancelled" => {
                let params = params.and_then(|raw| Members::parse(raw.get()).ok());
                if let Some(id) = params.and_then(|params| params.get("requestId")) {
                    source.link.pending().retract(id.get());
                }
            }
            "notifications/resources/updated" => {
                if let Some(params) = params {
                    let place = Place { server: source.server.clone(), whose: source.whose.cloned() };
                    core.tell_update(&place, params.get());
                }
            }
            "notifications/subscriptions/acknowledged" => {
                let handle = core.current().connection(source.server, source.whose);
                if let (Some(params), Some(handle)) = (params, handle) {
                    hear_acknowledged(handle.updates(), params.get());
                }
            }
            "notifications/elicitation/complete" => page_done(&core, &source, method, params),
            "notifications/message" => {
                let server = core.current().server(source.server).cloned();
                let label = server.as_ref().and_then(|handle| handle.server().label());
                let params = params.map(|raw| heard::outward(&core, &source, raw.get()));
                let params = params.as_deref();
                let named = params.zip(label).and_then(|(raw, label)| logging::attributed(raw, label));
                log_line(&core, &source, named.as_deref().or(params));
            }
            "notifications/tasks" => followed::told(&core, &source, method, params.map(RawValue::get)),
            "notifications/tasks/status" => heard::status(&core, &source, method, params.map(RawValue::get)),
            // Unknown ones are ignored, as the protocol asks.
            _ => {}
        }
    }

    fn lists_read(&self, server: &ServerName, lists: &Arc<ServerLists>) {
        if let Some(core) = self.0.upgrade() {
            core.note_lists(server, lists);
            if let Some(handle) = core.current().server(server) {
                logging::tell(&core, handle);
            }
        }
    }

    fn private_ready(&self, server: &ServerName, whose: &Key, link: &Arc<dyn Link>) {
        if let Some(core) = self.0.upgrade() {
            logging::tell_private(&core, server, whose, &**link);
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
        let Some(core) = self.0.upgrade() else { return };
        if source.whose.is_none()
            && let Some(shared) = core.current().server(source.server)
        {
            isolation::note_asking(&core, shared, method);
        }
        let params = params.map(|raw| heard::outward(&core, &source, raw.get()));
        ask::pass_on(&core, source, &link, id, method, params.as_deref());
    }
}

/// To the client that was told to open the page, and to nobody else.
fn page_done(core: &Core, source: &Source<'_>, method: &str, params: Option<&RawValue>) {
    let Some(raw) = params else { return };
    let members = Members::parse(raw.get()).ok();
    let Some(elicitation) = members.and_then(|members| members.get("elicitationId")) else { return };
    // Each connection of a server may count from one.
    let whose = source.whose.and_then(Key::session);
    let mut asked =
        core.sessions().into_iter().filter(|session| whose.is_none_or(|key| session.key() == key));
    let told = asked.find(|session| session.take_page(source.server, elicitation.get()));
    if let Some(session) = told {
        session.notify(method, Some(raw.get()));
    }
}

/// To the client whose call caused it; without calls, to the only client there is.
fn log_line(core: &Core, source: &Source<'_>, params: Option<&str>) {
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
    if let Some(session) = whose {
        let session = session.and_then(|key| core.session(key));
        if let Some(session) = session.filter(|session| level.is_none_or(|level| session.wants_log(&level))) {
            session.notify("notifications/message", params);
        }
        return;
    }
    if let [only] = core.sessions().as_slice()
        && pending.is_empty()
        && level.is_none_or(|level| only.wants_log(&level))
    {
        only.notify("notifications/message", params);
    }
}

/// The severity that a log message names.
pub(super) fn log_level_of(params: &str) -> Option<String> {
    let members = Members::parse(params).ok()?;
    read_text(members.get("level")?).ok().map(std::borrow::Cow::into_owned)
}
