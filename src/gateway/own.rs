//! Tools of the gateway itself, for callers with the level `admin`: its state, and a new start of a server.
//!
//! There are none where there are no rules. Who may use them is decided by `policy`, like the tools of any server; what the
//! state is by `status.rs`.

use crate::auth::caller::Caller;
use crate::catalog::lists::Item;
use crate::catalog::lists::ServerLists;
use crate::catalog::merge::Part;
use crate::catalog::route::Route;
use crate::config::model::Server;
use crate::config::model::Stdio;
use crate::config::model::Transport;
use crate::config::model::access::GATEWAY;
use crate::config::model::access::ObjectKind;
use crate::gateway::core::Core;
use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::relayed::Relayed;
use crate::gateway::relayed::refuse;
use crate::gateway::relayed::unknown;
use crate::gateway::reply::Failure;
use crate::gateway::snapshot::Snapshot;
use crate::gateway::status;
use crate::name::ServerName;
use crate::policy::Policy;
use crate::protocol::version::Era;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use serde_json::value::to_raw_value;
use std::sync::Arc;
use std::sync::LazyLock;

const STATUS: &str = "status";
const RESTART: &str = "restart";

/// What the tools are given. A key that is there twice is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    server: Option<String>,
    agent_id: Option<String>,
}

/// They are merged like those of a server of this name, which is never started.
static SERVER: LazyLock<Server> = LazyLock::new(|| {
    Server::new(
        ServerName::new(GATEWAY).expect("the name is a plain word"),
        Transport::Stdio(Stdio::default()),
    )
});

static LISTS: LazyLock<Arc<ServerLists>> = LazyLock::new(|| {
    Arc::new(ServerLists {
        era: Era::Modern,
        version: String::new(),
        capabilities: to_raw_value(&json!({ "tools": {} })).expect("it is plain JSON"),
        server_info: None,
        instructions: None,
        tools: vec![status_tool(), restart_tool()],
        prompts: Vec::new(),
        resources: Vec::new(),
        templates: Vec::new(),
        asks: false,
        incomplete: false,
    })
});

/// What they add to the catalog.
pub(super) fn part(policy: &Policy) -> Option<Part<'static>> {
    (!policy.is_open()).then(|| Part { server: &SERVER, lists: Some(Arc::clone(&LISTS)) })
}

/// Whether `route` leads to one of them. Only asked where there are rules.
pub(super) fn is_own(route: &Route) -> bool {
    route.server.as_str() == GATEWAY
}

/// Answers a call that the caller may make. `failure` is the answer to a name that does not exist.
pub(super) fn call(
    core: &Core,
    snapshot: &Snapshot,
    route: &Route,
    incoming: &Incoming<'_>,
    exchange: Exchange,
    failure: impl FnOnce(&Exchange) -> Failure,
) -> Relayed {
    let arguments = match read(incoming) {
        Ok(arguments) => arguments,
        Err(failure) => return refuse(failure, exchange),
    };
    let caller = match acting(exchange.session().caller(), arguments.agent_id.as_deref()) {
        Ok(caller) => caller,
        Err(failure) => return refuse(failure, exchange),
    };
    if snapshot.policy.permit(&caller, ObjectKind::Tool, route).is_err() {
        return unknown(failure(&exchange), exchange);
    }
    let wanted = arguments.server.as_deref();
    let said = match route.own_name.as_str() {
        RESTART => restart(core, snapshot, &caller, wanted),
        _ => state(core, snapshot, &caller, wanted),
    };
    let result = result(said, exchange.era());
    exchange.result(result.to_string().as_bytes());
    Ok(())
}

fn read(incoming: &Incoming<'_>) -> Result<Arguments, Failure> {
    let Some(given) = incoming.params.get("arguments").filter(|raw| raw.get() != "null") else {
        return Ok(Arguments::default());
    };
    serde_json::from_str(given.get())
        .map_err(|error| Failure::bad_params(incoming.method, format!("`arguments`: {error}")))
}

