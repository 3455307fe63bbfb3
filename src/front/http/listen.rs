//! Connections: accepting them, serving them, ending them.
//!
//! Every connection is a task of one set that ends with [`serve`]. It knows nothing of paths and messages.

use crate::front::http::route;
use crate::front::http::site::Site;
use crate::front::http::switch::Switch;
use crate::front::http::watch::Patience;
use crate::front::http::watch::Pulse;
use crate::front::http::watch::Watched;
use crate::front::http::websocket;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Longest header of a request, in bytes.
const MAX_HEADER: usize = 32 << 10;
/// So many clients at once are told that there are too many; more are cut off without a word.
const TOLD: usize = 64;
/// How often sessions with nothing in flight are looked for at the end.
const DRAIN_STEP: Duration = Duration::from_millis(5);
/// After an error of the system, before the next connection is accepted.
const PAUSE: Duration = Duration::from_millis(50);
const TOO_MANY: &str = concat!(
    "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n",
    "content-type: application/json\r\n\r\n",
    r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"too many connections are open"#,
    r#" (`gateway.http.maxConnections`)"}}"#
);

/// How connections are treated.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Connections at once.
    pub limit: usize,
    /// Their deadlines.
    pub patience: Patience,
    /// How often sessions are looked through for those nobody uses.
    pub sweep: Duration,
}

/// Serves connections until `shutdown`; then finishes what is in flight.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    site: Arc<Site>,
    terms: Terms,
    shutdown: CancellationToken,
) {
    let mut connections = JoinSet::new();
    let door = Door { listener, tls, site, terms };
    let mut sweep = tokio::time::interval(terms.sweep);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = door.listener.accept() => {
                door.let_in(accepted, &mut connections, shutdown.child_token()).await;
            }
            Some(ended) = connections.join_next() => log_panic(ended),
            _ = sweep.tick() => door.site.sessions.sweep(),
        }
    }
    door.close(connections).await;
}

/// Where connections come in.
struct Door {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    site: Arc<Site>,
    terms: Terms,
}

impl Door {
    /// Serves what was accepted in `connections`; it ends when `closing` says so.
    async fn let_in(
        &self,
        accepted: std::io::Result<(TcpStream, SocketAddr)>,
        connections: &mut JoinSet<()>,
        closing: CancellationToken,
    ) {
        match accepted {
            Ok((stream, _)) if connections.len() >= self.terms.limit => {
                turn_away(connections, stream, &self.terms);
            }
            Ok((stream, peer)) => {
                let (site, terms) = (Arc::clone(&self.site), self.terms);
                let connection = Connection { site, peer, closing, terms };
                connections.spawn(connection.serve_tcp(stream, self.tls.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Finishes what is in flight. Who comes meanwhile is told that the gateway ends, or brings what calls in flight wait
    /// for; nobody waits for them.
    async fn close(self, mut connections: JoinSet<()>) {
        self.site.ending.store(true, Ordering::Relaxed);
        self.site.sessions.wind_down();
        let mut late = JoinSet::new();
        let mut quiet = tokio::time::interval(DRAIN_STEP);
        while !connections.is_empty() {
            tokio::select! {
                Some(ended) = connections.join_next() => log_panic(ended),
                accepted = self.listener.accept() => {
                    self.let_in(accepted, &mut late, CancellationToken::new()).await;
                }
                Some(ended) = late.join_next() => log_panic(ended),
                _ = quiet.tick() => self.site.sessions.end_quiet(),
            }
        }
        self.site.sessions.clear();
    }
}

/// One connection.
struct Connection {
    site: Arc<Site>,
    peer: SocketAddr,
    closing: CancellationToken,
    terms: Terms,
}

impl Connection {
    async fn serve_tcp(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Small answers must not wait for each other.
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else { return self.serve(stream).await };
        let handshake = tokio::time::timeout(self.terms.patience.header, tls.accept(stream));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = self.closing.cancelled() => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.serve(stream).await,
            Ok(Err(error)) => tracing::debug!(peer = %self.peer, %error, "the TLS handshake failed"),
            Err(_) => tracing::debug!(peer = %self.peer, "the TLS handshake took too long"),
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let Self { site, peer, closing, terms } = self;
        let pulse = Arc::new(Pulse::new());
        let switch = Arc::new(Switch::default());
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&pulse)));
        let answers = service_fn(|request| {
            let busy = pulse.busy();
            let answer = route::answer(Arc::clone(&site), peer, Arc::clone(&switch), request);
            async move {
                let mut reply = answer.await;
                // Refused: perhaps with the body still on its way.
                if reply.status().as_u16() >= 300 {
                    busy.lingers();
                }
                reply.body_mut().holds(busy);
                Ok::<_, Infallible>(reply)
            }
        });
        // The deadlines of `watch.rs` take the place of those of the library, which cost a timer per request.
        let mut http = http1::Builder::new();
        http.header_read_timeout(None).max_header_size(MAX_HEADER).keep_alive(!site.is_ending());
        let mut connection = pin!(http.serve_connection(io, answers).with_upgrades());
        let mut expired = pin!(pulse.expired(terms.patience));
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                log_end(peer, ended);
                if let Some(next) = switch.take() {
                    websocket::serve(&site, next, closing).await;
                }
                return;
            }
            () = expired.as_mut() => return tracing::debug!(%peer, "the connection took too long"),
            // A connection that nothing came over yet would be closed at once, with a request on its way perhaps.
            () = closing.cancelled() => if !pulse.awaits_header() {
                connection.as_mut().graceful_shutdown();
            },
        }
        pulse.hurry();
        let mut expired = pin!(pulse.expired(terms.patience));
        tokio::select! {
            biased;
            ended = connection => log_end(peer, ended),
            () = expired.as_mut() => {}
        }
    }
}

fn turn_away(connections: &mut JoinSet<()>, mut stream: TcpStream, terms: &Terms) {
    if connections.len() >= terms.limit.saturating_add(TOLD) {
        return;
    }
    let wait = PAUSE * 20;
    connections.spawn(async move {
        let farewell = async {
            stream.write_all(TOO_MANY.as_bytes()).await?;
            stream.shutdown().await?;
            // Closing with something unread would destroy what was written.
            let mut unread = [0; 1024];
            while stream.read(&mut unread).await? > 0 {}
            Ok::<_, std::io::Error>(())
        };
        let _ = tokio::time::timeout(wait, farewell).await;
    });
}

fn log_end(peer: SocketAddr, ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended");
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection failed");
    }
}
