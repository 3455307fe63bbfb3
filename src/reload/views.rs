//! One gateway per way in which the file resolves: clients of one process whose folder and variables make the same of it
//! use one, the others have theirs beside it. Servers that resolve equally are shared by all of them.
//!
//! Which client there is and how it comes is not known here.

use crate::config;
use crate::config::LoadError;
use crate::config::environment::Environment;
use crate::config::model::Config;
use crate::config::model::HttpSettings;
use crate::config::model::Settings;
use crate::gateway::Gateway;
use crate::gateway::standing::Reload;
use crate::reload::apply::Outcome;
use crate::reload::apply::apply;
use crate::wire::tasks::Tasks;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The view of the process itself, which stays.
const FIRST: u64 = 1;
/// How long clients that see the new file otherwise have to leave before their view takes it over.
const LEAVING: Duration = Duration::from_secs(1);

/// The gateways over one file. Clones share everything.
#[derive(Clone)]
pub struct Views(Arc<Inner>);

struct Inner {
    /// Absolute.
    path: PathBuf,
    /// Of the process.
    environment: Environment,
    table: Mutex<Table>,
    /// A client has left.
    left: Notify,
    /// Other extra files are to be followed.
    files: Notify,
    /// Views that come to their end.
    ending: Tasks,
}

struct Table {
    /// The file as it was last put to use.
    text: Arc<[u8]>,
    views: Vec<One>,
    clients: Vec<Client>,
    last: u64,
    closed: bool,
}

#[derive(Clone)]
struct One {
    number: u64,
    gateway: Gateway,
    environment: Environment,
}

#[derive(Clone)]
struct Client {
    number: u64,
    view: u64,
    environment: Environment,
    misplaced: CancellationToken,
}

/// What one client sees, for as long as it is held. The gateway ends with its last client, unless it is the first.
pub struct View {
    views: Views,
    client: u64,
    gateway: Gateway,
    misplaced: CancellationToken,
}

/// What becomes of a view.
struct Step {
    view: u64,
    /// `None` when the file cannot be used as it resolves there.
    config: Option<Config>,
    /// The clients for whom the file resolves otherwise.
    leaving: Vec<u64>,
}

impl View {
    /// The gateway that this client uses.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Cancelled once the file resolves otherwise for this client than for this view. From then on nothing more may be read
    /// of it here; when its answers are written it has to come again, to [`Views::of`].
    #[must_use]
    pub fn misplaced(&self) -> &CancellationToken {
        &self.misplaced
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.views.leave(self.client);
    }
}

impl Views {
    /// The views of the file at `path`, with `gateway` as the first: it resolves in `environment`.
    pub(super) fn new(path: &Path, text: Vec<u8>, gateway: Gateway, environment: Environment) -> Self {
        let first = One { number: FIRST, gateway, environment: environment.clone() };
        let (views, clients) = (vec![first], Vec::new());
        let table = Table { text: text.into(), views, clients, last: FIRST, closed: false };
        Self(Arc::new(Inner {
            path: environment.current_folder().join(path),
            environment,
            table: Mutex::new(table),
            left: Notify::new(),
            files: Notify::new(),
            ending: Tasks::default(),
        }))
    }

