//! The HTTP front: Streamable HTTP of both eras on one endpoint, `/mcp`; `/sse` and `/ws` where they are turned on.
//!
//! A request goes `listen` → `route` → `legacy` or `modern` → `waiting`. It speaks HTTP/1.1 only, and knows no MCP method
//! but those whose headers it must compare.

pub mod abandon;
pub mod authority;
pub mod backing;
pub mod cors;
pub mod door;
pub mod guard;
pub mod header;
pub mod intake;
pub mod lease;
pub mod legacy;
pub mod listen;
pub mod media;
pub mod modern;
pub mod options;
pub mod place;
pub mod replay;
pub mod reply;
pub mod route;
pub mod sessions;
pub mod site;
pub mod sse;
pub mod stream;
pub mod switch;
pub mod tls;
pub mod waiting;
pub mod watch;
pub mod watched;
pub mod websocket;

#[cfg(test)]
mod tests;

use crate::auth::inbound::Inbound;
use crate::config::model::auth::AuthSettings;
use crate::front::http::backing::Backing;
use crate::front::http::door::Door;
use crate::front::http::guard::Guard;
use crate::front::http::intake::Allowance;
use crate::front::http::listen::Terms;
use crate::front::http::options::HttpError;
use crate::front::http::options::HttpOptions;
use crate::front::http::sessions::Bounds;
use crate::front::http::sessions::Sessions;
use crate::front::http::site::Site;
use crate::front::http::watch::Patience;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// A connection without a request is closed after this time.
const IDLE: Duration = Duration::from_secs(60);
/// A client that takes nothing of what we write is cut off after this time.
const STALL: Duration = Duration::from_secs(60);
/// Longest time between two looks for sessions that nobody uses.
const SWEEP: Duration = Duration::from_secs(30);

/// A front that listens and does not serve yet: clients can connect and wait.
pub struct Bound {
    listener: TcpListener,
    local: SocketAddr,
    tls: Option<TlsAcceptor>,
    options: HttpOptions,
}

/// Starts to listen.
///
/// # Errors
/// [`HttpError`]: an address that strangers reach without a token or TLS is refused before anything is opened.
pub async fn bind(options: HttpOptions) -> Result<Bound, HttpError> {
    options.check()?;
    let tls = options.tls.as_ref().map(tls::acceptor).transpose()?;
    let refused = |source| HttpError::Bind { addr: options.addr, source };
    let listener = TcpListener::bind(options.addr).await.map_err(refused)?;
    let local = listener.local_addr().map_err(refused)?;
    Ok(Bound { listener, local, tls, options })
}

impl Bound {
    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves until `shutdown`, then finishes the requests in flight and closes all sessions. Dropping the future cuts
    /// everything off.
    pub async fn run(self, gateway: Arc<dyn Backing>, shutdown: CancellationToken) {
        let Self { listener, local, tls, options } = self;
        let settings = &options.settings;
        let bounds = Bounds {
            total: settings.max_sessions,
            per_caller: settings.max_sessions_per_caller,
            idle: settings.session_idle,
            replay_bytes: settings.replay_bytes,
        };
        let sessions = Sessions::new(Arc::clone(&gateway), bounds);
        let is_safe = tls.is_some() || options.behind_proxy;
        let is_exposed = options.behind_proxy || !options.is_local();
        let inbound = inbound(Arc::clone(&options.auth), Arc::clone(&gateway), is_exposed);
        let site = Site {
            backing: gateway,
            guard: Guard::new(settings, local),
            door: Door::new(Arc::new(inbound), site::MCP, is_safe, options.behind_proxy),
            sessions: Arc::new(sessions),
            allowance: Allowance { bytes: options.max_body, time: settings.body_timeout },
            depth: options.depth,
            queue_bytes: options.queue_bytes,
            sse: settings.sse,
            websocket: settings.websocket,
            ending: AtomicBool::new(false),
            admin: options.is_local() && !options.behind_proxy,
        };
        let terms = Terms {
            limit: settings.max_connections,
            patience: Patience { header: settings.header_timeout, idle: IDLE, stall: STALL },
            sweep: (settings.session_idle / 4).clamp(Duration::from_millis(10), SWEEP),
        };
        listen::serve(listener, tls, Arc::new(site), terms, shutdown).await;
    }
}

/// Decides by what the gateway's configuration says at the moment, and by `first` where that never changes.
fn inbound(first: Arc<AuthSettings>, gateway: Arc<dyn Backing>, is_exposed: bool) -> Inbound {
    let closed = is_exposed || first.asks_for_credentials();
    Inbound::new(Box::new(move || gateway.auth().unwrap_or_else(|| Arc::clone(&first))), closed)
}
