//! `policy explain`: which rule of the file decides what a caller may do.
//!
//! It starts no server: names that clients see are looked up in what is saved of the lists.

use crate::app::App;
use crate::auth::local;
use crate::auth::roster;
use crate::catalog::route::Route;
use crate::cli::arguments::Explain;
use crate::cli::arguments::Global;
use crate::cli::arguments::Policy;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::startup;
use crate::config::model::Settings;
use crate::config::model::access::ObjectKind;
use crate::name::ServerName;
use crate::policy::explain::Explained;
use crate::policy::explain::explain;
use crate::policy::object::Object;
use crate::policy::subject::Subject;
use crate::telemetry::clean::clean;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;

/// Longest name shown, in bytes.
const SHOWN: usize = 200;

/// Somebody who is asked about.
struct Who {
    subject: Subject,
    /// Whether the file says who it is.
    is_known: bool,
}

/// What the rules say of one.
struct Told {
    who: Who,
    explained: Explained,
}

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
    let asked_about = asked_of(asked, &app.gateway().config().settings)
        .and_then(|callers| Ok((callers, object(&app, asked)?)));
    let exit = match asked_about {
        Ok((callers, (kind, route))) => {
            let object = Object { kind, server: route.server.as_str(), name: &route.own_name };
            let settings = &app.gateway().config().settings;
            let told: Vec<Told> = callers
                .into_iter()
                .map(|who| Told { explained: explain(settings, &who.subject, &object), who })
                .collect();
            show(asked, &told, &object);
            Exit::Ok
        }
        Err(why) => output::fail(Exit::Usage, &why),
    };
    app.close().await;
    exit
}

/// Who is asked about: everybody who is called so; of each, what the file says and the command line does not.
fn asked_of(asked: &Explain, settings: &Settings) -> Result<Vec<Who>, String> {
    let mut claims: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for claim in &asked.claim {
        let Some((name, value)) = claim.split_once('=') else {
            return Err(format!("`--claim {claim}` has no `=`: write `--claim groups=ops`"));
        };
        claims.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    let callers = match &asked.caller {
        None => vec![local::usual(&settings.callers)],
        Some(name) => roster::called(settings, name),
    };
    let mut all: Vec<Who> =
        callers.iter().map(|caller| Who { subject: Subject::of(caller), is_known: true }).collect();
    if let (Some(name), true) = (&asked.caller, all.is_empty()) {
        let subject = Subject { name: name.clone(), principal: name.clone(), ..Subject::default() };
        all.push(Who { subject, is_known: false });
    }
    for Who { subject, .. } in &mut all {
        let said = |said: &Option<String>, known: &mut Option<String>| *known = said.clone().or(known.take());
        said(&asked.team, &mut subject.team);
        said(&asked.organisation, &mut subject.organisation);
        said(&asked.agent, &mut subject.agent);
        subject.claims.clone_from(&claims);
    }
    Ok(all)
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

fn show(asked: &Explain, told: &[Told], object: &Object<'_>) {
    if asked.json {
        let mut document = json!({
            "schemaVersion": 1,
            "object": { "kind": object.kind.name(), "server": object.server, "name": object.name },
        });
        match told {
            [one] => {
                let mut members = one.json();
                if let (Some(members), Some(document)) = (members.as_object_mut(), document.as_object_mut()) {
                    document.append(members);
                }
            }
            several => document["callers"] = several.iter().map(Told::json).collect(),
        }
        return output::json(&format!("{document:#}"));
    }
    let (kind, name, server) = (object.kind.name(), clean(object.name, SHOWN), clean(object.server, SHOWN));
    for one in told {
        let Explained { level, decided_by, rulings } = &one.explained;
        output::result(&format!("{level}: {}, {kind} `{name}` of server `{server}`", one.who.words()));
        output::result(&format!("decided by {decided_by}"));
        for said in rulings {
            output::result(&format!("  {:8} {}", said.level, said.by));
        }
        if !one.who.is_known {
            output::note(
                "nobody in the file is called so, and its team, organisation, agent and claims are not known: \
                 only what the command line says of them counts here",
            );
        }
    }
}

impl Told {
    fn json(&self) -> Value {
        let Self { who: Who { subject, is_known }, explained } = self;
        json!({
            "caller": subject.name,
            "principal": subject.principal,
            "known": is_known,
            "team": subject.team,
            "organisation": subject.organisation,
            "agent": subject.agent,
            "level": explained.level,
            "decidedBy": explained.decided_by,
            "rulings": explained.rulings,
        })
    }
}

impl Who {
    /// It as people read it.
    fn words(&self) -> String {
        let subject = &self.subject;
        let principal = (subject.principal != subject.name).then_some(&subject.principal);
        let more = [
            ("", principal),
            ("team ", subject.team.as_ref()),
            ("organisation ", subject.organisation.as_ref()),
            ("agent ", subject.agent.as_ref()),
        ];
        let more: Vec<String> = more
            .iter()
            .filter_map(|(what, said)| Some(format!("{what}`{}`", clean(said.as_ref()?, SHOWN))))
            .collect();
        let name = clean(&subject.name, SHOWN);
        if more.is_empty() {
            format!("caller `{name}`")
        } else {
            format!("caller `{name}` ({})", more.join(", "))
        }
    }
}
