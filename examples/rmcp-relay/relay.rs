//! The relay itself, between any two transports of rmcp; `benches/relay.rs` uses it too.
//!
//! It forwards requests and their cancellation, one to one; it merges nothing and knows no second server.

use std::error::Error;

use anyhow::Context;
use rmcp::model::{
    ClientCapabilities, ClientConfig, ClientNotification, ClientRequest, ErrorData, Implementation,
    InitializeResult, ProtocolVersion, RequestMetaObject, ServerConfig, ServerResult,
};
use rmcp::service::{
    NotificationContext, Peer, PeerRequestOptions, RequestContext, ServerInitializeError, Service,
    ServiceError,
};
use rmcp::transport::IntoTransport;
use rmcp::{RoleClient, RoleServer, ServiceExt};

struct Relay {
    server: Peer<RoleClient>,
    config: ServerConfig,
}

/// Relays between a server and a client until the client leaves.
pub async fn run<S, SE, SA, C, CE, CA>(server: S, client: C) -> anyhow::Result<()>
where
    S: IntoTransport<RoleClient, SE, SA>,
    SE: Error + Send + Sync + 'static,
    C: IntoTransport<RoleServer, CE, CA>,
    CE: Error + Send + Sync + 'static,
{
    let own = ClientConfig::new(ClientCapabilities::default(), Implementation::new("rmcp-relay", "1"))
        .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE);
    let server = own.serve(server).await.context("the server did not answer")?;
    let peer = server.peer_info().context("the server said nothing about itself")?;
    let mut config = ServerConfig::new(peer.capabilities.clone())
        .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE);
    if let Some(name) = &peer.server_info {
        config = config.with_server_info(name.clone());
    }
    let relay = Relay { server: server.peer().clone(), config };
    match rmcp::serve_server(relay, client).await {
        Ok(running) => drop(running.waiting().await?),
        Err(ServerInitializeError::ConnectionClosed(_)) => {}
        Err(error) => return Err(error.into()),
    }
    drop(server.cancel().await);
    Ok(())
}

impl Service<RoleServer> for Relay {
    async fn handle_request(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        if let ClientRequest::InitializeRequest(_) = request {
            let mut result = InitializeResult::new(self.config.capabilities.clone());
            result.server_info = self.config.server_info.clone();
            result.protocol_version = ProtocolVersion::LATEST_WITH_INITIALIZE;
            return Ok(ServerResult::InitializeResult(result));
        }
        let mut options = PeerRequestOptions::no_options();
        options.meta = Some(forwarded(context.meta));
        let mut call = self.server.send_request_with_option(request, options).await.map_err(refused)?;
        tokio::select! {
            answer = &mut call.rx => answer.unwrap_or(Err(ServiceError::TransportClosed)).map_err(refused),
            () = context.ct.cancelled() => {
                call.cancel(None).await.map_err(refused)?;
                Err(ErrorData::internal_error("cancelled", None))
            }
        }
    }

    async fn handle_notification(
        &self,
        _notification: ClientNotification,
        _context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    fn get_info(&self) -> ServerConfig {
        self.config.clone()
    }
}

/// The server's own progress tokens are made by rmcp; ours would be somebody else's.
fn forwarded(meta: RequestMetaObject) -> RequestMetaObject {
    let mut meta = meta;
    meta.remove("progressToken");
    meta
}

fn refused(error: ServiceError) -> ErrorData {
    match error {
        ServiceError::McpError(error) => error,
        other => ErrorData::internal_error(other.to_string(), None),
    }
}
