//! The relay one gets from rmcp alone, typed on both sides: what the gateway is compared with in the benchmarks.
//!
//! ```text
//! rmcp-relay COMMAND [ARG…]     serves stdin and stdout, and forwards to the command
//! ```
//!
//! How it forwards stands in `relay.rs`; here is only what it stands between.

mod relay;

use anyhow::Context;
use rmcp::transport::TokioChildProcess;
use rmcp::transport::io::stdio_pipes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut words = std::env::args_os().skip(1);
    let mut command = tokio::process::Command::new(words.next().context("usage: rmcp-relay COMMAND [ARG…]")?);
    command.args(words);
    relay::run(TokioChildProcess::new(command)?, stdio_pipes()).await
}
