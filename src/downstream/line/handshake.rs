//! The first words on a connection of lines: `initialize` first, `server/discover` where it is known or needed.
//!
//! A server that took `server/discover` may refuse `initialize` on the same process, so the legacy handshake comes
//! first unless the era is known (`basic/versioning`; every known server understands `initialize`).

use crate::config::model::EraChoice;
use crate::downstream::connect::Greeting;
use crate::downstream::connect::Order;
use crate::downstream::error::StartError;
use crate::downstream::line::LineLink;
use crate::downstream::link::Link;
use crate::downstream::own_call::NoResult;
use crate::downstream::own_call::message_of;
use crate::downstream::own_call::once;
use crate::downstream::request::Request;
use crate::protocol::capability;
use crate::protocol::legacy;
use crate::protocol::legacy::Initialized;
use crate::protocol::modern::Discovered;
use crate::protocol::version;
use crate::protocol::version::Era;
use crate::protocol::version::NEWEST_MODERN;
use crate::telemetry::clean::clean;
use crate::wire::members::Members;
use crate::wire::pending::Patience;
use serde_json::value::RawValue;

const INITIALIZE: &str = "initialize";
const DISCOVER: &str = "server/discover";

/// Finds out who is there.
pub(super) async fn greet(link: &LineLink, order: &Order) -> Result<Greeting, StartError> {
    match (order.server.era, order.era) {
        (EraChoice::Always(Era::Legacy), _) => initialize(link, order).await,
        (EraChoice::Always(Era::Modern), _) => discover(link, order).await,
        (EraChoice::Auto, Some(Era::Modern)) => match discover(link, order).await {
            Err(StartError::Refused { .. }) => initialize(link, order).await,
            other => other,
        },
        (EraChoice::Auto, _) => match initialize(link, order).await {
            Err(refused @ StartError::Refused { .. }) => discover(link, order).await.map_err(|_| refused),
            other => other,
        },
    }
}

/// The legacy handshake alone.
pub(super) async fn initialize(link: &LineLink, order: &Order) -> Result<Greeting, StartError> {
    let params = legacy::initialize_params(&order.declared);
    let raw = ask(link, order, Era::Legacy, INITIALIZE, &params).await?;
    let said: Initialized = serde_json::from_str(raw.get())
        .map_err(|error| refused(order, INITIALIZE, &format!("its answer is unreadable: {error}")))?;
    if version::canonical(&said.protocol_version).is_none() {
        let why =
            format!("it speaks `{}`, a revision that is not known here", clean(&said.protocol_version, 100));
        return Err(refused(order, INITIALIZE, &why));
    }
    link.notify("notifications/initialized", "{}");
    let era = if said.protocol_version == NEWEST_MODERN { Era::Modern } else { Era::Legacy };
    Ok(Greeting {
        era,
        version: said.protocol_version,
        capabilities: said.capabilities,
        server_info: said.server_info,
        instructions: said.instructions,
    })
}

async fn discover(link: &LineLink, order: &Order) -> Result<Greeting, StartError> {
    let raw = ask(link, order, Era::Modern, DISCOVER, "{}").await?;
    let said: Discovered = serde_json::from_str(raw.get())
        .map_err(|error| refused(order, DISCOVER, &format!("its answer is unreadable: {error}")))?;
    if !said.supported_versions.iter().any(|version| version == NEWEST_MODERN) {
        let why = format!("it speaks {} and not {NEWEST_MODERN}", said.supported_versions.join(", "));
        return Err(refused(order, DISCOVER, &why));
    }
    let meta = said.meta.as_deref().and_then(|raw| Members::parse(raw.get()).ok());
    let server_info =
        meta.and_then(|meta| meta.get("io.modelcontextprotocol/serverInfo").map(RawValue::to_owned));
    Ok(Greeting {
        era: Era::Modern,
        version: NEWEST_MODERN.to_owned(),
        capabilities: said.capabilities,
        server_info,
        instructions: said.instructions,
    })
}

async fn ask(
    link: &LineLink,
    order: &Order,
    era: Era,
    method: &'static str,
    params: &str,
) -> Result<Box<RawValue>, StartError> {
    let params = Members::parse(params).map_err(|error| refused(order, method, &error.to_string()))?;
    let request = Request::own(method, &params, capability::FULL);
    let (waiter, answer) = once();
    let closed = || refused(order, method, "it closed the connection");
    link.call_in(era, &request, waiter, Patience::flat(order.server.start_timeout)).map_err(|_| closed())?;
    match answer.await.unwrap_or(Err(NoResult::Closed)) {
        Ok(raw) => Ok(raw),
        Err(NoResult::Error(error)) => Err(refused(order, method, &message_of(&error))),
        Err(other) => Err(refused(order, method, &other.to_string())),
    }
}

fn refused(order: &Order, method: &'static str, why: &str) -> StartError {
    StartError::Refused { server: order.server.name.clone(), method, status: None, why: why.to_owned() }
}
