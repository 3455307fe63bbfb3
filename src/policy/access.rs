//! The rules of one configuration, and what they make of a caller.
//!
//! Policies that apply to a caller are found once and remembered; so is what they say of tools and prompts, whose names
//! are those of the servers. It is asked by `policy.rs` alone.

use crate::auth::called;
use crate::auth::caller::Caller;
use crate::config::model::Settings;
use crate::config::model::access::Attachment;
use crate::config::model::access::GATEWAY;
use crate::config::model::access::Level;
use crate::config::model::access::ObjectKind;
use crate::config::model::access::Whom;
use crate::policy::agents::AgentPlace;
use crate::policy::agents::AgentReason;
use crate::policy::agents::Agents;
use crate::policy::glob::Glob;
use crate::policy::lately::Lately;
use crate::policy::object::Object;
use crate::policy::object::canonical;
use crate::policy::rule::Rules;
use crate::policy::subject::Subject;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

/// Callers whose rights are remembered.
const MOST_CALLERS: usize = 4096;
/// Different rights that are remembered.
pub const MOST_RIGHTS: usize = 256;
/// Decisions remembered for one caller.
const MOST_DECISIONS: usize = 4096;

/// The rules of one configuration.
#[derive(Debug)]
pub struct Access {
    default: Level,
    policies: Vec<Rules>,
    attached: Vec<Attached>,
    agents: Option<Agents>,
    known: Lately<Caller, Arc<Rights>>,
    /// Callers to whom the same applies have the same rights.
    rights: Lately<RightsKey, Arc<Rights>>,
}

#[derive(Debug)]
struct Attached {
    whom: Whom,
    pattern: Glob,
    policies: Vec<usize>,
}

/// What applies to one caller.
#[derive(Debug, Default)]
pub struct Rights {
    /// Places of the policies, in their order, each with the place of the attachment that brought it.
    pub policies: Vec<(usize, usize)>,
    /// Whose rules hold, when there are rules for agents.
    pub agent: Option<AgentPlace>,
    decided: Mutex<[Decided; 2]>,
}

/// What tells rights apart: places of policies, and whose rules hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RightsKey(Vec<usize>, Option<AgentPlace>);

impl Rights {
    /// What tells them from other ones.
    #[must_use]
    pub fn key(&self) -> RightsKey {
        RightsKey(self.policies.iter().map(|(place, _)| *place).collect(), self.agent)
    }
}

/// By server and own name.
type Decided = HashMap<Box<str>, HashMap<Box<str>, Level>>;

/// Who says what about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// No policy applies.
    Default(Level),
    /// A policy, by its place; its attachment; its rule, or its default.
    Policy(usize, usize, Level, Option<usize>),
    /// The rules of the caller's agent.
    Agent(AgentPlace, AgentReason),
    /// A tool of the gateway itself, which is for admins alone.
    OnlyAdmin,
}

impl Ruling {
    /// What it gives.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::Default(level) | Self::Policy(_, _, level, _) => *level,
            Self::Agent(_, reason) if reason.allows() => Level::Admin,
            Self::Agent(..) | Self::OnlyAdmin => Level::Deny,
        }
    }
}

impl Access {
    /// The rules of `settings`; `None` when it has none.
    #[must_use]
    pub fn new(settings: &Settings) -> Option<Self> {
        let agents = settings.rules.as_ref().map(Agents::new);
        let access = settings.access.as_ref();
        if access.is_none() && agents.is_none() {
            return None;
        }
        let attached = |one: &Attachment| Attached {
            whom: one.whom.clone(),
            pattern: Glob::new(&one.pattern),
            policies: one.policies.clone(),
        };
        Some(Self {
            default: access.map_or(Level::Execute, |access| access.default),
            policies: access.iter().flat_map(|access| &access.policies).map(Rules::new).collect(),
            attached: access.iter().flat_map(|access| &access.attached).map(attached).collect(),
            agents,
            known: Lately::new(MOST_CALLERS),
            rights: Lately::new(MOST_RIGHTS),
        })
    }

    /// What `caller` may do with `object`.
    #[must_use]
    pub fn level(&self, caller: &Caller, object: &Object<'_>) -> Level {
        let rights = self.rights_of(caller);
        let list = match object.kind {
            ObjectKind::Tool => 0,
            ObjectKind::Prompt => 1,
            // Clients make up URIs: there is no end to them.
            ObjectKind::Resource => return self.decide(&rights, object),
        };
        let mut decided = rights.decided.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(level) = decided[list].get(object.server).and_then(|names| names.get(object.name)) {
            return *level;
        }
        let level = self.decide(&rights, object);
        let names = decided[list].entry(object.server.into()).or_default();
        if names.len() < MOST_DECISIONS {
            names.insert(object.name.into(), level);
        }
        level
    }

