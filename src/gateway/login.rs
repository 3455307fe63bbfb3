//! A call to a server that needs a login, of a client that can open a page for it.
//!
//! The page is offered to who gets to it and may log in there; everybody else gets the error that names the command. A
//! legacy client gets an error -32042 and hears when it is done, a modern one a result that asks, and comes back. What the
//! page does is `auth/oauth/offer.rs`. Source: MCP 2025-11-25 and 2026-07-28, `client/elicitation`, URL mode.

use crate::auth::oauth::offer::Asked;
use crate::auth::oauth::offer::Offer;
use crate::config::model::Server;
use crate::downstream::handle::ServerHandle;
use crate::gateway::ask::anew::refuses;
use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::lists;
use crate::gateway::relayed::NotRelayed;
use crate::gateway::reply::Failure;
use crate::gateway::session::Session;
use crate::gateway::snapshot::Snapshot;
use crate::policy::Policy;
use crate::protocol::code;
use crate::protocol::input;
use crate::protocol::input::Wanted;
use crate::protocol::version::Era;
use crate::protocol::version::NEWEST_LEGACY;
use crate::telemetry::event;
use crate::telemetry::metric::Metrics;
use crate::wire::members::Members;
use crate::wire::pending::Lost;
use crate::wire::unauthorized::Unauthorized;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tokio::time::timeout;

/// How the question for a login is called in a result; what follows is the public name of the page.
const KEY: &str = "mcp-manifold-login-";
/// What a result may ask for.
const METHODS: [&str; 3] = ["tools/call", "prompts/get", "resources/read"];
/// How long a client that comes back waits for the person at the page; then it is asked again. Less than clients wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether that is still wanted.
const LOOK: Duration = Duration::from_millis(250);

/// Notes that a login may be offered because of this request, should its server want one. `capabilities` are those of its
/// client (JSON text). Part of every call: nothing is looked at for servers where nobody can log in.
pub(super) fn note(
    snapshot: &Snapshot,
    incoming: &Incoming<'_>,
    server: &Server,
    capabilities: &str,
    exchange: &mut Exchange,
) {
    if !server.has_login() || !exchange.session().passed.is_here() {
        return;
    }
    // What belongs to a question of the server is its own: it cannot be asked in between.
    let answers =
        || incoming.params.get(input::STATE).or_else(|| incoming.params.get(input::RESPONSES)).is_some();
    let opens_pages = || capabilities.contains("\"url\"") && Wanted::Url.is_declared(capabilities);
    if incoming.modern.is_none() || (opens_pages() && !answers()) {
        exchange.may_log_in(&snapshot.present);
    }
}

/// Whether a page may be there for `asked`. The login of the gateway is used for everybody, so that it takes an admin.
pub(super) fn may(policy: &Policy, asked: &Asked) -> bool {
    let Asked { caller, server, whose, .. } = asked;
    policy.may_show(caller, server.name.as_str()) && (whose.is_some() || policy.is_admin(caller))
}

/// Answers `exchange`, whose server wants a login, with a page for that. Gives it back when none can be offered.
pub(super) fn offer(
    exchange: Exchange,
    handle: &ServerHandle,
    method: &str,
    lacks: &Unauthorized,
) -> Result<(), Exchange> {
    let Some(page) = page(&exchange, handle, method, lacks) else { return Err(exchange) };
    match exchange.era() {
        Era::Legacy => {
            tell_when_done(exchange.session(), &page);
            exchange.fail(&required(&page, lacks));
        }
        Era::Modern => {
            let (key, params) = (format!("{KEY}{}", page.id()), elicitation(&page, false).to_string());
            let question = (&*key, "elicitation/create", &*params);
            exchange.result(input::input_required(std::iter::once(question), None).as_bytes());
        }
    }
    Ok(())
}

/// Answers a request that was not sent on. When its target is not known, because the server it would be has no lists for
/// want of a login, that is offered.
pub(super) fn refuse(snapshot: &Snapshot, metrics: &Metrics, incoming: &Incoming<'_>, lost: NotRelayed) {
    let NotRelayed { mut failure, mut exchange, may_come } = lost;
    if may_come {
        exchange = match offer_unlisted(snapshot, incoming, exchange) {
            Ok(()) => return,
            Err(exchange) => exchange,
        };
        failure = lists::explain(snapshot, exchange.session().caller(), incoming, failure);
    }
    event::call_refused(metrics, incoming.method, &failure.message);
    exchange.fail(&failure);
}

