//! `serve`: fronts, signals, and what a person sees at the start.

use crate::app::App;
use crate::app::Fronts;
use crate::auth::caller::Caller;
use crate::auth::local;
use crate::cli::arguments::Global;
use crate::cli::arguments::Serve;
use crate::cli::exit::Exit;
use crate::cli::meet::Meet;
use crate::cli::output;
use crate::cli::shared::Hearing;
use crate::cli::startup;
use crate::cli::surroundings;
use crate::config::check::exposure;
use crate::config::check::exposure::Exposure;
use crate::front::attached;
use crate::front::attached::Hosts;
use crate::front::attached::Meeting;
use crate::front::attached::Terms;
use crate::front::http;
use crate::front::http::Bound;
use crate::front::http::options::HttpOptions;
use crate::front::http::options::TlsFiles;
use crate::gateway::Gateway;
use crate::reload::watch::WatchHandle;
use crate::share::trim::trim;
use crate::wire::pipe;
use std::io::IsTerminal;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Serves until the client or a signal ends it.
pub async fn run(global: &Global, serve: Serve, hearing: Option<Hearing>) -> Exit {
    if let Err(exit) = startup::start_log(global, None) {
        return exit;
    }
    // Heard from here on: whoever reads that we listen may end us in the same moment.
    let signals = Signals::begin();
    // Who ended it before is not to be forgotten.
    if hearing.is_some_and(|hearing| hearing.is_over()) {
        return Exit::Ok;
    }
    let app = match startup::app(global).await {
        Ok(app) => app,
        Err(exit) => return exit,
    };
    let started = match caller(&app, &serve) {
        Ok(caller) => bind(global, &app, &serve).await.map(|http| (http, caller)),
        Err(exit) => Err(exit),
    };
    let (http, caller) = match started {
        Ok(started) => started,
        Err(exit) => {
            app.close().await;
            return exit;
        }
    };
    let mut tasks = JoinSet::new();
    if let Some(bound) = &http {
        let scheme = if serve.tls_cert.is_some() { "https" } else { "http" };
        output::note(&format!(
            "mcp-manifold {} listening on {scheme}://{}/mcp",
            env!("CARGO_PKG_VERSION"),
            bound.local_addr()
        ));
        tasks.spawn(describe(app.gateway().clone()));
    }
    let stdio = (http.is_none() || serve.stdio).then(|| {
        hint();
        (pipe::stdin(), pipe::stdout())
    });
    let attached = http.as_ref().filter(|_| !serve.standalone).and_then(|_| meeting(global, &app));
    let shutdown = CancellationToken::new();
    tasks.spawn(signals.obey(shutdown.clone(), app.reload_handle()));
    let fronts = Fronts { stdio, caller, http, attached };
    // What the start took of the program is not needed again.
    trim();
    app.run(fronts, shutdown).await;
    tasks.shutdown().await;
    Exit::Ok
}

/// Says what this is for to somebody who types.
pub fn hint() {
    if std::io::stdin().is_terminal() {
        output::note(HINT);
    }
}

