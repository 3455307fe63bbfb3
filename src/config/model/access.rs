//! Who may use what (`gateway.access`, `gateway.rules`), as the program reads it.
//!
//! It decides nothing: `policy` does.

use std::collections::BTreeSet;

/// The server that the gateway's own tools belong to, in rules and in names. Where there are rules no entry has this name.
pub const GATEWAY: &str = "manifold";

/// What a caller may do with an object. In this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing: it is as if it were not there.
    Deny,
    /// See it in lists.
    Read,
    /// Use it: call, get, read, subscribe.
    Execute,
    /// The same, and see the state of the gateway and its own tools.
    Admin,
}

impl Level {
    /// All of them, lowest first, as the file names them.
    pub const NAMES: [(&'static str, Self); 4] =
        [("deny", Self::Deny), ("read", Self::Read), ("execute", Self::Execute), ("admin", Self::Admin)];

    /// The word of the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// What a rule can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A tool, by its server's own name.
    Tool,
    /// A prompt, by its server's own name.
    Prompt,
    /// A resource or template, by its URI.
    Resource,
}

impl ObjectKind {
    /// The word for people, and the key of a rule.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
        }
    }
}

/// `gateway.access`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// For callers to whom no policy applies.
    pub default: Level,
    /// The policies.
    pub policies: Vec<PolicyTerms>,
    /// To whom they apply.
    pub attached: Vec<Attachment>,
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyTerms {
    /// Its name.
    pub name: String,
    /// For everything that no rule is about.
    pub default: Level,
    /// In the order of the file.
    pub rules: Vec<RuleTerms>,
}

/// One rule. Patterns know `*` and `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTerms {
    /// Servers, by the names of the file.
    pub server: String,
    /// `None` is about every kind.
    pub kind: Option<ObjectKind>,
    /// Their own names, or URIs.
    pub object: String,
    /// What is given.
    pub level: Level,
}

/// Policies for everybody of whom `whom` says `pattern`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What is looked at.
    pub whom: Whom,
    /// What it must be like.
    pub pattern: String,
    /// Places of the policies.
    pub policies: Vec<usize>,
}

/// What is known of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Its name, or its unique id.
    Caller,
    /// Its team.
    Team,
    /// Its organisation.
    Organisation,
    /// Its agent.
    Agent,
    /// A claim of its token; any of the values.
    Claim(String),
}

impl Access {
    /// The claims that attachments look at.
    #[must_use]
    pub fn claims(&self) -> BTreeSet<&str> {
        let named = self.attached.iter().filter_map(|one| match &one.whom {
            Whom::Claim(name) => Some(name.as_str()),
            _ => None,
        });
        named.collect()
    }
}

/// `gateway.rules`: what agents may use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentRules {
    /// By name, in the order of the file.
    pub agents: Vec<AgentTerms>,
    /// A caller without an agent, or with one that is not known, may use nothing; else the fallback's rules hold.
    pub deny_on_missing: bool,
    /// The agent whose rules hold then.
    pub fallback: Option<String>,
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentTerms {
    /// Its name.
    pub name: String,
    /// What it may use.
    pub allow: AgentSet,
    /// What it may not use, whatever is allowed.
    pub deny: AgentSet,
}

/// Servers and tools. Patterns know `*` and `?`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentSet {
    /// Servers.
    pub servers: Vec<String>,
    /// Tools by server.
    pub tools: Vec<(String, Vec<String>)>,
}