    /// False when `caller` can see nothing of this kind, or of any kind, of `server`, whatever that has.
    #[must_use]
    pub fn may_show(&self, caller: &Caller, server: &str, kind: Option<ObjectKind>) -> bool {
        self.may_show_to(&self.rights_of(caller), server, kind)
    }

    /// As [`Access::may_show`], by rights.
    #[must_use]
    pub fn may_show_to(&self, rights: &Rights, server: &str, kind: Option<ObjectKind>) -> bool {
        if let (Some(agents), Some(place)) = (&self.agents, rights.agent)
            && !agents.may_show(place, server)
        {
            return false;
        }
        match rights.policies.as_slice() {
            [] => self.default >= Level::Read,
            policies => policies.iter().all(|(place, _)| self.policies[*place].may_show(server, kind)),
        }
    }

    /// What `caller` may do with the gateway itself: the lowest default of the policies that apply. Rules are about servers.
    #[must_use]
    pub fn level_of_gateway(&self, caller: &Caller) -> Level {
        let rights = self.rights_of(caller);
        if rights.agent == Some(None) {
            return Level::Deny;
        }
        let defaults = rights.policies.iter().map(|(place, _)| self.policies[*place].default_level());
        defaults.min().unwrap_or(self.default)
    }

    /// What applies to `subject`.
    #[must_use]
    pub fn rights(&self, subject: &Subject) -> Rights {
        let mut policies: Vec<(usize, usize)> = Vec::new();
        for (at, attached) in self.attached.iter().enumerate().filter(|(_, one)| one.is_to(subject)) {
            for place in &attached.policies {
                if !policies.iter().any(|(known, _)| known == place) {
                    policies.push((*place, at));
                }
            }
        }
        policies.sort_unstable();
        let agent = self.agents.as_ref().map(|agents| agents.of(subject.agent.as_deref()));
        Rights { policies, agent, decided: Mutex::default() }
    }

    /// Every ruling about `object`; the lowest counts.
    pub fn rulings<'a>(
        &'a self,
        rights: &'a Rights,
        object: &'a Object<'a>,
    ) -> impl Iterator<Item = Ruling> + 'a {
        let is_closed = object.server == GATEWAY
            && self.rulings_of_rules(rights, object).any(|ruling| ruling.level() < Level::Admin);
        self.rulings_of_rules(rights, object).chain(is_closed.then_some(Ruling::OnlyAdmin))
    }

    fn rulings_of_rules<'a>(
        &'a self,
        rights: &'a Rights,
        object: &'a Object<'a>,
    ) -> impl Iterator<Item = Ruling> + 'a {
        let default = rights.policies.is_empty().then_some(Ruling::Default(self.default));
        let policies = rights.policies.iter().map(|(place, attached)| {
            let (level, rule) = self.policies[*place].decide(object);
            Ruling::Policy(*place, *attached, level, rule)
        });
        let agents = self.agents.as_ref().zip(rights.agent);
        let agent = agents.map(|(agents, place)| Ruling::Agent(place, agents.decide(place, object)));
        default.into_iter().chain(policies).chain(agent)
    }

    /// The name of an agent.
    #[must_use]
    pub fn agent_name(&self, place: AgentPlace) -> Option<&str> {
        self.agents.as_ref().and_then(|agents| agents.name(place))
    }

    fn decide(&self, rights: &Rights, object: &Object<'_>) -> Level {
        let lowest = |object: &Object<'_>| {
            self.rulings(rights, object).map(|ruling| ruling.level()).min().unwrap_or(Level::Deny)
        };
        let level = lowest(object);
        let other = (object.kind == ObjectKind::Resource).then(|| canonical(object.name)).flatten();
        other.map_or(level, |name| level.min(lowest(&Object { name: &name, ..*object })))
    }

    /// What applies to `caller`.
    #[must_use]
    pub fn rights_of(&self, caller: &Caller) -> Arc<Rights> {
        self.known.get(caller, || {
            let rights = self.rights(&Subject::of(caller));
            self.rights.get(&rights.key(), || Arc::new(rights))
        })
    }
}

impl Attached {
    fn is_to(&self, subject: &Subject) -> bool {
        let fits = |text: &Option<String>| text.as_deref().is_some_and(|text| self.pattern.matches(text));
        match &self.whom {
            Whom::Caller => {
                called::names(&subject.principal, &subject.name).any(|name| self.pattern.matches(name))
            }
            Whom::Team => fits(&subject.team),
            Whom::Organisation => fits(&subject.organisation),
            Whom::Agent => fits(&subject.agent),
            Whom::Claim(name) => {
                let values = subject.claims.get(name);
                values.is_some_and(|values| values.iter().any(|value| self.pattern.matches(value)))
            }
        }
    }
}