/// The caller as the agent that the arguments name.
fn acting(caller: &Caller, agent: Option<&str>) -> Result<Caller, Failure> {
    let Some(agent) = agent else { return Ok(caller.clone()) };
    caller
        .clone()
        .acting_as(agent)
        .map_err(|why| Failure::bad_params("tools/call", format!("`agent_id`: {why}")))
}

/// The state as `caller` may see it, of one server or of all.
fn state(core: &Core, snapshot: &Snapshot, caller: &Caller, server: Option<&str>) -> Result<Value, String> {
    let shows = |name: &str| snapshot.policy.may_show(caller, name) && server.is_none_or(|one| one == name);
    let mut all = serde_json::to_value(status::of(core)).map_err(|error| error.to_string())?;
    let mut servers = all["servers"].take();
    let before = servers.as_object().map_or(0, serde_json::Map::len);
    if let Some(servers) = servers.as_object_mut() {
        servers.retain(|name, _| shows(name));
        if let Some(one) = server.filter(|_| servers.is_empty()) {
            return Err(format!("there is no server `{one}`"));
        }
    }
    let is_all = servers.as_object().is_some_and(|servers| servers.len() == before);
    if is_all && snapshot.policy.is_admin(caller) {
        all["servers"] = servers;
        return Ok(all);
    }
    // The rest tells of servers and clients that are not for this caller.
    let kept = ["schemaVersion", "version", "uptimeSecs", "state"];
    let mut few: serde_json::Map<String, Value> =
        kept.into_iter().map(|key| (key.to_owned(), all[key].take())).collect();
    few.insert("servers".to_owned(), servers);
    Ok(Value::Object(few))
}

fn restart(core: &Core, snapshot: &Snapshot, caller: &Caller, server: Option<&str>) -> Result<Value, String> {
    let wanted = server.ok_or("`server` is missing: name the server that is to be restarted")?;
    let name = ServerName::new(wanted).ok();
    let name =
        name.filter(|name| snapshot.server(name).is_some() && snapshot.policy.may_show(caller, wanted));
    let name = name.ok_or_else(|| format!("there is no server `{wanted}`"))?;
    if core.restart(&name) {
        Ok(json!({ "restarted": wanted }))
    } else {
        Err(format!("server `{wanted}` serves clients of other folders too, or is no longer there"))
    }
}

fn result(said: Result<Value, String>, era: Era) -> Value {
    let mut result = match said {
        Ok(value) => {
            let text = serde_json::to_string_pretty(&value).unwrap_or_default();
            json!({ "content": [{ "type": "text", "text": text }], "structuredContent": value })
        }
        Err(text) => json!({ "content": [{ "type": "text", "text": text }], "isError": true }),
    };
    if era == Era::Modern {
        result["resultType"] = "complete".into();
    }
    result
}

fn status_tool() -> Item {
    tool(&json!({
        "name": STATUS,
        "description": "The state of the gateway and of the servers behind it: which run, which failed and why.",
        "inputSchema": schema(&json!([])),
        "annotations": { "readOnlyHint": true, "openWorldHint": false },
    }))
}

fn restart_tool() -> Item {
    tool(&json!({
        "name": RESTART,
        "description": "Ends a server behind the gateway after its calls in flight, and starts it anew.",
        "inputSchema": schema(&json!(["server"])),
        "annotations": { "readOnlyHint": false, "destructiveHint": true, "openWorldHint": false },
    }))
}

fn schema(required: &Value) -> Value {
    json!({
        "type": "object",
        "properties": {
            "server": { "type": "string", "description": "A server, by its name in the configuration." },
            "agent_id": { "type": "string", "description": "The agent that asks, where the credential may name one." },
        },
        "required": required,
        "additionalProperties": false,
    })
}

fn tool(definition: &Value) -> Item {
    let key = definition["name"].as_str().unwrap_or_default().to_owned();
    Item { key, raw: to_raw_value(definition).expect("it is plain JSON") }
}
