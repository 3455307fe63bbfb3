//! A program with a gateway inside: a configuration from a text, the tools, one call, the end.
//!
//! `cargo run --example embed`. Its only server is the echo demo of the crate, for which it starts itself once more;
//! a program of yours would name other commands or URLs. It runs no front and follows no file.

use mcp_manifold::App;
use mcp_manifold::app::Options;
use mcp_manifold::auth::caller::Caller;
use mcp_manifold::cli::demo_server;
use mcp_manifold::config;
use mcp_manifold::config::environment::Environment;
use mcp_manifold::front::program::Program;
use std::io::Write;

const CONFIG: &str = r#"{
  "mcpServers": {
    "echo": { "command": "${self}", "args": ["demo-server", "echo"] }
  }
}"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("demo-server") {
        return demo_server::run(demo_server::Which::Echo).await;
    }
    // What the text may know of this machine is an argument: no variables, the current folder, and `${self}`.
    let variables: [(&str, &str); 0] = [];
    let environment =
        Environment::new(variables, std::env::current_dir()?).own_binary(std::env::current_exe()?);
    let loaded = config::parse(CONFIG, "embedded.json".as_ref(), &environment)?;
    let app = App::from_config(loaded.config, Options::default());

    // Nothing runs yet. The first question starts what is needed to answer it.
    let program = Program::new(app.gateway().clone(), Caller::Local);
    let tools = program.request("tools/list", "{}").await?;
    let tools: serde_json::Value = serde_json::from_str(tools.get())?;
    let mut out = std::io::stdout();
    for tool in tools["tools"].as_array().into_iter().flatten() {
        writeln!(out, "{}: {}", tool["name"], tool["description"])?;
    }

    let result = program.call_tool("echo__add", r#"{ "a": 2, "b": 3 }"#).await?;
    writeln!(out, "{}", result.get())?;

    drop(program);
    app.close().await;
    Ok(())
}
