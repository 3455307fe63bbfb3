//! A real MCP client, written with rmcp, that talks to the gateway or to any other server.
//!
//! ```text
//! client                                              what `mcp-manifold serve` offers
//! client --list tools -- mcp-manifold serve --config mcp.json
//! client --call echo__echo --args '{"message":"hi"}' --url http://127.0.0.1:8808/mcp
//! ```
//!
//! Exit codes: 0 done, 1 usage or a refused request, 4 server unreachable, 5 the tool answered with an error.
//! It shows how a client uses the gateway; it does not try to be a complete client.
#![expect(clippy::print_stderr, reason = "a command line program says what went wrong")]

use std::fmt::Display;
use std::io::Write;
use std::process::{ExitCode, Stdio};

use clap::{Parser, ValueEnum};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ClientConfig, ContentBlock,
    ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationCapability, GetPromptRequestParams,
    GetPromptResponse, Implementation, JsonObject, ProgressNotificationParam, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, NotificationContext, RequestContext, RunningService,
    ServiceError, serve_client_with_lifecycle,
};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ErrorData, RoleClient};
use serde::Serialize;

/// A small MCP client: lists what a server offers, or uses one thing of it
#[derive(Parser)]
struct Cli {
    /// Connect to this Streamable HTTP endpoint instead of starting a command
    #[arg(long, conflicts_with = "command")]
    url: Option<String>,
    /// A bearer token for --url
    #[arg(long, requires = "url")]
    bearer: Option<String>,
    /// How to open the connection
    #[arg(long, value_enum, default_value_t = Era::Auto)]
    era: Era,
    /// List one kind (default: all three)
    #[arg(long, value_enum)]
    list: Option<Kind>,
    /// Call the tool of this name
    #[arg(long, value_name = "NAME", group = "use")]
    call: Option<String>,
    /// Get the prompt of this name
    #[arg(long, value_name = "NAME", group = "use")]
    prompt: Option<String>,
    /// Read the resource of this URI
    #[arg(long, value_name = "URI", group = "use")]
    read: Option<String>,
    /// Arguments of the tool or prompt, a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = object)]
    args: JsonObject,
    /// Fill in every form with this JSON object; without it the client declares no forms
    #[arg(long, value_name = "JSON", value_parser = object)]
    answer: Option<JsonObject>,
    /// Print whole results as JSON
    #[arg(long)]
    json: bool,
    /// Print notifications on stderr
    #[arg(long, short)]
    verbose: bool,
    /// The server to start (default: mcp-manifold serve)
    #[arg(last = true)]
    command: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Era {
    /// `initialize`, up to 2025-11-25
    Legacy,
    /// `server/discover`, from 2026-07-28 on
    Modern,
    /// Modern if the server knows it, else legacy
    Auto,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Tools,
    Prompts,
    Resources,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot start the server: {0}")]
    Start(#[from] std::io::Error),
    #[error("cannot connect: {0}")]
    Connect(#[from] Box<ClientInitializeError>),
    #[error("{0}")]
    Request(#[from] ServiceError),
    #[error("cannot make an HTTP client: {0}")]
    Http(#[from] reqwest::Error),
    #[error("the server answered with something this client does not know")]
    Unknown,
    #[error("the tool answered with an error")]
    Tool,
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Start(_) | Self::Connect(_) => 4,
            Self::Request(ServiceError::TransportClosed | ServiceError::TransportSend(_)) => 4,
            Self::Request(_) | Self::Http(_) | Self::Unknown => 1,
            Self::Tool => 5,
        }
    }
}

/// What this client is to a server.
struct Client {
    answer: Option<JsonObject>,
    verbose: bool,
}

type Connection = RunningService<RoleClient, Client>;

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        if self.answer.is_some() {
            capabilities.elicitation = Some(ElicitationCapability::default());
        }
        // Without a version of its own rmcp would put the modern one into `initialize`, which has none.
        ClientConfig::new(capabilities, Implementation::new("example-client", env!("CARGO_PKG_VERSION")))
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        if let (true, ElicitRequestParams::FormElicitationParams { message, .. }) = (self.verbose, &request) {
            eprintln!("form: {message}");
        }
        Ok(match &self.answer {
            Some(answer) => ElicitResult::new(ElicitationAction::Accept).with_content(answer.clone().into()),
            None => ElicitResult::new(ElicitationAction::Decline),
        })
    }

    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        if self.verbose {
            let total = progress.total.map(|total| format!("/{total}")).unwrap_or_default();
            eprintln!("progress: {}{total} {}", progress.progress, progress.message.unwrap_or_default());
        }
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        if self.verbose {
            eprintln!("the list of tools changed");
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let connection = connect(&cli).await?;
    let done = serve(&cli, &connection).await;
    // The answer is there; how the connection ends does not change it.
    drop(connection.cancel().await);
    done
}

async fn connect(cli: &Cli) -> Result<Connection, Failure> {
    let client = Client { answer: cli.answer.clone(), verbose: cli.verbose };
    let modern = vec![ProtocolVersion::V_2026_07_28];
    let lifecycle = match cli.era {
        Era::Legacy => ClientLifecycleMode::Initialize,
        Era::Modern => ClientLifecycleMode::Discover { preferred_versions: modern },
        Era::Auto => ClientLifecycleMode::Auto {
            preferred_versions: modern,
            legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
        },
    };
    let connected = match &cli.url {
        Some(url) => {
            serve_client_with_lifecycle(client, over_http(url, cli.bearer.as_deref())?, lifecycle).await
        }
        None => serve_client_with_lifecycle(client, over_stdio(&cli.command)?, lifecycle).await,
    };
    connected.map_err(|error| Failure::Connect(Box::new(error)))
}

fn over_http(
    url: &str,
    bearer: Option<&str>,
) -> Result<StreamableHttpClientTransport<reqwest::Client>, Failure> {
    // Two installations in one process would be an error; the first one serves as well.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut config = StreamableHttpClientTransportConfig::with_uri(url);
    if let Some(bearer) = bearer {
        config = config.auth_header(bearer);
    }
    // A client of our own keeps its connections; the one rmcp makes opens a new one for each message.
    Ok(StreamableHttpClientTransport::with_client(reqwest::Client::builder().build()?, config))
}

fn over_stdio(command: &[String]) -> Result<TokioChildProcess, Failure> {
    let default = ["mcp-manifold".to_owned(), "serve".to_owned()];
    let command = if command.is_empty() { &default } else { command };
    let mut child = tokio::process::Command::new(&command[0]);
    child.args(&command[1..]);
    Ok(TokioChildProcess::builder(child).stderr(Stdio::inherit()).spawn()?.0)
}

async fn serve(cli: &Cli, connection: &Connection) -> Result<(), Failure> {
    if let Some(name) = &cli.call {
        return call(cli, connection, name).await;
    }
    if let Some(name) = &cli.prompt {
        return prompt(cli, connection, name).await;
    }
    if let Some(uri) = &cli.read {
        return read(cli, connection, uri).await;
    }
    match cli.list {
        Some(kind) => list(cli, connection, kind, "").await,
        None => overview(cli, connection).await,
    }
}

async fn overview(cli: &Cli, connection: &Connection) -> Result<(), Failure> {
    let peer = connection.peer_info();
    if let Some(server) = peer.as_ref().and_then(|peer| peer.server_info.as_ref()) {
        eprintln!("{} {}", server.name, server.version);
    }
    for (kind, title) in [(Kind::Tools, "tools"), (Kind::Prompts, "prompts"), (Kind::Resources, "resources")]
    {
        let offered = peer.as_ref().is_none_or(|peer| match kind {
            Kind::Tools => peer.capabilities.tools.is_some(),
            Kind::Prompts => peer.capabilities.prompts.is_some(),
            Kind::Resources => peer.capabilities.resources.is_some(),
        });
        if offered {
            print(format_args!("{title}:"));
            list(cli, connection, kind, "  ").await?;
        }
    }
    Ok(())
}

async fn list(cli: &Cli, connection: &Connection, kind: Kind, indent: &str) -> Result<(), Failure> {
    let line = |name: &str, description: Option<&str>| {
        let description = description.and_then(|text| text.lines().next()).unwrap_or_default();
        print(format!("{indent}{name}\t{description}").trim_end());
    };
    match kind {
        Kind::Tools => {
            for tool in print_all(cli, connection.list_all_tools().await?) {
                line(&tool.name, tool.description.as_deref());
            }
        }
        Kind::Prompts => {
            for prompt in print_all(cli, connection.list_all_prompts().await?) {
                line(&prompt.name, prompt.description.as_deref());
            }
        }
        Kind::Resources => {
            for resource in print_all(cli, connection.list_all_resources().await?) {
                line(&resource.uri, resource.description.as_deref());
            }
            for template in print_all(cli, connection.list_all_resource_templates().await?) {
                line(&template.uri_template, template.description.as_deref());
            }
        }
    }
    Ok(())
}

/// With `--json` prints the items and leaves none to print in words.
fn print_all<T: Serialize>(cli: &Cli, items: Vec<T>) -> Vec<T> {
    if !cli.json {
        return items;
    }
    items.iter().for_each(print_json);
    Vec::new()
}

async fn call(cli: &Cli, connection: &Connection, name: &str) -> Result<(), Failure> {
    let request = CallToolRequestParams::new(name.to_owned()).with_arguments(cli.args.clone());
    // Forms asked for in either era are answered by `Client::create_elicitation`.
    let CallToolResponse::Complete(result) = connection.call_tool(request).await?.into() else {
        return Err(Failure::Unknown);
    };
    print_result(cli, &result);
    if result.is_error == Some(true) { Err(Failure::Tool) } else { Ok(()) }
}

fn print_result(cli: &Cli, result: &CallToolResult) {
    if cli.json {
        return print_json(result);
    }
    result.content.iter().for_each(print_content);
    if result.content.is_empty()
        && let Some(structured) = &result.structured_content
    {
        print_json(structured);
    }
}

fn print_content(content: &ContentBlock) {
    match content.as_text() {
        Some(text) => print(&text.text),
        None => print_json(content),
    }
}

async fn prompt(cli: &Cli, connection: &Connection, name: &str) -> Result<(), Failure> {
    let request = GetPromptRequestParams::new(name).with_arguments(cli.args.clone());
    let GetPromptResponse::Complete(result) = connection.get_prompt(request).await?.into() else {
        return Err(Failure::Unknown);
    };
    if cli.json {
        print_json(&result);
    } else {
        result.messages.iter().for_each(|message| print_content(&message.content));
    }
    Ok(())
}

async fn read(cli: &Cli, connection: &Connection, uri: &str) -> Result<(), Failure> {
    let request = ReadResourceRequestParams::new(uri);
    let ReadResourceResponse::Complete(result) = connection.read_resource(request).await?.into() else {
        return Err(Failure::Unknown);
    };
    if cli.json {
        print_json(&result);
        return Ok(());
    }
    for contents in &result.contents {
        match contents {
            rmcp::model::ResourceContents::TextResourceContents { text, .. } => print(text),
            other => print_json(other),
        }
    }
    Ok(())
}

fn print_json<T: Serialize + ?Sized>(value: &T) {
    print(serde_json::to_string(value).expect("results came from JSON"));
}

/// A reader that has seen enough (`| head`) is no reason to panic.
fn print(line: impl Display) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

fn object(text: &str) -> Result<JsonObject, String> {
    serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
}
