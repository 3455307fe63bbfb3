//! Following the file: wait → load → diff → apply → publish.
//!
//! Start-up is a reload from the empty configuration. A file that cannot be used keeps the last good configuration and
//! says so once.

pub mod apply;
pub mod watch;

use crate::config;
use crate::config::LoadError;
use crate::config::Loaded;
use crate::config::environment::Environment;
use crate::config::problem::Severity;
use crate::gateway::Gateway;
use crate::gateway::standing::Reload;
use crate::reload::apply::Outcome;
use crate::reload::watch::Tick;
use crate::reload::watch::Watch;
use crate::reload::watch::WatchHandle;
use crate::telemetry::event;
use crate::wire::guard::guarded;
use std::path::Path;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// Loads the file and puts it to use; then follows it until `shutdown`.
pub struct Follower {
    path: PathBuf,
    environment: Environment,
    watch: Watch,
}

impl Follower {
    /// Applies what was loaded first and prepares to follow the file.
    pub async fn start(gateway: &Gateway, path: &Path, environment: Environment, first: &Loaded) -> Self {
        gateway.core().standing().follows(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
        let mut watch = Watch::new(path.to_owned(), first.config.settings.watch);
        watch.set_extra_files(first.config.extra_files.clone());
        let digest = watch.digest().await;
        // A change between the first reading and the digest must not be missed.
        let now = config::load_again(path, &environment).ok();
        apply::apply(gateway, now.map_or_else(|| first.config.clone(), |now| now.config));
        watch.acknowledge(&digest);
        Self { path: path.to_owned(), environment, watch }
    }

    /// A way to have the file read again at once (SIGHUP).
    #[must_use]
    pub fn handle(&self) -> WatchHandle {
        self.watch.handle()
    }

    /// Applies every change of the file until `shutdown`.
    pub async fn run(mut self, gateway: Gateway, shutdown: CancellationToken) {
        loop {
            let tick = tokio::select! {
                tick = self.watch.next() => tick,
                () = shutdown.cancelled() => return,
            };
            match tick {
                Tick::Changed(digest) => {
                    guarded("a changed file", || self.reload(&gateway));
                    self.watch.acknowledge(&digest);
                }
                Tick::Empty => self.absent(&gateway, "is empty"),
                Tick::Gone => self.absent(&gateway, "is gone"),
            }
        }
    }

    fn reload(&mut self, gateway: &Gateway) {
        match config::load_again(&self.path, &self.environment) {
            Ok(loaded) => {
                self.watch.set_extra_files(loaded.config.extra_files.clone());
                for problem in loaded.problems.iter().filter(|problem| problem.severity == Severity::Error) {
                    tracing::warn!(problem = %problem, "problem in the configuration");
                }
                let Outcome { counts, changes } = apply::apply(gateway, loaded.config);
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

    fn absent(&self, gateway: &Gateway, seen: &'static str) {
        event::config_absent(gateway.metrics(), &self.path, seen);
        gateway.core().standing().reloaded(Reload::Absent(seen));
    }
}

/// Settings that listeners, limits and the watcher took over when they started.
fn is_late(name: &str) -> bool {
    ["http", "limits", "watch"].iter().any(|family| name.starts_with(family))
}
