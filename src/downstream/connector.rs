//! The connector of the binary: a child for a command, a pooled HTTP client for a URL.

use crate::config::model::Transport;
use crate::downstream::connect::BoxFuture;
use crate::downstream::connect::Connect;
use crate::downstream::connect::Connection;
use crate::downstream::connect::Order;
use crate::downstream::error::StartError;
use crate::downstream::http;
use crate::downstream::http::client::HttpClient;
use crate::downstream::http::client::HttpClientError;
use crate::downstream::process;
use crate::downstream::stdio;
use crate::downstream::stdio::lifeline::Child;
use std::sync::Arc;
use std::sync::OnceLock;

/// Starts children and connects to URLs.
#[derive(Default)]
pub struct Connector {
    /// Made with the first URL: reading the system's certificates takes milliseconds that a stdio gateway need not pay.
    client: Arc<OnceLock<HttpClient>>,
}

impl Connect for Connector {
    fn connect(&self, order: Order) -> BoxFuture<'static, Result<Connection, StartError>> {
        let client = Arc::clone(&self.client);
        Box::pin(async move {
            let server = Arc::clone(&order.server);
            match &server.transport {
                Transport::Stdio(child) => {
                    let (stdout, stdin, child) = Child::take(process::spawn(child, &server.name)?);
                    stdio::open(&order, stdout, stdin, Some(child)).await
                }
                Transport::Http(_) => {
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
                    http::connect(order, client).await
                }
            }
        })
    }
}
