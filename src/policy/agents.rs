//! Rules of agents: what is denied first, then what is allowed, else nothing.
//!
//! An agent may use a thing or may not; levels are the business of policies. Prompts and resources go with their server.

use crate::config::model::access::AgentRules;
use crate::config::model::access::AgentSet;
use crate::config::model::access::ObjectKind;
use crate::policy::glob::Glob;
use crate::policy::object::Object;

/// The agents of the configuration.
#[derive(Debug)]
pub struct Agents {
    agents: Vec<Agent>,
    deny_on_missing: bool,
    fallback: Option<usize>,
}

#[derive(Debug)]
struct Agent {
    name: String,
    allow: Set,
    deny: Set,
}

#[derive(Debug)]
struct Set {
    servers: Vec<Glob>,
    tools: Vec<(Glob, Vec<Glob>)>,
}

/// Whose rules hold for a caller: the place of an agent, or `None`, who may use nothing.
pub type AgentPlace = Option<usize>;

/// What decided about an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentReason {
    /// The caller has no agent, and there is no other whose rules could hold.
    NoAgent,
    /// `deny.servers`
    ServerDenied,
    /// The server is not among `allow.servers`.
    ServerNotAllowed,
    /// `deny.tools`
    ToolDenied,
    /// `allow.tools`
    ToolAllowed,
    /// There is a list of tools, and it is not in it.
    ToolNotAllowed,
    /// The server is allowed, and nothing more is said of it.
    ServerAllowed,
}

impl AgentReason {
    /// True when the object may be used.
    #[must_use]
    pub fn allows(self) -> bool {
        matches!(self, Self::ToolAllowed | Self::ServerAllowed)
    }

    /// In words, to follow the name of the agent.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NoAgent => "the caller has no agent with rules",
            Self::ServerDenied => "`deny.servers` names the server",
            Self::ServerNotAllowed => "`allow.servers` does not name the server",
            Self::ToolDenied => "`deny.tools` names the tool",
            Self::ToolAllowed => "`allow.tools` names the tool",
            Self::ToolNotAllowed => "`allow.tools` lists tools of the server and not this one",
            Self::ServerAllowed => {
                "`allow.servers` names the server, and `allow.tools` lists none of its tools"
            }
        }
    }
}

impl Agents {
    /// Prepares the patterns.
    #[must_use]
    pub fn new(rules: &AgentRules) -> Self {
        let agents = rules.agents.iter().map(|terms| Agent {
            name: terms.name.clone(),
            allow: Set::new(&terms.allow),
            deny: Set::new(&terms.deny),
        });
        let mut made =
            Self { agents: agents.collect(), deny_on_missing: rules.deny_on_missing, fallback: None };
        let fallbacks = [rules.fallback.as_deref(), Some("default")];
        made.fallback = fallbacks.into_iter().flatten().find_map(|name| made.place(name));
        made
    }

    /// Whose rules hold for a caller that says `agent`.
    #[must_use]
    pub fn of(&self, agent: Option<&str>) -> AgentPlace {
        let own = agent.and_then(|name| self.place(name));
        own.or(if self.deny_on_missing { None } else { self.fallback })
    }

    /// The name of an agent.
    #[must_use]
    pub fn name(&self, place: AgentPlace) -> Option<&str> {
        place.and_then(|at| self.agents.get(at)).map(|agent| agent.name.as_str())
    }

    /// Whether the agent at `place` may use it, and why.
    #[must_use]
    pub fn decide(&self, place: AgentPlace, object: &Object<'_>) -> AgentReason {
        let Some(agent) = place.and_then(|at| self.agents.get(at)) else { return AgentReason::NoAgent };
        if let Some(reason) = agent.server(object.server) {
            return reason;
        }
        if object.kind != ObjectKind::Tool {
            return AgentReason::ServerAllowed;
        }
        if agent.deny.has_tool(object) == Some(true) {
            return AgentReason::ToolDenied;
        }
        match agent.allow.has_tool(object) {
            Some(true) => AgentReason::ToolAllowed,
            Some(false) => AgentReason::ToolNotAllowed,
            None => AgentReason::ServerAllowed,
        }
    }

    /// False when the agent at `place` may use nothing of `server`.
    #[must_use]
    pub fn may_show(&self, place: AgentPlace, server: &str) -> bool {
        place.and_then(|at| self.agents.get(at)).is_some_and(|agent| agent.server(server).is_none())
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.agents.iter().position(|agent| agent.name == name)
    }
}

