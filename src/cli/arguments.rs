//! What may be typed. It is only parsed here; what it means stands with each command.

pub mod key;

use crate::cli::arguments::key::Key;
use crate::cli::demo_server::Which;
use clap::Args;
use clap::Parser;
use clap::Subcommand;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Many MCP servers as one: reads the `mcpServers` file you have and serves all of them as a single MCP server.
///
/// Without a command it serves one client on stdin and stdout, like `serve`.
#[derive(Debug, Parser)]
#[command(name = "mcp-manifold", version, after_help = EXAMPLES, subcommand_precedence_over_arg = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// Options of `serve`, when no command is given.
    #[command(flatten)]
    pub serve: Serve,
    /// The command.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  mcp-manifold serve --config mcp.json            one client on stdin and stdout
  mcp-manifold serve --http 127.0.0.1:8808        many clients on http://127.0.0.1:8808/mcp
  mcp-manifold check                              what is wrong in the file, without starting anything
  mcp-manifold tools                              every tool clients will see
  mcp-manifold call echo__echo message=hello      one call

Exit codes: 0 ok, 1 usage, 2 configuration, 3 authorization needed, 4 server unreachable, 5 tool error";

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The file with the servers [default: $MCP_MANIFOLD_CONFIG, ./mcp.json, ./.mcp.json, the user's config folder]
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the lists of servers are kept between runs [default: the user's cache folder]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub cache_dir: Option<PathBuf>,
    /// Where clients of this user meet their shared gateway [default: a folder of the system for this user]
    #[arg(long, global = true, value_name = "FOLDER", env = "MCP_MANIFOLD_RUNTIME_DIR")]
    pub runtime_dir: Option<PathBuf>,
    /// Where logins at servers are kept [default: the user's state folder]
    #[arg(long, global = true, value_name = "FOLDER", env = "MCP_MANIFOLD_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// Keep no lists between runs; wins over --cache-dir
    #[arg(long, global = true)]
    pub no_cache: bool,
    /// How much is logged: error, warn, info, debug, trace, or directives like `mcp_manifold=debug`
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info")]
    pub log_level: String,
    /// Write the log to this file instead of stderr
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Write the log as JSON lines
    #[arg(long, global = true)]
    pub log_json: bool,
}

/// Options of `serve`.
#[derive(Debug, Clone, Default, Args)]
pub struct Serve {
    /// Serve Streamable HTTP on this address, endpoint /mcp; port 0 takes a free one
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub http: Option<SocketAddr>,
    /// With --http: serve a client on stdin and stdout too
    #[arg(long)]
    pub stdio: bool,
    /// Certificate chain for HTTPS, PEM
    #[arg(long, value_name = "FILE", requires = "http", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key for HTTPS, PEM
    #[arg(long, value_name = "FILE", requires = "http", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// A proxy in front does TLS, so that public addresses are served without; clients need credentials
    #[arg(long, requires = "http")]
    pub behind_proxy: bool,
    /// Share no gateway with other clients of this user
    #[arg(long)]
    pub standalone: bool,
    /// Who the client on stdin and stdout is: one of `gateway.callers` [default: `gateway.defaultCaller`]
    #[arg(long = "as", value_name = "NAME")]
    pub caller: Option<String>,
    /// Only attach to a gateway that runs; start none
    #[arg(long, conflicts_with_all = ["standalone", "http"])]
    pub attach_only: bool,
}

/// An address to listen on: names are not looked up.
fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok()).unwrap_or("8808");
    text.parse().map_err(|_| {
        format!("write an IP address and a port: 127.0.0.1:{port} for this machine alone, 0.0.0.0:{port} for others too")
    })
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve clients on stdin and stdout, or over HTTP
    #[command(
        after_help = "Examples:\n  mcp-manifold serve\n  mcp-manifold serve --config mcp.json --http 127.0.0.1:8808\n  mcp-manifold serve --http 127.0.0.1:8808 --stdio"
    )]
    Serve(Serve),
    /// Say what is wrong in the file, without starting anything
    #[command(
        after_help = "Examples:\n  mcp-manifold check\n  mcp-manifold check --deep\n  mcp-manifold check --config mcp.json --json"
    )]
    Check(Check),
    /// Write down what the servers offer, or say what changed since
    #[command(
        after_help = "Examples:\n  mcp-manifold lock                   write the lock file, or compare with it\n  mcp-manifold lock --update files    approve what the server `files` offers now\n  mcp-manifold lock --check           exit code 2 when anything changed"
    )]
    Lock(Lock),
    /// List the tools that clients see, with server and description
    #[command(after_help = "Examples:\n  mcp-manifold tools\n  mcp-manifold tools --json")]
    Tools(Tools),
    /// Call one tool through the gateway and print what it returns
    #[command(
        after_help = "Examples:\n  mcp-manifold call echo__echo message=hello\n  mcp-manifold call echo__add '{\"a\": 2, \"b\": 3}'\n  mcp-manifold call echo__add a=2 b=3 --json"
    )]
    Call(Call),
    /// Show the state of the gateway that clients share, or of one that serves HTTP
    #[command(
        after_help = "Examples:\n  mcp-manifold status\n  mcp-manifold status http://127.0.0.1:8808 --json"
    )]
    Status(Status),
    /// Log in at servers that want it
    #[command(
        subcommand,
        after_help = "Examples:\n  mcp-manifold auth login linear\n  mcp-manifold auth login linear --scope \"read write\"\n  mcp-manifold auth status\n  mcp-manifold auth logout linear"
    )]
    Auth(Auth),
    /// Make, list and revoke keys for clients over HTTP
    #[command(
        after_help = "Examples:\n  mcp-manifold key create --name ann --team data\n  mcp-manifold key list\n  mcp-manifold key revoke 3f9a1c2b7d10"
    )]
    Key(Key),
    /// Say what the rules of the file let a caller do
    #[command(subcommand)]
    Policy(Policy),
    /// Print the JSON Schema of the file, for editors
    #[command(after_help = "Example:\n  mcp-manifold schema > mcp-manifold.schema.json")]
    Schema,
    /// Run one of the demo servers on stdin and stdout
    #[command(after_help = "Example:\n  mcp-manifold demo-server echo")]
    DemoServer {
        /// Which one
        which: Which,
    },
    /// End the gateway that clients share, until one of its clients needs it
    #[command(after_help = "Example:\n  mcp-manifold stop --config mcp.json")]
    Stop,
    /// Have a new process take the place of the gateway that clients share
    #[command(after_help = "Example:\n  mcp-manifold restart --when-idle")]
    Restart(Restart),
    /// The gateway that stdio clients share; started by the first of them
    #[command(hide = true)]
    Hold(Hold),
    /// Ends the children of a gateway that died; started by the gateway itself
    #[command(hide = true)]
    Reap,
}

