//! Opening a WebSocket: TCP, TLS where asked for, and the HTTP request that upgrades it.
//!
//! No redirect is followed. It sends no message.

use crate::auth::outbound::Shows;
use crate::config::model::Http;
use crate::downstream::error::StartError;
use crate::downstream::http::client::CONNECT_TIMEOUT;
use crate::downstream::http::client::HttpClient;
use crate::downstream::http::endpoint::headers_of;
use crate::downstream::http::reply::refusal_text;
use crate::name::ServerName;
use http::HeaderName;
use http::HeaderValue;
use http::Request;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use reqwest::Url;
use rustls::pki_types;
use std::error::Error as _;
use std::sync::Arc;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::error::SubProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// TCP, with or without TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// An open WebSocket.
pub type Socket = WebSocketStream<Box<dyn Stream>>;

/// Where a WebSocket is to be opened, and what is shown there.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The server.
    pub server: &'a ServerName,
    /// Where it is.
    pub http: &'a Http,
    /// What is shown.
    pub shows: &'a Shows,
}

/// Opens a WebSocket; messages have at most `limit` bytes.
///
/// # Errors
/// [`StartError::Unreachable`], [`StartError::Unauthorized`] or [`StartError::NoCredential`].
pub async fn dial(target: &Target<'_>, client: &HttpClient, limit: usize) -> Result<Socket, StartError> {
    let server = target.server;
    let missing = |why| StartError::NoCredential { server: server.clone(), why };
    let Some(changing) = &target.shows.changing else { return agree(target, client, limit, &[]).await };
    let shown = changing.headers().await.map_err(missing)?;
    match agree(target, client, limit, &shown).await {
        Err(StartError::Unauthorized { server, status }) => {
            match changing.instead_of(&shown, status).await.map_err(missing)? {
                Some(shown) => agree(target, client, limit, &shown).await,
                None => Err(StartError::Unauthorized { server, status }),
            }
        }
        other => other,
    }
}

async fn agree(
    target: &Target<'_>,
    client: &HttpClient,
    limit: usize,
    shown: &[(HeaderName, HeaderValue)],
) -> Result<Socket, StartError> {
    match upgrade(target, client, limit, shown, true).await {
        // It does not know of subprotocols, as many small servers do not.
        Err(Refused::NoSubprotocol) => upgrade(target, client, limit, shown, false).await,
        other => other,
    }
    .map_err(|refused| match refused {
        Refused::Start(error) => error,
        Refused::NoSubprotocol => unreachable(target.server, "it chose no subprotocol".into()),
    })
}

enum Refused {
    NoSubprotocol,
    Start(StartError),
}

async fn upgrade(
    target: &Target<'_>,
    client: &HttpClient,
    limit: usize,
    shown: &[(HeaderName, HeaderValue)],
    subprotocol: bool,
) -> Result<Socket, Refused> {
    let server = target.server;
    let wrong = |why: String| Refused::Start(unreachable(server, why));
    let mut request = request(target, shown).map_err(wrong)?;
    if subprotocol {
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("mcp"));
    }
    let stream = timeout(CONNECT_TIMEOUT, connect(target.http, client))
        .await
        .unwrap_or_else(|_| Err("no connection came about in time".into()))
        .map_err(wrong)?;
    let config = WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(
            SubProtocolError::NoSubProtocol,
        ))) => Err(Refused::NoSubprotocol),
        Err(Error::Http(response)) => {
            let status = response.status();
            if matches!(status.as_u16(), 401 | 403) {
                let (server, status) = (server.clone(), status.as_u16());
                return Err(Refused::Start(StartError::Unauthorized { server, status }));
            }
            Err(wrong(format!("it {} instead of opening a WebSocket", refusal_text(status))))
        }
        Err(error) => Err(wrong(format!("no WebSocket came about: {}", words(&error)))),
    }
}

fn request(target: &Target<'_>, shown: &[(HeaderName, HeaderValue)]) -> Result<Request<()>, String> {
    // Its own text could show the address, which may hold a secret.
    let request = target.http.url.value.as_str().into_client_request();
    let mut request = request.map_err(|_| "its `url` cannot be used".to_owned())?;
    let mut headers = headers_of(target.shows)?;
    for (name, value) in shown {
        headers.insert(name, value.clone());
    }
    request.headers_mut().extend(headers);
    Ok(request)
}

async fn connect(http: &Http, client: &HttpClient) -> Result<Box<dyn Stream>, String> {
    let url = Url::parse(&http.url.value).map_err(|error| format!("its `url` cannot be read: {error}"))?;
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(|error| error.to_string())?;
    let _ = tcp.set_nodelay(true);
    if url.scheme() != "wss" {
        return Ok(Box::new(tcp));
    }
    let name = pki_types::ServerName::try_from(host).map_err(|error| error.to_string())?;
    let tls = TlsConnector::from(Arc::clone(client.tls())).connect(name, tcp).await;
    Ok(Box::new(tls.map_err(|error| error.to_string())?))
}

fn unreachable(server: &ServerName, why: String) -> StartError {
    StartError::Unreachable { server: server.clone(), why }
}

/// What `error` says, down to its cause.
#[must_use]
pub fn words(error: &Error) -> String {
    match error.source() {
        Some(cause) => cause.to_string(),
        None => error.to_string(),
    }
}