impl Agent {
    /// Why the server is out of question; `None` when it is not.
    fn server(&self, server: &str) -> Option<AgentReason> {
        if self.deny.has_server(server) {
            return Some(AgentReason::ServerDenied);
        }
        (!self.allow.has_server(server)).then_some(AgentReason::ServerNotAllowed)
    }
}

impl Set {
    fn new(set: &AgentSet) -> Self {
        let globs = |texts: &[String]| texts.iter().map(|text| Glob::new(text)).collect::<Vec<_>>();
        // An empty list says nothing of the server.
        let lists = set.tools.iter().filter(|(_, tools)| !tools.is_empty());
        let tools = lists.map(|(server, tools)| (Glob::new(server), globs(tools)));
        Self { servers: globs(&set.servers), tools: tools.collect() }
    }

    fn has_server(&self, server: &str) -> bool {
        self.servers.iter().any(|glob| glob.matches(server))
    }

    /// `None` when it lists no tools of the server.
    fn has_tool(&self, object: &Object<'_>) -> Option<bool> {
        let mut lists = self.tools.iter().filter(|(server, _)| server.matches(object.server)).peekable();
        lists.peek()?;
        Some(lists.any(|(_, tools)| tools.iter().any(|tool| tool.matches(object.name))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::access::AgentTerms;

    fn set(servers: &[&str], tools: &[(&str, &[&str])]) -> AgentSet {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let tools = tools.iter().map(|(server, tools)| ((*server).to_owned(), texts(tools)));
        AgentSet { servers: texts(servers), tools: tools.collect() }
    }

    fn may(agents: &Agents, agent: Option<&str>, server: &str, name: &str) -> bool {
        agents.decide(agents.of(agent), &Object { kind: ObjectKind::Tool, server, name }).allows()
    }

    fn agents(deny_on_missing: bool, fallback: Option<&str>) -> Agents {
        let agent = |name: &str, allow, deny| AgentTerms { name: name.into(), allow, deny };
        Agents::new(&AgentRules {
            agents: vec![
                agent(
                    "admin",
                    set(&["*"], &[("search", &["web_*"])]),
                    set(&["notion"], &[("db", &["drop_*", "type"])]),
                ),
                agent(
                    "narrow",
                    set(&["db"], &[("db", &["delete_user", "get_*"])]),
                    set(&[], &[("db", &["delete_*"])]),
                ),
                agent("default", set(&["docs"], &[("docs", &[])]), AgentSet::default()),
            ],
            deny_on_missing,
            fallback: fallback.map(str::to_owned),
        })
    }

    #[test]
    fn deny_then_allow_then_the_server_then_nothing() {
        let agents = agents(true, None);
        let may = |agent: &str, server: &str, tool: &str| may(&agents, Some(agent), server, tool);
        assert!(may("admin", "github", "anything"), "an allowed server grants its tools");
        assert!(!may("admin", "notion", "search"));
        assert!(
            may("admin", "db", "query") && !may("admin", "db", "drop_all") && !may("admin", "db", "type")
        );
        assert!(may("admin", "search", "web_all") && !may("admin", "search", "local"));
        assert!(!may("narrow", "db", "delete_user"), "a pattern that denies wins over a name that allows");
        assert!(
            may("narrow", "db", "get_user") && !may("narrow", "db", "put") && !may("narrow", "docs", "x")
        );
        assert!(may("default", "docs", "x"), "an empty list says nothing");
        assert!(!may("nobody", "docs", "x"));
    }

    #[test]
    fn who_has_no_agent_gets_the_fallback_or_nothing() {
        for (deny, fallback, docs, db) in [
            (true, Some("admin"), false, false),
            (false, Some("admin"), true, true),
            (false, Some("unknown"), true, false),
            (false, None, true, false),
        ] {
            let agents = agents(deny, fallback);
            for agent in [None, Some("nobody")] {
                let seen = (may(&agents, agent, "docs", "x"), may(&agents, agent, "db", "query"));
                assert_eq!(seen, (docs, db), "{deny} {fallback:?} {agent:?}");
            }
        }
        let none = Agents::new(&AgentRules::default());
        assert_eq!(none.of(None), None);
        assert!(!none.may_show(None, "docs"));
    }
}
