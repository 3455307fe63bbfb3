//! What may be typed after `key`. It is only parsed here.

use clap::Args;
use clap::Subcommand;
use std::path::PathBuf;

/// `key`.
#[derive(Debug, Clone, Args)]
pub struct Key {
    /// What to do.
    #[command(subcommand)]
    pub what: KeyCommand,
}

/// What can be done with keys.
#[derive(Debug, Clone, Subcommand)]
pub enum KeyCommand {
    /// Make a key and show it, once
    #[command(
        after_help = "Examples:\n  mcp-manifold key create --name ann\n  mcp-manifold key create --name nightly --team data --expires 90d"
    )]
    Create(Create),
    /// Show the keys there are
    #[command(after_help = "Examples:\n  mcp-manifold key list\n  mcp-manifold key list --json")]
    List(List),
    /// Take a key away: it is refused from the next request on
    #[command(after_help = "Example:\n  mcp-manifold key revoke 3f9a1c2b7d10")]
    Revoke(Revoke),
}

/// Options of `key create`.
#[derive(Debug, Clone, Args)]
pub struct Create {
    /// Who gets it: shown in logs
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// The team of its holder
    #[arg(long, value_name = "NAME")]
    pub team: Option<String>,
    /// The organisation of its holder
    #[arg(long, value_name = "NAME")]
    pub org: Option<String>,
    /// The agent that acts with it
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Let requests name the agent, with the header X-Agent-Id
    #[arg(long)]
    pub may_name_agent: bool,
    /// When it ends: 2027-01-31, 2027-01-31T12:00:00Z, or from now on: 90d, 12h
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// Where keys are.
    #[command(flatten)]
    pub place: KeyPlace,
}

/// Options of `key list`.
#[derive(Debug, Clone, Args)]
pub struct List {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// Where keys are.
    #[command(flatten)]
    pub place: KeyPlace,
}

/// Options of `key revoke`.
#[derive(Debug, Clone, Args)]
pub struct Revoke {
    /// Its name in `key list`
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// Where keys are.
    #[command(flatten)]
    pub place: KeyPlace,
}

/// Which file.
#[derive(Debug, Clone, Args)]
pub struct KeyPlace {
    /// The file with keys [default: `gateway.auth.keysFile` of the configuration, else keys.json in the user's config folder]
    #[arg(long, value_name = "FILE")]
    pub keys_file: Option<PathBuf>,
}
