//! The binary.
use clap::Parser;
#[derive(clap::Parser)]
enum Cli {
    DemoServer { which: mcp_manifold::cli::demo_server::Which },
}
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Cli::parse() {
        Cli::DemoServer { which } => mcp_manifold::cli::demo_server::run(which).await,
    }
}
