//! `tools`: every tool that a client on stdio sees.

use crate::auth::local;
use crate::cli::arguments::Global;
use crate::cli::arguments::Tools;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::progress;
use crate::cli::startup;
use crate::config::model::access::ObjectKind;
use crate::gateway::snapshot::Snapshot;
use crate::name::ServerName;
use crate::policy::object::Object;
use crate::telemetry::clean::clean;
use serde::Serialize;
use serde_json::value::RawValue;

/// Longest description shown in the table, in bytes.
const DESCRIPTION: usize = 100;

/// Lists the tools.
pub async fn run(global: &Global, tools: &Tools) -> Exit {
    if let Err(exit) = startup::start_log(global, Some("error")) {
        return exit;
    }
    let app = match startup::app(global).await {
        Ok(app) => app,
        Err(exit) => return exit,
    };
    progress::watch(app.gateway(), app.gateway().settle()).await;
    let snapshot = app.gateway().snapshot();
    let rows = rows(&snapshot);
    let missing = missing(&snapshot);
    if tools.json {
        let listing = Listing { schema_version: 1, tools: &rows, missing: &missing };
        output::json(&serde_json::to_string_pretty(&listing).unwrap_or_default());
    } else {
        print_table(&rows);
    }
    for server in &missing {
        output::note(&format!("warning: {}", server.reason));
    }
    app.close().await;
    match rows.is_empty() && !missing.is_empty() {
        true if missing.iter().all(|server| server.needs_login) => Exit::Authorization,
        true => Exit::Unreachable,
        false => Exit::Ok,
    }
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    server: String,
    tool: String,
    description: String,
    /// The whole definition, as clients see it.
    definition: Box<RawValue>,
}

#[derive(Debug, Serialize)]
struct Listing<'a> {
    #[serde(rename = "schemaVersion")]
    schema_version: u32,
    tools: &'a [Row],
    missing: &'a [Missing],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Missing {
    server: String,
    reason: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    needs_login: bool,
}

#[derive(serde::Deserialize)]
struct Described {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

fn rows(snapshot: &Snapshot) -> Vec<Row> {
    let caller = local::usual(&snapshot.config.settings.callers);
    let shown = snapshot.catalog.tools().filter(|tool| {
        let (server, name) = (tool.route.server.as_str(), tool.route.own_name.as_str());
        snapshot.policy.shows(&caller, &Object { kind: ObjectKind::Tool, server, name })
    });
    let tools = shown.map(|tool| {
        let described = serde_json::from_str::<Described>(tool.raw.get()).ok();
        let description = described.and_then(|said| said.description.or(said.title)).unwrap_or_default();
        Row {
            name: tool.name.to_string(),
            server: tool.route.server.to_string(),
            tool: tool.route.own_name.clone(),
            description,
            definition: tool.raw.clone(),
        }
    });
    tools.collect()
}

fn missing(snapshot: &Snapshot) -> Vec<Missing> {
    let caller = local::usual(&snapshot.config.settings.callers);
    let missing = |name: &ServerName| {
        let status = snapshot.server(name).map(|handle| handle.status());
        let needs_login = status.as_ref().is_some_and(|status| status.needs_login);
        let reason = status.map_or_else(String::new, |status| {
            status.reason.unwrap_or_else(|| format!("it is {}", status.state))
        });
        Missing { server: name.to_string(), reason, needs_login }
    };
    let servers = snapshot.catalog.missing().iter();
    let servers = servers.filter(|server| snapshot.policy.may_show(&caller, server.as_str()));
    servers.map(missing).collect()
}

/// Name, server and the first line of the description, in columns.
fn print_table(rows: &[Row]) {
    let width =
        |of: fn(&Row) -> &str, head: usize| rows.iter().map(|row| of(row).len()).max().unwrap_or(0).max(head);
    let (names, servers) = (width(|row| &row.name, 4), width(|row| &row.server, 6));
    output::result(format!("{:names$}  {:servers$}  DESCRIPTION", "NAME", "SERVER").trim_end());
    for row in rows {
        let first_line = row.description.lines().next().unwrap_or_default();
        let text = format!(
            "{:names$}  {:servers$}  {}",
            row.name,
            clean(&row.server, 128),
            clean(first_line, DESCRIPTION)
        );
        output::result(text.trim_end());
    }
}
