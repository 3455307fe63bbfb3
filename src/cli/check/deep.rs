//! `check --deep`: starts the servers and looks at what they say of themselves.
//!
//! What it finds is for a person to look at: nothing is refused because of it.

use crate::app::App;
use crate::catalog::suspicion::Suspicion;
use crate::catalog::suspicion::Tools;
use crate::catalog::suspicion::suspicions;
use crate::cli::arguments::Global;
use crate::cli::progress;
use crate::cli::startup;
use crate::config::environment::Environment;
use crate::config::model::Config;
use crate::telemetry::clean::clean;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// How long servers may take to start and tell what they have.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest line, in bytes.
const LINE: usize = 2000;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// In definitions.
    pub suspicions: Vec<Suspicion>,
    /// What is not as it was locked.
    pub changed: Vec<String>,
    /// Servers that could not be asked, with the reason.
    pub unreachable: Vec<(String, String)>,
}

/// Starts the servers of `config`, but for those that are held back, and looks at their definitions.
pub async fn look(global: &Global, environment: &Environment, mut config: Config) -> Found {
    config.settings.list_timeout = config.settings.list_timeout.max(PATIENCE);
    let mut options = startup::options(global, environment);
    // What counts is what they say now.
    options.cache = None;
    let app = App::from_config(config, options);
    progress::watch(app.gateway(), app.gateway().settle()).await;
    let snapshot = app.gateway().snapshot();
    let known: Vec<_> = snapshot.servers.values().map(|handle| (handle.server(), handle.lists())).collect();
    let names = known.iter().flat_map(|(server, lists)| {
        let tools = lists.iter().flat_map(|lists| lists.tools.iter());
        tools.map(|tool| (server.name.clone(), tool.key.clone())).collect::<Vec<_>>()
    });
    let exposed = snapshot.catalog.tools().map(|tool| (tool.route.server.clone(), tool.name.to_string()));
    let tools = Tools::new(names.chain(exposed));
    let mut found = Found::default();
    for (server, lists) in &known {
        match lists {
            Some(lists) => found.suspicions.extend(suspicions(&server.name, lists, &tools)),
            None if server.pins.hold_all() => {}
            None => {
                let reason = snapshot.server(&server.name).and_then(|handle| handle.status().reason);
                let reason = reason.unwrap_or_else(|| "its lists did not come in time".to_owned());
                found.unreachable.push((server.name.to_string(), clean(&reason, LINE)));
            }
        }
    }
    found.changed = snapshot.catalog.lock().alarming().map(|one| clean(&one.to_string(), LINE)).collect();
    found.changed.sort_unstable();
    app.close().await;
    found
}

impl Found {
    /// A line for each finding.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let suspicions = self.suspicions.iter().map(|one| format!("look at {one}"));
        let changed = self.changed.iter().map(|one| format!("not as locked: {one}"));
        let unreachable = self
            .unreachable
            .iter()
            .map(|(name, why)| format!("warning: server `{name}` was not looked at: {why}"));
        suspicions.chain(changed).chain(unreachable).collect()
    }

    /// The same for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let suspicions = self.suspicions.iter().map(|one| {
            let kind = one.kind.map_or("instructions", |kind| kind.word());
            json!({"server": one.server.as_str(), "kind": kind, "name": one.name, "text": one.text})
        });
        let unreachable =
            self.unreachable.iter().map(|(name, reason)| json!({"server": name, "reason": reason}));
        json!({
            "suspicions": suspicions.collect::<Vec<_>>(),
            "notAsLocked": self.changed,
            "unreachable": unreachable.collect::<Vec<_>>(),
        })
    }
}