const HINT: &str = "\
This speaks MCP on stdin and stdout: it is meant to be started by a client, not typed to.
  Claude Code:  claude mcp add gw -- mcp-manifold serve --config /path/to/mcp.json
  Others:       {\"mcpServers\": {\"gw\": {\"command\": \"mcp-manifold\", \"args\": [\"serve\", \"--config\", \"/path/to/mcp.json\"]}}}
  Over HTTP:    mcp-manifold serve --http 127.0.0.1:8808
Ctrl-D ends it.";

/// Where stdio clients of the same file find this gateway, so that they need none of their own.
fn meeting(global: &Global, app: &App) -> Option<(Meeting, Arc<dyn Hosts>)> {
    if !app.gateway().config().settings.share {
        return None;
    }
    let terms = Terms { log: global.log_file.clone(), in_foreground: true, ..Terms::default() };
    let place = Meet::at(global).ok()?.place;
    let opened = place.map_err(anyhow::Error::from);
    let opened = opened.and_then(|place| Ok(attached::open(&place, surroundings::user(), terms)?));
    match opened {
        Ok(Some(meeting)) => app.house().map(|house| (meeting, Arc::new(house) as Arc<dyn Hosts>)),
        Ok(None) => {
            output::note(
                "stdio clients of this file have another gateway; `mcp-manifold stop` before this starts has them use this one",
            );
            None
        }
        Err(error) => {
            tracing::warn!(%error, "stdio clients cannot attach");
            None
        }
    }
}

/// Who the client on stdin and stdout is.
fn caller(app: &App, serve: &Serve) -> Result<Option<Caller>, Exit> {
    let Some(name) = &serve.caller else { return Ok(None) };
    let callers = &app.gateway().config().settings.callers;
    local::caller(callers, Some(name))
        .map(Some)
        .map_err(|error| output::fail(Exit::Usage, &error.to_string()))
}

async fn bind(global: &Global, app: &App, serve: &Serve) -> Result<Option<Bound>, Exit> {
    let Some(addr) = serve.http else { return Ok(None) };
    let environment = surroundings::environment();
    let file = environment.current_folder().join(startup::find(global, &environment)?);
    if let Some(exposure @ Exposure::Everybody(_)) = exposure::of(&file, environment.user_id()) {
        let text = format!("`{}` says what clients over HTTP get, and {exposure}", file.display());
        return Err(output::fail(Exit::Configuration, &text));
    }
    let config = app.gateway().config();
    let tls = serve.tls_cert.clone().zip(serve.tls_key.clone()).map(|(cert, key)| TlsFiles { cert, key });
    let options = HttpOptions {
        addr,
        tls,
        behind_proxy: serve.behind_proxy,
        settings: config.settings.http.clone(),
        auth: Arc::clone(&config.settings.auth),
        max_body: config.settings.limits.message_bytes,
        depth: config.settings.limits.depth,
        queue_bytes: config.settings.limits.client_queue_bytes,
    };
    http::bind(options).await.map(Some).map_err(|error| output::fail(Exit::Usage, &error.to_string()))
}

/// Which servers there are and how many tools. Servers that were never listed are started for it, in the background.
async fn describe(gateway: Gateway) {
    gateway.settle().await;
    let status = gateway.status();
    for (name, server) in &status.servers {
        let text = match (server.tools, &server.reason) {
            (Some(1), _) => "1 tool".to_owned(),
            (Some(tools), _) => format!("{tools} tools"),
            (None, Some(reason)) => reason.clone(),
            (None, None) => format!("no list yet, it is {}", server.state),
        };
        output::note(&format!("  {name}: {text}"));
    }
    for (name, reason) in &status.left_out {
        output::note(&format!("  {name}: not in use ({reason})"));
    }
    let tools = if status.tools == 1 { "tool" } else { "tools" };
    let count = status.servers.len();
    let servers = if count == 1 { "server" } else { "servers" };
    output::note(&format!("{} {tools} from {count} {servers}", status.tools));
}

/// The signals of the system: what they say is kept from the beginning.
#[cfg(unix)]
pub struct Signals([std::io::Result<tokio::signal::unix::Signal>; 3]);

#[cfg(unix)]
impl Signals {
    /// Hears signals from here on.
    pub fn begin() -> Self {
        use tokio::signal::unix::SignalKind;
        use tokio::signal::unix::signal;
        Self([SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal))
    }

    /// SIGINT and SIGTERM end it, the second one at once; SIGHUP has the file read again.
    pub async fn obey(self, shutdown: CancellationToken, reload: Option<WatchHandle>) {
        let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = self.0 else {
            tracing::warn!("signals cannot be heard");
            return;
        };
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {
                    if let Some(reload) = &reload {
                        reload.poke();
                    }
                    continue;
                }
            }
            if shutdown.is_cancelled() {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the second signal asks for an end without waiting"
                )]
                std::process::exit(130);
            }
            shutdown.cancel();
        }
    }
}

/// The signals of the system.
#[cfg(not(unix))]
pub struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Hears signals from here on.
    pub fn begin() -> Self {
        Self
    }

    /// Ctrl-C ends it.
    pub async fn obey(self, shutdown: CancellationToken, _: Option<WatchHandle>) {
        if tokio::signal::ctrl_c().await.is_ok() {
            shutdown.cancel();
        }
    }
}
