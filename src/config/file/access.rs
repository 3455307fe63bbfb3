//! `gateway.access`, `gateway.rules` and `gateway.rates` as users write them, for the JSON Schema.
//!
//! `check/access.rs`, `check/agents.rs` and `check/rates.rs` are what reads them.

use crate::config::file::value::TextOrList;
use indexmap::IndexMap;
use schemars::JsonSchema;

/// Who may use what: policies, and to whom they apply.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Access {
    /// What callers may do to whom no policy applies. Default `"execute"`.
    pub default: Option<LevelName>,
    /// Policies, by name.
    pub policies: Option<IndexMap<String, AccessPolicy>>,
    /// To whom they apply. Of several the lowest level counts.
    pub attach: Option<Attach>,
}

/// `deny`: sees nothing; `read`: sees it in lists; `execute`: may use it; `admin`: sees the gateway's state too.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum LevelName {
    /// Sees nothing of it.
    Deny,
    /// Sees it in lists.
    Read,
    /// May use it.
    Execute,
    /// May use it; as the default of a policy: sees the state of the gateway too.
    Admin,
}

/// A level for everything, and rules that say otherwise. Any `deny` wins, then the most specific rule.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct AccessPolicy {
    /// For everything that no rule is about.
    pub default: LevelName,
    /// The rules.
    pub rules: Option<Vec<AccessRule>>,
}

/// A level for the things of some servers. Patterns know `*` and `?`; names are the servers' own.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct AccessRule {
    /// Servers, by their names in this file. Default `"*"`.
    pub server: Option<String>,
    /// Tools.
    pub tool: Option<String>,
    /// Prompts.
    pub prompt: Option<String>,
    /// Resources and templates, by URI.
    pub resource: Option<String>,
    /// What is given.
    pub level: LevelName,
}

/// Policies (one name, or a list) by what is known of a caller. Keys may be patterns.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Attach {
    /// By name, or by unique id like `key:ID`.
    pub callers: Option<IndexMap<String, TextOrList>>,
    /// By team.
    pub teams: Option<IndexMap<String, TextOrList>>,
    /// By organisation.
    pub organisations: Option<IndexMap<String, TextOrList>>,
    /// By agent.
    pub agents: Option<IndexMap<String, TextOrList>>,
    /// By claim of a token, and then by its value.
    pub claims: Option<IndexMap<String, IndexMap<String, TextOrList>>>,
}

/// The path of a file with rules of agents, or the rules.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
pub enum PathOrAgents {
    /// The path of a file, from the folder of this one.
    Path(String),
    /// The rules.
    Agents(AgentRulesFile),
}

/// Rules of agents: what is denied, else what is allowed, else nothing.
#[derive(JsonSchema)]
pub struct AgentRulesFile {
    /// By name.
    pub agents: Option<IndexMap<String, AgentFile>>,
    /// For callers without an agent.
    pub defaults: Option<AgentDefaults>,
}

/// One agent.
#[derive(JsonSchema)]
pub struct AgentFile {
    /// What it may use.
    pub allow: Option<AgentSetFile>,
    /// What it may not use, whatever is allowed.
    pub deny: Option<AgentSetFile>,
}

/// Servers, and tools by server. Patterns know `*` and `?`.
#[derive(JsonSchema)]
pub struct AgentSetFile {
    /// Servers. An allowed one grants all its tools, unless tools of it are listed.
    pub servers: Option<Vec<String>>,
    /// Tools by server.
    pub tools: Option<IndexMap<String, Vec<String>>>,
}

/// For callers without an agent.
#[derive(JsonSchema)]
pub struct AgentDefaults {
    /// `true`: they may use nothing. `false`: the rules of `MCP_MANIFOLD_DEFAULT_AGENT`, or of the agent `default`, hold.
    pub deny_on_missing_agent: Option<bool>,
}

/// How often something may be called: `"100/1m"`, or more in an object.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Rates {
    /// Each caller.
    pub per_caller: Option<RateOrTerms>,
    /// Each team, all its callers together.
    pub per_team: Option<RateOrTerms>,
    /// Each server, by everybody together.
    pub per_server: Option<RateOrTerms>,
    /// Some callers instead, by name.
    pub callers: Option<IndexMap<String, RateOrTerms>>,
    /// Some teams instead, by name.
    pub teams: Option<IndexMap<String, RateOrTerms>>,
    /// Some servers instead, by name.
    pub servers: Option<IndexMap<String, RateOrTerms>>,
}

/// A rate like `"100/1m"`, or an object.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
pub enum RateOrTerms {
    /// Calls in a time.
    Rate(String),
    /// More.
    Terms(RateTermsFile),
}

/// What holds for one caller, team or server.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct RateTermsFile {
    /// Calls in a time, like `"100/1m"`.
    pub rate: Option<String>,
    /// Calls at once, after a time without any. Default: the calls of `rate`.
    pub burst: Option<u32>,
    /// Calls in 24 hours. A restart of the gateway counts anew.
    pub per_day: Option<u64>,
    /// Requests in flight (of callers only), instead of `limits.inFlightPerCaller`.
    pub in_flight: Option<u32>,
}