    /// What a client sees that was started in `folder` with the variables `vars`.
    ///
    /// # Errors
    /// [`LoadError`] when the file cannot be used at all as it resolves there.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn of(&self, folder: PathBuf, vars: Vec<(String, String)>) -> Result<View, LoadError> {
        let environment = self.0.environment.of_client(vars, folder);
        loop {
            let text = Arc::clone(&self.lock().text);
            let config = self.resolve(&text, &environment)?;
            let mut table = self.lock();
            if Arc::ptr_eq(&text, &table.text) {
                return Ok(self.enter(&mut table, environment, config));
            }
        }
    }

    /// How many views there are, the first among them.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().views.len()
    }

    fn resolve(&self, text: &[u8], environment: &Environment) -> Result<Config, LoadError> {
        Ok(config::parse(text, &self.0.path, environment)?.config)
    }

    fn enter(&self, table: &mut Table, environment: Environment, config: Config) -> View {
        table.last += 1;
        let client = table.last;
        let fits = |one: &&One| table.closed || is_alike(&one.gateway.config(), &config);
        let (view, gateway) = match table.views.iter().find(fits) {
            Some(one) => (one.number, one.gateway.clone()),
            None => (client, self.open(table, environment.clone(), config)),
        };
        let misplaced = CancellationToken::new();
        table.clients.push(Client { number: client, view, environment, misplaced: misplaced.clone() });
        View { views: self.clone(), client, gateway, misplaced }
    }

    /// Makes one more view, with the number of its first client.
    fn open(&self, table: &mut Table, environment: Environment, config: Config) -> Gateway {
        let (number, folder) = (table.last, environment.current_folder());
        let gateway = table.views[0].gateway.beside(format!("{number} ({})", folder.display()));
        tracing::info!(view = number, folder = %folder.display(), "the file resolves otherwise for a client");
        gateway.core().standing().follows(&self.0.path);
        apply(&gateway, config);
        table.views.push(One { number, gateway: gateway.clone(), environment });
        self.0.files.notify_one();
        gateway
    }

    fn leave(&self, client: u64) {
        let mut table = self.lock();
        let Some(at) = table.clients.iter().position(|one| one.number == client) else { return };
        let view = table.clients.swap_remove(at).view;
        let is_used = view == FIRST || table.clients.iter().any(|one| one.view == view);
        let last = table.views.iter().position(|one| one.number == view && !is_used);
        // Without a runtime it waits for `shut_down`.
        let ended = last.filter(|_| Handle::try_current().is_ok()).map(|at| table.views.remove(at));
        drop(table);
        self.0.left.notify_waiters();
        if let Some(One { number, gateway, .. }) = ended {
            tracing::info!(view = number, "its last client has left");
            self.0.ending.spawn(async move {
                gateway.shut_down(gateway.config().settings.drain_timeout).await;
            });
        }
    }

    /// Files besides the file itself that go into any of the configurations.
    pub(super) fn extra_files(&self) -> Vec<PathBuf> {
        let table = self.lock();
        let mut files: Vec<PathBuf> =
            table.views.iter().flat_map(|one| one.gateway.config().extra_files.clone()).collect();
        files.sort();
        files.dedup();
        files
    }

    /// Waits until other extra files are to be followed.
    pub(super) async fn other_files(&self) {
        self.0.files.notified().await;
    }

    /// The file has this text now, which is `config` for the first view: all views follow. What it did to the first.
    ///
    /// Clients that are in the wrong view then are told before it takes the file over, and have a moment to leave: what is
    /// resolved for one client is not meant for another.
    pub(super) async fn follow(&self, text: Vec<u8>, config: Config) -> Option<Outcome> {
        let (now, later): (Vec<_>, Vec<_>) =
            self.plan(text.into(), config).into_iter().partition(|step| step.leaving.is_empty());
        let mut outcome = None;
        for step in now {
            outcome = outcome.or(self.take(step));
        }
        let leaving: Vec<u64> = later.iter().flat_map(|step| step.leaving.clone()).collect();
        if timeout(LEAVING, self.gone(&leaving)).await.is_err() {
            tracing::warn!("a client for whom the file resolves otherwise now has not left yet");
        }
        for step in later {
            outcome = outcome.or(self.take(step));
        }
        outcome
    }

    fn plan(&self, text: Arc<[u8]>, config: Config) -> Vec<Step> {
        let mut table = self.lock();
        table.text = Arc::clone(&text);
        let (views, clients) = (table.views.clone(), table.clients.clone());
        drop(table);
        let mut config = Some(config);
        let step = |one: One| {
            let config = match one.number {
                FIRST => config.take(),
                _ => self.resolve(&text, &one.environment).ok(),
            };
            let differs = |client: &&Client| {
                client.view == one.number && client.environment != one.environment && {
                    match (self.resolve(&text, &client.environment).ok(), &config) {
                        (Some(theirs), Some(config)) => !is_alike(&theirs, config),
                        (theirs, config) => theirs.is_some() || config.is_some(),
                    }
                }
            };
            let leaving = clients.iter().filter(differs).inspect(|client| client.misplaced.cancel());
            Step { view: one.number, leaving: leaving.map(|client| client.number).collect(), config }
        };
        views.into_iter().map(step).collect()
    }

    /// Puts a configuration to use, unless its view has come to its end meanwhile.
    fn take(&self, step: Step) -> Option<Outcome> {
        let table = self.lock();
        let one = table.views.iter().find(|one| one.number == step.view && !table.closed)?;
        match step.config {
            Some(config) => Some(apply(&one.gateway, config)).filter(|_| one.number == FIRST),
            None => {
                let why = format!("it cannot be used as it resolves in view {}", one.number);
                one.gateway.core().standing().reloaded(Reload::Refused(vec![why]));
                None
            }
        }
    }

    /// Waits until all these clients have left.
    async fn gone(&self, clients: &[u64]) {
        loop {
            let left = self.0.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if !self.lock().clients.iter().any(|one| clients.contains(&one.number)) {
                return;
            }
            left.await;
        }
    }

    /// Stops the servers of all views but the first: calls in flight have `drain` to finish. Nothing is left afterwards of
    /// what the first does not use.
    pub async fn shut_down(&self, drain: Duration) {
        let gateways = self.close();
        futures_util::future::join_all(gateways.iter().map(|gateway| gateway.shut_down(drain))).await;
        self.0.ending.finished().await;
    }

    /// Makes no more views; those beside the first.
    fn close(&self) -> Vec<Gateway> {
        let mut table = self.lock();
        table.closed = true;
        table.views.iter().skip(1).map(|one| one.gateway.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True when a client sees the same in both. Settings of HTTP are for those who come to the first view.
fn is_alike(one: &Config, other: &Config) -> bool {
    let settings = |config: &Config| Settings {
        http: HttpSettings::default(),
        auth: Arc::default(),
        ..config.settings.clone()
    };
    one.servers == other.servers
        && one.left_out == other.left_out
        && one.extra_files == other.extra_files
        && settings(one) == settings(other)
}