fn offer_unlisted(
    snapshot: &Snapshot,
    incoming: &Incoming<'_>,
    mut exchange: Exchange,
) -> Result<(), Exchange> {
    let found = lists::unlisted(snapshot, exchange.session().caller(), incoming);
    let Some((handle, Lost::Unauthorized(lacks))) = found else { return Err(exchange) };
    let capabilities = incoming.modern.as_ref().and_then(|modern| modern.capabilities).unwrap_or("{}");
    note(snapshot, incoming, handle.server(), capabilities, &mut exchange);
    offer(exchange, handle, incoming.method, &lacks)
}

fn page(exchange: &Exchange, handle: &ServerHandle, method: &str, lacks: &Unauthorized) -> Option<Offer> {
    let (scopes, present) = (lacks.login.clone()?, exchange.login_terms()?);
    let (session, server, whose) = (exchange.session(), handle.server(), handle.login_of_caller());
    let opens_pages = match exchange.era() {
        Era::Legacy => session.version() == Some(NEWEST_LEGACY) && session.can_answer(Wanted::Url),
        Era::Modern => true,
    };
    // Over the connection that all share only lists are read then, and no caller logs in for that.
    let is_for_lists = server.logs_callers_in() && whose.is_none();
    if !opens_pages || is_for_lists || !METHODS.contains(&method) {
        return None;
    }
    let asked = Asked { caller: session.caller().clone(), server: Arc::clone(server), whose, scopes };
    may(&present.policy(), &asked).then(|| handle.offer_login(asked)).flatten()
}

fn elicitation(page: &Offer, with_id: bool) -> serde_json::Value {
    let Asked { server, whose, .. } = page.asked();
    let whom = if whose.is_some() { "you" } else { "this gateway" };
    let message = format!("Server `{}` needs a login: open this page to log {whom} in.", server.name);
    let mut params = json!({ "mode": "url", "message": message, "url": page.address() });
    if with_id {
        params["elicitationId"] = json!(page.id());
    }
    params
}

/// The address stands in the data alone: texts of errors are logged.
fn required(page: &Offer, lacks: &Unauthorized) -> Failure {
    let text = format!("{lacks}, or open the page that comes with this error");
    Failure::new(code::URL_ELICITATION_REQUIRED, text).with(json!({
        "elicitations": [elicitation(page, true)],
        "server": page.asked().server.name.as_str(),
        "authorization": "needed",
    }))
}

fn tell_when_done(session: &Arc<Session>, page: &Offer) {
    let params = json!({ "elicitationId": page.id() }).to_string();
    let (key, session) = (session.key(), Arc::downgrade(session));
    page.when_done(key, move || {
        if let Some(session) = session.upgrade() {
            session.notify("notifications/elicitation/complete", Some(&params));
        }
    });
}

/// A modern client that was offered a page, and comes back.
pub(super) struct Back {
    /// The public name of the page.
    pub(super) id: String,
    /// The person does not want to.
    refused: bool,
    /// The params without that.
    pub(super) params: String,
}

/// Whether this is one.
pub(super) fn back(incoming: &Incoming<'_>) -> Option<Back> {
    incoming.modern.as_ref()?;
    let responses = incoming.params.get(input::RESPONSES)?;
    memchr::memmem::find(responses.get().as_bytes(), KEY.as_bytes())?;
    let responses = Members::of(responses).ok()?;
    let (key, answer) = responses.iter().find(|(key, _)| key.starts_with(KEY))?;
    let (id, refused) = (key.trim_start_matches(KEY).to_owned(), refuses(answer));
    Some(Back { id, refused, params: input::without_answer(&incoming.params, &responses, key) })
}

impl Back {
    /// The failure to answer when the person does not want to log in; `page` is the one that was offered, which is over then.
    pub(super) fn refusal(&self, page: Option<&Offer>) -> Option<Failure> {
        if !self.refused {
            return None;
        }
        let server = page.map(|page| {
            page.end();
            format!(" to server `{}`", page.asked().server.name)
        });
        let text = format!(
            "the login{} was declined, and without it this cannot be called",
            server.unwrap_or_default()
        );
        Some(Failure::new(code::INTERNAL_ERROR, text).with(json!({ "authorization": "needed" })))
    }
}

/// Waits for the person at the page, as long as a client may be kept waiting that still wants its request `id`.
pub(super) async fn wait(core: Arc<Core>, session: Arc<Session>, id: Box<str>, page: Option<Offer>) {
    let Some(page) = page else { return };
    let needless = async {
        while !(core.standing.is_ending() || session.is_closed() || session.has_given_up(&id)) {
            sleep(LOOK).await;
        }
    };
    let over = async {
        tokio::select! {
            () = page.ended() => {}
            () = needless => {}
        }
    };
    let _ = timeout(PATIENCE, over).await;
}
