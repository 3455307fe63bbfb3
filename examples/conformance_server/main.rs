//! The server that the official conformance suite wants to see, written with rmcp: every tool, prompt and resource it
//! names, in both eras, with the tasks extension.
//!
//! ```text
//! conformance_server                             serves stdin and stdout
//! conformance_server --http 127.0.0.1:0          serves /mcp there and says on stderr where that is
//! conformance_server --era legacy|modern|both    speaks only the revisions with `initialize`, only the later ones, or all
//! ```
//!
//! It uses nothing of this crate: it is what the gateway is compared with.
#![expect(deprecated, reason = "the suite tests what 2026-07-28 removed, too")]

mod ask;
mod inputs;
mod interactive;
mod prompts;
mod resources;
mod seal;
mod server;
mod tasks;
mod tools;

use std::net::SocketAddr;

use anyhow::Context;
use axum::serve::ListenerExt;
use clap::{Parser, ValueEnum};
use rmcp::service::ServerInitializeError;
use rmcp::transport::io::stdio_pipes;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::server::Conformance;

/// An MCP server with everything the official conformance suite names
#[derive(Parser)]
struct Cli {
    /// Serve Streamable HTTP at this address, path /mcp, instead of stdin and stdout
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Which revisions to speak
    #[arg(long, value_enum, default_value = "both")]
    era: Era,
}

/// Which revisions are spoken.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Era {
    /// Up to 2025-11-25.
    Legacy,
    /// From 2026-07-28.
    Modern,
    /// All.
    Both,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let server = Conformance::new(cli.era)?;
    match cli.http {
        Some(address) => serve_http(server, address).await,
        None => serve_stdio(server).await,
    }
}

async fn serve_stdio(server: Conformance) -> anyhow::Result<()> {
    match rmcp::serve_server(server, stdio_pipes()).await {
        Ok(running) => running.waiting().await.map(drop).context("the server's task ended badly"),
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(error).context("the client could not connect"),
    }
}

async fn serve_http(server: Conformance, address: SocketAddr) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen at {address}"))?;
    let address = listener.local_addr()?;
    let config = StreamableHttpServerConfig::default().with_allowed_origins([format!("http://{address}")]);
    let service: StreamableHttpService<Conformance, LocalSessionManager> =
        StreamableHttpService::new(move || Ok(server.clone()), Default::default(), config);
    announce(address);
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
