//! The connector of the binary: a child for a command, HTTP or a WebSocket for a URL.

use crate::auth::caller::Caller;
use crate::auth::egress::EgressError;
use crate::auth::oauth::folder::Stamp;
use crate::auth::oauth::logins::Logins;
use crate::auth::oauth::offer::Asked;
use crate::auth::oauth::offer::Offer;
use crate::auth::outbound::Credentials;
use crate::auth::outbound::Shows;
use crate::config::model::Config;
use crate::config::model::Http;
use crate::config::model::Server;
use crate::config::model::Transport;
use crate::config::model::Wire;
use crate::downstream::connect::BoxFuture;
use crate::downstream::connect::Connect;
use crate::downstream::connect::Connection;
use crate::downstream::connect::Order;
use crate::downstream::error::StartError;
use crate::downstream::http;
use crate::downstream::http::client::HttpClient;
use crate::downstream::http::client::HttpClientError;
use crate::downstream::http::found::Found;
use crate::downstream::http::login::Login;
use crate::downstream::process;
use crate::downstream::process::reaper::Reaper;
use crate::downstream::stdio;
use crate::downstream::stdio::lifeline::Child;
use crate::downstream::ws;
use std::sync::Arc;
use std::sync::OnceLock;

/// Starts children and connects to URLs.
#[derive(Default)]
pub struct Connector {
    /// Made with the first URL: reading the system's certificates takes milliseconds that a stdio gateway need not pay.
    client: Arc<OnceLock<HttpClient>>,
    /// What was found out about URLs.
    found: Arc<Found>,
    /// What is shown at URLs and changes.
    credentials: Arc<Credentials>,
    /// Ends children of a gateway that is killed; only the binary has one.
    reaper: Option<Reaper>,
    /// The logins of the user.
    logins: Option<Arc<Logins>>,
}

impl Connector {
    /// With a reaper for the children.
    #[must_use]
    pub fn with_reaper(reaper: Reaper) -> Self {
        Self { reaper: Some(reaper), ..Self::default() }
    }

    /// The same with the logins of a user, for servers that want one.
    #[must_use]
    pub fn with_logins(self, logins: Logins) -> Self {
        Self { logins: Some(Arc::new(logins)), ..self }
    }
}

/// The login that the connection of `order` shows, if somebody can log in there: that of its caller where the entry says so,
/// and nothing else then. The shared connection has that of the gateway.
async fn login(logins: Option<&Arc<Logins>>, order: &Order) -> Result<Option<Login>, StartError> {
    let (Some(logins), server) = (logins, &order.server) else { return Ok(None) };
    let whose = order.personal.as_deref().and_then(|personal| personal.login(server));
    let unusable =
        |error: EgressError| StartError::Unreachable { server: server.name.clone(), why: error.to_string() };
    let Some(bearer) = logins.bearer(server, whose.as_deref()).map_err(unusable)? else { return Ok(None) };
    if let Err(error) = bearer.adopt().await {
        tracing::warn!(server = %server.name, %error, "its login cannot be used");
    }
    Ok(Some(Login::new(bearer, whose)))
}

/// What the connection of `order` shows. A credential that changes is there before anything is sent.
async fn shown(credentials: &Credentials, order: &Order, http: &Http) -> Result<Shows, StartError> {
    let server = &order.server.name;
    let missing = |why| StartError::NoCredential { server: server.clone(), why };
    let shows = credentials.shown(server, http, order.personal.as_deref()).map_err(missing)?;
    if let Some(changing) = &shows.changing {
        changing.headers().await.map_err(missing)?;
    }
    Ok(shows)
}

impl Connect for Connector {
    fn connect(&self, order: Order) -> BoxFuture<'static, Result<Connection, StartError>> {
        let (client, found) = (Arc::clone(&self.client), Arc::clone(&self.found));
        let (reaper, logins) = (self.reaper.clone(), self.logins.clone());
        let credentials = Arc::clone(&self.credentials);
        Box::pin(async move {
            let server = Arc::clone(&order.server);
            match &server.transport {
                Transport::Stdio(child) => {
                    let (stdout, stdin, child) =
                        Child::take(process::spawn(child, &server.name)?, reaper.as_ref());
                    stdio::open(&order, stdout, stdin, Some(child)).await
                }
                Transport::Http(remote) => {
                    let unusable = |error: HttpClientError| StartError::Unreachable {
                        server: server.name.clone(),
                        why: error.to_string(),
                    };
                    if client.get().is_none() {
                        let made = HttpClient::new().map_err(unusable)?;
                        let _ = client.set(made);
                    }
                    let Some(client) = client.get() else {
                        return Err(StartError::Unreachable {
                            server: server.name.clone(),
                            why: "no client".into(),
                        });
                    };
                    let shows = shown(&credentials, &order, remote).await?;
                    match remote.wire {
                        Wire::WebSocket => ws::connect(order, client, &shows).await,
                        _ => {
                            let login = login(logins.as_ref(), &order).await?;
                            http::connect(order, client, &found, shows, login).await
                        }
                    }
                }
            }
        })
    }

    fn login_stamp(&self, server: &Server, whose: Option<&str>) -> Option<Stamp> {
        self.logins.as_ref()?.stamp(server, whose)
    }

    fn offer_login(&self, asked: Asked) -> Option<Offer> {
        self.logins.as_ref()?.offer(asked)
    }

    fn offered_login(&self, id: &str, caller: &Caller) -> Option<Offer> {
        self.logins.as_ref()?.offered(id, caller)
    }

    fn keep_offers(&self, keeps: &dyn Fn(&Asked) -> bool) {
        if let Some(logins) = &self.logins {
            logins.keep_offers(keeps);
        }
    }

    fn configured(&self, config: &Config) {
        if let Some(logins) = &self.logins {
            let names = config.servers.keys().map(ToString::to_string);
            let left_out = config.left_out.iter().map(|entry| entry.name.clone());
            logins.configured(names.chain(left_out).collect(), config.settings.egress.clone());
        }
    }
}