/// What is asked of the rules.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Say which rule decides whether a caller may use something
    #[command(
        after_help = "Examples:\n  mcp-manifold policy explain --caller ann --team blue --tool github__search\n  mcp-manifold policy explain --caller ci --claim groups=ops --resource file:///etc/passwd"
    )]
    Explain(Explain),
}

/// Options of `policy explain`.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("object").required(true))]
pub struct Explain {
    /// The name of the caller, or its unique id like `key:ID` [default: that of a client on stdio]
    #[arg(long, value_name = "NAME")]
    pub caller: Option<String>,
    /// Its team
    #[arg(long, value_name = "NAME")]
    pub team: Option<String>,
    /// Its organisation
    #[arg(long, alias = "org", value_name = "NAME")]
    pub organisation: Option<String>,
    /// Its agent
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// A claim of its token; may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    pub claim: Vec<String>,
    /// A tool: the name that clients see, or `server/tool`
    #[arg(long, value_name = "TOOL", group = "object")]
    pub tool: Option<String>,
    /// A prompt: the name that clients see, or `server/prompt`
    #[arg(long, value_name = "PROMPT", group = "object")]
    pub prompt: Option<String>,
    /// The URI of a resource
    #[arg(long, value_name = "URI", group = "object")]
    pub resource: Option<String>,
    /// The server, when the name alone does not say it; the name is the server's own then
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `restart`.
#[derive(Debug, Clone, Args)]
pub struct Restart {
    /// Not before no call is in flight
    #[arg(long)]
    pub when_idle: bool,
}

/// Options of `hold`.
#[derive(Debug, Clone, Args)]
pub struct Hold {
    /// Start it in a session of its own and return
    #[arg(long)]
    pub detach: bool,
    /// For the client of this process alone
    #[arg(long, value_name = "PID")]
    pub only_for: Option<u32>,
}

/// Options of `check`.
#[derive(Debug, Clone, Args)]
pub struct Check {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// Start the servers too, and tell what in their definitions looks as if it were meant to mislead a model
    #[arg(long)]
    pub deep: bool,
    /// Show notes too: how things were read
    #[arg(long, short)]
    pub verbose: bool,
}

/// Options of `lock`.
#[derive(Debug, Clone, Args)]
pub struct Lock {
    /// Approve what is new or changed, of one server or of all
    #[arg(long, value_name = "SERVER", num_args = 0..=1)]
    pub update: Option<Option<String>>,
    /// Only compare, also when there is no lock file yet
    #[arg(long, conflicts_with = "update")]
    pub check: bool,
}

/// Options of `tools`.
#[derive(Debug, Clone, Args)]
pub struct Tools {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Options of `call`.
#[derive(Debug, Clone, Args)]
pub struct Call {
    /// The tool, as `mcp-manifold tools` shows it
    pub name: String,
    /// One JSON object, or key=value pairs
    pub arguments: Vec<String>,
    /// Print the whole result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `status`.
#[derive(Debug, Clone, Args)]
pub struct Status {
    /// Where the gateway listens [default: the shared gateway of the file, else http://127.0.0.1:8808]
    #[arg(value_name = "URL")]
    pub url: Option<String>,
    /// The token, when the gateway wants one
    #[arg(long, value_name = "TOKEN", env = "MCP_MANIFOLD_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// What `auth` can do.
#[derive(Debug, Subcommand)]
pub enum Auth {
    /// Log in at a server, in a browser
    #[command(
        after_help = "Without a browser on this machine: open the address elsewhere, and paste the address that the \
browser is sent to into this terminal."
    )]
    Login(Login),
    /// Forget the login at a server
    Logout {
        /// The server, as it is named in the file
        server: String,
        /// Whose login, where each caller has one: a principal such as `key:3f9a1c2b7d10`, or a name that the file knows
        /// [default: that of the gateway]
        #[arg(long, value_name = "CALLER")]
        caller: Option<String>,
    },
    /// Show which logins there are; tokens are never shown
    Status {
        /// The server, as it is named in the file [default: all]
        server: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// Options of `auth login`.
#[derive(Debug, Clone, Args)]
pub struct Login {
    /// The server, as it is named in the file
    pub server: String,
    /// Only print the address to open
    #[arg(long)]
    pub no_browser: bool,
    /// What the login is to allow besides; several are separated by blanks
    #[arg(long, value_name = "SCOPES")]
    pub scope: Vec<String>,
    /// The port of this machine that the browser is sent back to [default: `redirectPort` of the entry, or a free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Whose login it is to be, where each caller has one (`identity: caller`): a principal such as `key:3f9a1c2b7d10` or
    /// `local`, or a name that the file knows [default: that of the gateway]
    #[arg(long, value_name = "CALLER")]
    pub caller: Option<String>,
    /// How long to wait for the browser to come back, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub timeout: u64,
}
