//! A small MCP server on its own, written with rmcp's macros and schemars: something to put behind the gateway.
//!
//! ```text
//! echo_server                        serves stdin and stdout
//! echo_server --http 127.0.0.1:8900  serves http://127.0.0.1:8900/mcp
//! ```
//!
//! It uses nothing of this crate, so that it also shows what any other server looks like.

use std::net::SocketAddr;

use anyhow::Context;
use axum::serve::ListenerExt;
use clap::Parser;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{Implementation, ProtocolVersion, ServerCapabilities, ServerConfig};
use rmcp::service::ServerInitializeError;
use rmcp::transport::io::stdio_pipes;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A small MCP server: says back what it is told
#[derive(Parser)]
struct Cli {
    /// Serve Streamable HTTP at this address, path /mcp, instead of stdin and stdout
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
}

#[derive(Clone)]
struct Echo {
    tools: ToolRouter<Self>,
}

#[derive(Deserialize, JsonSchema)]
struct Message {
    /// Any text
    message: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Counted {
    /// Number of characters
    characters: usize,
    /// Number of words
    words: usize,
}

#[tool_router]
impl Echo {
    fn new() -> Self {
        Self { tools: Self::tool_router() }
    }

    #[tool(
        title = "Echo",
        description = "Says back the message it was given",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn echo(&self, Parameters(Message { message }): Parameters<Message>) -> String {
        message
    }

    #[tool(
        title = "Count characters",
        description = "Counts the characters and the words of the message",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn count(&self, Parameters(Message { message }): Parameters<Message>) -> Json<Counted> {
        Json(Counted { characters: message.chars().count(), words: message.split_whitespace().count() })
    }
}

#[tool_handler(router = self.tools)]
impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
            .with_server_info(
                Implementation::new("echo-server", env!("CARGO_PKG_VERSION")).with_title("Echo server"),
            )
            .with_instructions("Says back what it is told.")
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().http {
        Some(address) => serve_http(address).await,
        None => serve_stdio().await,
    }
}

async fn serve_stdio() -> anyhow::Result<()> {
    match rmcp::serve_server(Echo::new(), stdio_pipes()).await {
        Ok(running) => running.waiting().await.map(drop).context("the server's task ended badly"),
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(error).context("the client could not connect"),
    }
}

async fn serve_http(address: SocketAddr) -> anyhow::Result<()> {
    let config = StreamableHttpServerConfig::default().enforce_origin_validation();
    let echo = Echo::new();
    // Sessions and modern requests are served side by side; the factory is called for each of either.
    let service: StreamableHttpService<Echo, LocalSessionManager> =
        StreamableHttpService::new(move || Ok(echo.clone()), Default::default(), config);
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen at {address}"))?;
    announce(listener.local_addr()?);
    // Without it an event stream on a kept-alive connection waits 40 ms for each answer.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let router = axum::Router::new().route_service("/mcp", service);
    axum::serve(listener, router)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await
        .context("the HTTP server ended badly")
}

#[expect(clippy::print_stderr, reason = "an example says where it listens; stdout is left to the protocol")]
fn announce(address: SocketAddr) {
    eprintln!("listening at http://{address}/mcp");
}
