//! What stands between the load generator and the echo server: nothing, the gateway, a typed relay.
//!
//! Each runs on the current thread, over pipes of the operating system.

use std::io;
use std::sync::Arc;

use anyhow::bail;
use mcp_manifold::app::{App, Options};
use mcp_manifold::config::environment::Environment;
use mcp_manifold::downstream::connect::{BoxFuture, Connect, Connection, Order};
use mcp_manifold::downstream::error::StartError;
use mcp_manifold::downstream::stdio;
use mcp_manifold::front;
use mcp_manifold::wire::tasks::Tasks;
use tokio::net::unix::pipe::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;

use crate::echo;
use crate::typed;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SetUp {
    Direct,
    Gateway,
    Typed,
}

/// One side of a connection: what it reads from and what it writes to.
pub type Side = (Receiver, Sender);

impl SetUp {
    pub const ALL: [Self; 3] = [Self::Direct, Self::Gateway, Self::Typed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Gateway => "gateway",
            Self::Typed => "rmcp relay",
        }
    }

    /// How the echo tool is called here.
    pub fn tool(self) -> &'static str {
        if self == Self::Gateway { "bench__echo" } else { "echo" }
    }

    /// Starts it in `tasks`, in front of a server with so many tools; the client's side.
    pub fn start(self, tools: usize, tasks: &Arc<Tasks>) -> anyhow::Result<Side> {
        let (client, (input, output)) = line()?;
        match self {
            Self::Direct => tasks.spawn(async move { drop(echo::serve(input, output, tools).await) }),
            Self::Gateway => {
                let app = gateway(tools, tasks)?;
                tasks.spawn(async move {
                    let gateway = app.gateway().clone();
                    front::stdio::run(gateway, input, output, CancellationToken::new()).await;
                });
            }
            Self::Typed => {
                let server = Echo { tools, tasks: Arc::clone(tasks) }.start()?;
                tasks.spawn(async move { drop(typed::run(server, (input, output)).await) });
            }
        }
        Ok(client)
    }
}

/// The gateway as it is by default, but for its way to the one server, and a queue that takes all calls of 1 MB at once:
/// on one thread the server reads none of them before the gateway has read them.
fn gateway(tools: usize, tasks: &Arc<Tasks>) -> anyhow::Result<App> {
    let text = r#"{"mcpServers": {"bench": {"command": "echo"}}, "gateway": {"limits": {"serverQueueBytes": 134217728}}}"#;
    let environment = Environment::new::<&str, &str>([], "/");
    let loaded = mcp_manifold::config::parse(text, "mcp.json".as_ref(), &environment)?;
    if !loaded.problems.is_empty() {
        bail!("the configuration has problems: {:?}", loaded.problems);
    }
    let connector = Arc::new(Echo { tools, tasks: Arc::clone(tasks) });
    Ok(App::from_config(loaded.config, Options { cache: None, connector }))
}

/// Connects to an echo server in this process.
struct Echo {
    tools: usize,
    tasks: Arc<Tasks>,
}

impl Echo {
    fn start(&self) -> io::Result<Side> {
        let (near, (input, output)) = line()?;
        let tools = self.tools;
        self.tasks.spawn(async move { drop(echo::serve(input, output, tools).await) });
        Ok(near)
    }
}

impl Connect for Echo {
    fn connect(&self, order: Order) -> BoxFuture<'static, Result<Connection, StartError>> {
        let started = self.start();
        Box::pin(async move {
            let (input, output) = started.map_err(|error| StartError::Unreachable {
                server: order.server.name.clone(),
                why: error.to_string(),
            })?;
            stdio::open(&order, input, output, None).await
        })
    }
}

/// A connection made of two pipes.
fn line() -> io::Result<(Side, Side)> {
    let ((to_far, from_near), (to_near, from_far)) = (pipe::pipe()?, pipe::pipe()?);
    Ok(((from_far, to_far), (from_near, to_near)))
}
