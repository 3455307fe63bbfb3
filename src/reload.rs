//! Following the file: wait → load → diff → apply → publish.
//!
//! Start-up is a reload from the empty configuration. A file that cannot be used keeps the last good configuration and
//! says so once.

pub mod apply;
pub mod views;
pub mod watch;

use crate::config;
use crate::config::LoadError;
use crate::config::Loaded;
use crate::config::environment::Environment;
use crate::config::problem::Problem;
use crate::config::problem::Severity;
use crate::gateway::Gateway;
use crate::gateway::standing::Reload;
use crate::reload::apply::Outcome;
use crate::reload::views::Views;
use crate::reload::watch::Tick;
use crate::reload::watch::Watch;
use crate::reload::watch::WatchHandle;
use crate::telemetry::event;
use crate::wire::guard::unharmed;
use std::path::Path;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// Loads the file and puts it to use; then follows it until `shutdown`.
pub struct Follower {
    path: PathBuf,
    environment: Environment,
    watch: Watch,
    views: Views,
    /// The problems of the file that is in use.
    told: Vec<Problem>,
}

impl Follower {
    /// Applies what was loaded first, from `text`, and prepares to follow the file.
    pub async fn start(
        gateway: &Gateway,
        path: &Path,
        environment: Environment,
        first: &Loaded,
        text: Vec<u8>,
    ) -> Self {
        gateway.core().standing().follows(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
        let mut watch = Watch::new(path.to_owned(), first.config.settings.watch);
        watch.set_extra_files(first.config.extra_files.clone());
        let digest = watch.digest().await;
        // A change between the first reading and the digest must not be missed.
        let now = load_again(path, &environment).ok();
        let (text, config) =
            now.map_or_else(|| (text, first.config.clone()), |(text, now)| (text, now.config));
        apply::apply(gateway, config);
        watch.acknowledge(&digest);
        let views = Views::new(path, text, gateway.clone(), environment.clone());
        Self { path: path.to_owned(), environment, watch, views, told: first.problems.clone() }
    }

    /// A way to have the file read again at once (SIGHUP).
    #[must_use]
    pub fn handle(&self) -> WatchHandle {
        self.watch.handle()
    }

    /// The gateway, and those beside it for clients for whom the file resolves otherwise.
    #[must_use]
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// Applies every change of the file until `shutdown`.
    pub async fn run(mut self, gateway: Gateway, shutdown: CancellationToken) {
        loop {
            let tick = tokio::select! {
                tick = self.watch.next() => tick,
                () = self.views.other_files() => {
                    self.watch.set_extra_files(self.views.extra_files());
                    continue;
                }
                () = shutdown.cancelled() => return,
            };
            match tick {
                Tick::Changed(digest) => {
                    tokio::select! {
                        _ = unharmed("a changed file", self.reload(&gateway)) => {}
                        () = shutdown.cancelled() => return,
                    }
                    self.watch.acknowledge(&digest);
                }
                Tick::Empty => self.absent(&gateway, "is empty"),
                Tick::Gone => self.absent(&gateway, "is gone"),
            }
        }
    }

    async fn reload(&mut self, gateway: &Gateway) {
        match load_again(&self.path, &self.environment) {
            Ok((text, loaded)) => {
                self.tell(loaded.problems);
                let outcome = self.views.follow(text, loaded.config).await;
                self.watch.set_extra_files(self.views.extra_files());
                let Some(Outcome { counts, changes }) = outcome else { return };
                event::config_reloaded(gateway.metrics(), counts);
                let late: Vec<&str> =
                    changes.settings_changed.iter().copied().filter(|name| is_late(name)).collect();
                if !late.is_empty() {
                    tracing::warn!(settings = %late.join(", "), "these settings take effect after a restart");
                }
            }
            Err(error) => {
                if let LoadError::Invalid { extra_files, .. } = &error {
                    // Mending one of them may be all it takes.
                    self.watch.set_extra_files(extra_files.clone());
                }
                event::config_refused(gateway.metrics(), error.problems(), &error);
                let mut problems: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
                if problems.is_empty() {
                    problems.push(error.to_string());
                }
                gateway.core().standing().reloaded(Reload::Refused(problems));
            }
        }
    }

    /// Logs errors whenever the file is read, and warnings when they are new.
    fn tell(&mut self, problems: Vec<Problem>) {
        let is_worth_it = |problem: &&Problem| match problem.severity {
            Severity::Error => true,
            Severity::Warning => {
                !self.told.iter().any(|told| (&told.place, &told.text) == (&problem.place, &problem.text))
            }
            Severity::Note => false,
        };
        for problem in problems.iter().filter(is_worth_it) {
            tracing::warn!(problem = %problem, "problem in the configuration");
        }
        self.told = problems;
    }

    fn absent(&self, gateway: &Gateway, seen: &'static str) {
        event::config_absent(gateway.metrics(), &self.path, seen);
        gateway.core().standing().reloaded(Reload::Absent(seen));
    }
}

/// The file, and what it says.
fn load_again(path: &Path, environment: &Environment) -> Result<(Vec<u8>, Loaded), LoadError> {
    let text = config::read_again(path, environment)?;
    let loaded = config::parse(&text, path, environment)?;
    Ok((text, loaded))
}

/// Settings that listeners, limits and the watcher took over when they started.
fn is_late(name: &str) -> bool {
    ["http", "limits", "watch"].iter().any(|family| name.starts_with(family))
}
