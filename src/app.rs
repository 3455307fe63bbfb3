//! Builds everything from a configuration and runs it: `run(fronts, shutdown)`, then drain.
//!
//! What the binary, the tests and programs that embed the gateway call. It installs nothing process-wide: no signal
//! handler, no subscriber, no panic hook.

pub mod hosts;

use crate::app::hosts::House;
use crate::auth::caller::Caller;
use crate::auth::local;
use crate::catalog::store::Store;
use crate::config;
use crate::config::LoadError;
use crate::config::environment::Environment;
use crate::config::model::Config;
use crate::config::problem::Problem;
use crate::downstream::connect::Connect;
use crate::downstream::connector::Connector;
use crate::front;
use crate::front::attached::Hosts;
use crate::front::attached::Meeting;
use crate::front::http::Bound;
use crate::front::stdio::Leave;
use crate::gateway::Gateway;
use crate::gateway::Parts;
use crate::gateway::memory::Memory;
use crate::reload::Follower;
use crate::reload::apply::apply;
use crate::reload::views::Views;
use crate::reload::watch::WatchHandle;
use crate::secret::hex::hex;
use crate::telemetry::metric::Metrics;
use crate::wire::pipe::Reader;
use crate::wire::pipe::Writer;
use sha2::Digest;
use sha2::Sha256;
use std::path::Path;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long clients may take to read their last answers, beyond the drain.
const LAST_WRITES: Duration = Duration::from_secs(3);

/// A gateway with its configuration.
pub struct App {
    gateway: Gateway,
    follower: Option<Follower>,
    problems: Vec<Problem>,
}

/// What an app may use besides its configuration.
pub struct Options {
    /// The folder for saved catalogs; `None` saves nothing.
    pub cache: Option<PathBuf>,
    /// Makes connections to servers.
    pub connector: Arc<dyn Connect>,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache: None, connector: Arc::new(Connector::default()) }
    }
}

/// The ways clients reach the gateway.
#[derive(Default)]
pub struct Fronts {
    /// One client on two byte streams. As the only front, its end is the end of the app.
    pub stdio: Option<(Reader, Writer)>,
    /// Who that client is; the usual one of the configuration when nothing is said.
    pub caller: Option<Caller>,
    /// A listener.
    pub http: Option<Bound>,
    /// A meeting place of clients that share the gateway. Its end is the end of the app.
    pub attached: Option<(Meeting, Arc<dyn Hosts>)>,
}

impl App {
    /// Reads the file, applies it, and will follow it.
    ///
    /// # Errors
    /// [`LoadError`] when the file cannot be used at all. A bad entry is only left out: see [`App::problems`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn from_file(
        path: &Path,
        environment: Environment,
        options: Options,
    ) -> Result<Self, LoadError> {
        // Read once for the limits that hold for the life of the gateway.
        let text = config::read_text(path, &environment)?;
        let first = config::parse(&text, path, &environment)?;
        let config_id = digest_of(&environment.current_folder().join(path));
        let gateway = gateway(&first.config, options, &config_id);
        let follower = Follower::start(&gateway, path, environment, &first, text).await;
        Ok(Self { gateway, follower: Some(follower), problems: first.problems })
    }

    /// A gateway over a configuration that does not change.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn from_config(config: Config, options: Options) -> Self {
        let gateway = gateway(&config, options, "program");
        apply(&gateway, config);
        Self { gateway, follower: None, problems: Vec::new() }
    }

    /// The gateway: list, call, status.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The gateways for clients with folders and variables of their own; the first is [`App::gateway`]. `None` without a
    /// file.
    #[must_use]
    pub fn views(&self) -> Option<&Views> {
        self.follower.as_ref().map(Follower::views)
    }

    /// What was wrong in the file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The gateways, as clients that attach find them; `None` without a file.
    #[must_use]
    pub fn house(&self) -> Option<House> {
        let views = self.views()?.clone();
        Some(House::of(self.gateway.clone(), views, self.reload_handle()?))
    }

    /// A way to have the file read again at once.
    #[must_use]
    pub fn reload_handle(&self) -> Option<WatchHandle> {
        self.follower.as_ref().map(Follower::handle)
    }

    /// Runs the fronts until `shutdown`, or until the only one ends; then drains and stops every server.
    pub async fn run(self, fronts: Fronts, shutdown: CancellationToken) {
        let Self { gateway, follower, .. } = self;
        let stop = shutdown.child_token();
        let mut tasks = JoinSet::new();
        let views = follower.as_ref().map(|follower| follower.views().clone());
        if let Some(follower) = follower {
            tasks.spawn(follower.run(gateway.clone(), stop.clone()));
        }
        let sole_stdio = fronts.http.is_none() && fronts.attached.is_none();
        if let Some((reader, writer)) = fronts.stdio {
            let (gateway, stop) = (gateway.clone(), stop.clone());
            let caller = fronts.caller.unwrap_or_else(|| local::usual(&gateway.config().settings.callers));
            tasks.spawn(async move {
                let client = front::stdio::Client::open(gateway, caller, "stdio");
                client.run(reader, writer, Leave::with(stop.clone())).await;
                if sole_stdio {
                    stop.cancel();
                }
            });
        }
        if let Some(bound) = fronts.http {
            tasks.spawn(bound.run(Arc::new(gateway.clone()), stop.clone()));
        }
        if let Some((meeting, hosts)) = fronts.attached {
            let stop = stop.clone();
            tasks.spawn(async move {
                if meeting.run(hosts, stop.clone()).await {
                    stop.cancel();
                }
            });
        }
        stop.cancelled().await;
        let drain = gateway.config().settings.drain_timeout;
        // Side by side: fronts wait for answers in flight, and the servers' drain bounds that wait. What a client does not take
        // in that time, or shortly after it, is lost.
        let began = Instant::now();
        let patience = drain.saturating_add(LAST_WRITES);
        let written = {
            let mut fronts = pin!(async { while tasks.join_next().await.is_some() {} });
            let mut servers = pin!(stop_servers(&gateway, views.as_ref(), drain));
            tokio::select! {
                () = &mut servers => {
                    let left = patience.saturating_sub(began.elapsed());
                    timeout(left, fronts).await.is_ok()
                }
                () = &mut fronts => {
                    servers.await;
                    true
                }
            }
        };
        if !written {
            tracing::warn!("a client did not take its last answers");
            tasks.shutdown().await;
        }
    }

    /// Stops every server without running any front.
    pub async fn close(self) {
        let drain = self.gateway.config().settings.drain_timeout;
        stop_servers(&self.gateway, self.follower.as_ref().map(Follower::views), drain).await;
    }
}

/// Those of all views at once: what several use stops when the last gives it back.
async fn stop_servers(gateway: &Gateway, views: Option<&Views>, drain: Duration) {
    match views {
        Some(views) => drop(tokio::join!(gateway.shut_down(drain), views.shut_down(drain))),
        None => gateway.shut_down(drain).await,
    }
}

fn gateway(config: &Config, options: Options, config_id: &str) -> Gateway {
    let memory = options.cache.and_then(|folder| match Store::open(&folder) {
        Ok(store) => Some(Memory::new(store, config_id.to_owned())),
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "catalogs are not saved");
            None
        }
    });
    let limits = config.settings.limits.clone();
    Gateway::new(Parts {
        connector: options.connector,
        memory,
        metrics: Arc::new(Metrics::default()),
        limits,
    })
}

/// A short name for a path.
fn digest_of(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    hex(&digest[..8])
}
