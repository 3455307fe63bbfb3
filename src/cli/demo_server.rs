//! Two small MCP servers inside the binary, so that the first run and the tests need nothing else.
//!
//! They are reference peers, written with rmcp on purpose: they share no code with the gateway's own engine.

mod echo;
mod workshop;

use anyhow::Context;
use rmcp::ServerHandler;
use rmcp::service::ServerInitializeError;
use rmcp::transport::io::stdio_pipes;

use crate::cli::demo_server::echo::Echo;
use crate::cli::demo_server::workshop::Workshop;

/// Which demo server to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Which {
    /// Three small tools: echo, add, reverse
    Echo,
    /// Tools, resources, prompts, completion, progress, elicitation and logging
    Workshop,
}

/// Serves one demo server on stdin and stdout until stdin ends.
///
/// # Errors
/// When the client's first message is not one that can open a connection, or a task of the server died.
pub async fn run(which: Which) -> anyhow::Result<()> {
    match which {
        Which::Echo => serve(Echo::new()).await,
        Which::Workshop => serve(Workshop::new()).await,
    }
}

async fn serve(server: impl ServerHandler) -> anyhow::Result<()> {
    match rmcp::serve_server(server, stdio_pipes()).await {
        Ok(running) => {
            running.waiting().await.context("the demo server's task ended badly")?;
            Ok(())
        }
        // A client that closes before it says anything has not done anything wrong.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
        Err(error) => Err(error).context("the client could not connect to the demo server"),
    }
}

#[cfg(test)]
mod tests;
