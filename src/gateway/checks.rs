//! What is checked of a call besides who makes it: its arguments before, its result after.
//!
//! How a schema is used is `catalog/arguments.rs`; a call that nobody wants checked costs two comparisons.

use crate::config::model::Server;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::relayed::Relayed;
use crate::gateway::relayed::refuse;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::protocol::code;
use crate::protocol::version::Era;
use crate::telemetry::event;
use serde_json::json;

/// What a session of a program is said to come over.
const PROGRAM: &str = "program";

/// What is wrong with the arguments of a call of the tool `name`, as clients know it.
pub(super) fn arguments(
    snapshot: &Snapshot,
    server: &Server,
    name: &str,
    incoming: &Incoming<'_>,
    exchange: &Exchange,
) -> Option<Failure> {
    if !server.checks.arguments.unwrap_or_else(|| is_program(exchange)) {
        return None;
    }
    let checker = snapshot.catalog.checker(name, |why| event::schema_unusable(&server.name, name, why))?;
    let given = incoming.params.get("arguments").filter(|raw| raw.get() != "null");
    let faults = checker.check(given.map(|raw| raw.get())).err()?;
    let text = format!("invalid arguments of `{name}`: {}", faults.join("; "));
    Some(Failure::new(code::INVALID_PARAMS, text).with(json!({"arguments": faults})))
}

/// Answers a call whose arguments are wrong, in the way that lets a model mend them: as what the tool says (2025-11-25,
/// "tool execution errors"). Programs get an error.
pub(super) fn refuse_arguments(failure: Failure, exchange: Exchange) -> Relayed {
    if is_program(&exchange) || exchange.tracked().is_some() {
        return refuse(failure, exchange);
    }
    let mut result = json!({"content": [{"type": "text", "text": failure.message}], "isError": true});
    if exchange.era() == Era::Modern {
        result["resultType"] = "complete".into();
    }
    exchange.result(result.to_string().as_bytes());
    Ok(())
}

/// The failure of a result of `bytes` that is larger than the entry allows.
pub(super) fn result(server: &Server, bytes: usize) -> Option<Failure> {
    let limit = server.checks.result_limit.filter(|limit| bytes > *limit)?;
    let text = format!(
        "server `{}` answered with {bytes} bytes, and its entry allows {limit} (`resultLimit`); ask for less, or raise it",
        server.name
    );
    Some(Failure::new(code::INTERNAL_ERROR, text).with(json!({"server": server.name.as_str()})))
}

fn is_program(exchange: &Exchange) -> bool {
    exchange.session().presence().is_some_and(|presence| presence.transport() == PROGRAM)
}
