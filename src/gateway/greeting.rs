//! `initialize` and `server/discover`: who is there, and what is offered.
//!
//! Neither waits for a server; what is offered does not depend on which servers run.

use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::reply::Failure;
use crate::gateway::sight::Sight;
use crate::gateway::snapshot::Snapshot;
use crate::protocol::capability;
use crate::protocol::legacy;
use crate::protocol::modern;
use crate::protocol::version;
use crate::protocol::version::Era;
use crate::telemetry::event;
use serde_json::value::RawValue;

/// Answers `initialize` of a legacy client, and notes what it said.
pub(super) fn initialize(core: &Core, snapshot: &Snapshot, incoming: &Incoming<'_>, exchange: Exchange) {
    let said: legacy::Initialize<'_> = match serde_json::from_str(incoming.params.raw()) {
        Ok(said) => said,
        Err(why) => return exchange.fail(&Failure::bad_params(incoming.method, why)),
    };
    let version = version::negotiate_legacy(&said.protocol_version);
    let client = said.client_info.clone().unwrap_or_default();
    event::client_connected(&core.around.metrics, "legacy", &client.name, version);
    let apps = snapshot.apps_are_clear(exchange.session().caller());
    let declared = said.capabilities.map_or("{}", RawValue::get);
    let relayable = capability::relayable(declared, Era::Legacy, apps);
    exchange.session().introduce(version, said.client_info, relayable);
    let capabilities = capability::offered(Era::Legacy, apps);
    let offered = with_instructions(snapshot, &exchange, |instructions| {
        legacy::initialize_result(version, &capabilities, instructions)
    });
    exchange.result(&offered);
}

/// Answers `server/discover` of a modern client.
pub(super) fn discover(snapshot: &Snapshot, exchange: Exchange) {
    let apps = snapshot.apps_are_clear(exchange.session().caller());
    let capabilities = capability::offered(Era::Modern, apps);
    let offered = with_instructions(snapshot, &exchange, |instructions| {
        modern::discover_result(&capabilities, instructions)
    });
    exchange.result(&offered);
}

/// Runs `then` with the instructions as this caller sees them.
fn with_instructions<T>(snapshot: &Snapshot, exchange: &Exchange, then: impl FnOnce(&str) -> T) -> T {
    snapshot.sight(exchange.session().caller(), |sight| {
        then(sight.map_or_else(|| snapshot.catalog.instructions(), Sight::instructions))
    })
}
