//! `policy explain`: which rule of the file decides what a caller may do.
//!
//! It starts no server: names that clients see are looked up in what is saved of the lists.

use crate::app::App;
use crate::auth::local;
use crate::catalog::route::Route;
use crate::cli::arguments::Explain;
use crate::cli::arguments::Global;
use crate::cli::arguments::Policy;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::startup;
use crate::config::model::access::ObjectKind;
use crate::config::model::auth::Callers;
use crate::name::ServerName;
use crate::policy::explain::Explained;
use crate::policy::explain::explain;
use crate::policy::object::Object;
use crate::policy::subject::Subject;
use crate::telemetry::clean::clean;
use serde_json::json;
use std::collections::BTreeMap;

/// Longest name shown, in bytes.
const SHOWN: usize = 200;

/// Explains.
pub async fn run(global: &Global, policy: &Policy) -> Exit {
    let Policy::Explain(asked) = policy;
    if let Err(exit) = startup::start_log(global, Some("error")) {
        return exit;
    }
    let app = match startup::app(global).await {
        Ok(app) => app,
        Err(exit) => return exit,
    };
    let asked_about = subject(asked, &app.gateway().config().settings.callers)
        .and_then(|subject| Ok((subject, object(&app, asked)?)));
    let exit = match asked_about {
        Ok((subject, (kind, route))) => {
            let object = Object { kind, server: route.server.as_str(), name: &route.own_name };
            let explained = explain(&app.gateway().config().settings, &subject, &object);
            show(asked, &subject, &object, &explained);
            Exit::Ok
        }
        Err(why) => output::fail(Exit::Usage, &why),
    };
    app.close().await;
    exit
}

/// The caller that is asked about; of one that the file knows, what it says and the command line does not.
fn subject(asked: &Explain, callers: &Callers) -> Result<Subject, String> {
    let known = match &asked.caller {
        None => Subject::of(&local::usual(callers)),
        Some(name) => match local::caller(callers, Some(name)) {
            Ok(caller) => Subject::of(&caller),
            Err(_) => Subject { name: name.clone(), principal: name.clone(), ..Subject::default() },
        },
    };
    let mut claims: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for claim in &asked.claim {
        let Some((name, value)) = claim.split_once('=') else {
            return Err(format!("`--claim {claim}` has no `=`: write `--claim groups=ops`"));
        };
        claims.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    Ok(Subject {
        team: asked.team.clone().or(known.team),
        organisation: asked.organisation.clone().or(known.organisation),
        agent: asked.agent.clone().or(known.agent),
        claims,
        ..known
    })
}

/// What is asked about, by its server's own name.
fn object(app: &App, asked: &Explain) -> Result<(ObjectKind, Route), String> {
    let snapshot = app.gateway().snapshot();
    let catalog = &snapshot.catalog;
    let (kind, name) = match (&asked.tool, &asked.prompt, &asked.resource) {
        (Some(tool), ..) => (ObjectKind::Tool, tool),
        (_, Some(prompt), _) => (ObjectKind::Prompt, prompt),
        (.., Some(uri)) => (ObjectKind::Resource, uri),
        (None, None, None) => return Err("give one of `--tool`, `--prompt` and `--resource`".to_owned()),
    };
    let of = |server: ServerName, own: &str| Route { server, own_name: own.to_owned() };
    if let Some(server) = &asked.server {
        let server = ServerName::new(server).map_err(|why| why.to_string())?;
        return Ok((kind, of(server, name)));
    }
    let shown = match kind {
        ObjectKind::Tool => catalog.resolve_tool(name).cloned(),
        ObjectKind::Prompt => catalog.resolve_prompt(name).cloned(),
        ObjectKind::Resource => catalog.owner_of_uri(name).ok().map(|server| of(server.clone(), name)),
    };
    let spelled = || {
        let (server, own) = name.split_once('/').filter(|_| kind != ObjectKind::Resource)?;
        let server = ServerName::new(server).ok().filter(|server| snapshot.servers.contains_key(server))?;
        Some(of(server, own))
    };
    let found = shown.or_else(spelled).ok_or_else(|| {
        let (kind, name) = (kind.name(), clean(name, SHOWN));
        format!(
            "{kind} `{name}` is not known: run `mcp-manifold tools` once, or say `--server` and its own name"
        )
    });
    Ok((kind, found?))
}

fn show(asked: &Explain, subject: &Subject, object: &Object<'_>, explained: &Explained) {
    let Explained { level, decided_by, rulings } = explained;
    if asked.json {
        let document = json!({
            "schemaVersion": 1,
            "caller": subject.name,
            "object": { "kind": object.kind.name(), "server": object.server, "name": object.name },
            "level": level,
            "decidedBy": decided_by,
            "rulings": rulings,
        });
        return output::json(&format!("{document:#}"));
    }
    let (caller, name) = (clean(&subject.name, SHOWN), clean(object.name, SHOWN));
    let (kind, server) = (object.kind.name(), clean(object.server, SHOWN));
    output::result(&format!("{level}: caller `{caller}`, {kind} `{name}` of server `{server}`"));
    output::result(&format!("decided by {decided_by}"));
    for said in rulings {
        output::result(&format!("  {:8} {}", said.level, said.by));
    }
}
