//! The `echo` demo server: tools only, each as small as a tool can be.
//!
//! It keeps no state, so any number of calls may run side by side.

use rmcp::ServerHandler;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Json;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{Implementation, ProtocolVersion, ServerCapabilities, ServerConfig};
use rmcp::{tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `echo` demo server.
#[derive(Debug, Clone)]
pub struct Echo {
    tools: ToolRouter<Self>,
}

/// Arguments of `echo` and `reverse`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Message {
    /// Any text
    pub message: String,
}

/// Arguments of `add`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Summands {
    /// The first number
    pub a: f64,
    /// The second number
    pub b: f64,
}

/// What `add` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sum {
    /// `a` plus `b`
    pub sum: f64,
}

#[tool_router]
impl Echo {
    /// A server ready to be served.
    #[must_use]
    pub fn new() -> Self {
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
        title = "Add",
        description = "Adds two numbers",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn add(&self, Parameters(Summands { a, b }): Parameters<Summands>) -> Json<Sum> {
        Json(Sum { sum: a + b })
    }

    #[tool(
        title = "Reverse",
        description = "Says the message backwards, character by character",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn reverse(&self, Parameters(Message { message }): Parameters<Message>) -> String {
        message.chars().rev().collect()
    }
}

impl Default for Echo {
    fn default() -> Self {
        Self::new()
    }
}

#[tool_handler(router = self.tools)]
impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
            .with_server_info(
                Implementation::new("demo-echo", env!("CARGO_PKG_VERSION")).with_title("Echo demo"),
            )
            .with_instructions("Use these tools to check that calls arrive and come back unchanged.")
    }
}
