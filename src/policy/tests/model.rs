//! Random rules and callers, and what the rules mean: a model of a few lines, made from the description of them.
//!
//! `tests/properties/access.rs` uses it too, for the whole of the gateway; where its words come from is said by who
//! includes it.

use super::Access;
use super::AgentRules;
use super::AgentSet;
use super::AgentTerms;
use super::Attachment;
use super::BTreeMap;
use super::Level;
use super::Object;
use super::ObjectKind;
use super::PolicyTerms;
use super::RuleTerms;
use super::Settings;
use super::Subject;
use super::Whom;

/// A small generator: the same numbers from the same seed everywhere.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).expect("fewer than the sides")
    }

    /// One of a list.
    pub fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }

    /// At most so many.
    pub fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.roll(most + 1)).map(|_| make(self)).collect()
    }
}

pub const SERVERS: [&str; 3] = ["a", "ab", "b"];
pub const NAMES: [&str; 4] = ["x", "xy", "xyz", "y"];
const PATTERNS: [&str; 11] = ["*", "a", "ab", "a*", "?", "x", "xy", "x*", "*y*", "x?", "b"];
const WORDS: [&str; 4] = ["red", "blue", "r*", "*"];
/// Names that callers give themselves, and what the file may say of callers.
const CALLED: [&str; 8] = ["red", "blue", "key:1", "key:2", "local", "anonymous", "token-1", "token-2"];
const PRINCIPALS: [&str; 6] = ["key:1", "key:2", "jwt:i|local", "local", "anonymous", "token:1"];
pub const KINDS: [ObjectKind; 3] = [ObjectKind::Tool, ObjectKind::Prompt, ObjectKind::Resource];

/// Any rules.
pub fn settings(dice: &mut Dice) -> Settings {
    let level = |dice: &mut Dice| Level::NAMES[dice.roll(4)].1;
    let policies = (0..=dice.roll(3)).map(|_| PolicyTerms {
        name: "p".into(),
        default: level(dice),
        rules: dice.some(4, |dice| RuleTerms {
            server: dice.one(&PATTERNS).into(),
            kind: [None, Some(KINDS[dice.roll(3)])][dice.roll(2)],
            object: dice.one(&PATTERNS).into(),
            level: level(dice),
        }),
    });
    let policies: Vec<_> = policies.collect();
    let count = policies.len();
    let attached = dice.some(4, |dice| Attachment {
        whom: match dice.roll(5) {
            0 => Whom::Caller,
            1 => Whom::Team,
            2 => Whom::Organisation,
            3 => Whom::Agent,
            _ => Whom::Claim(dice.one(&["groups", "role"]).into()),
        },
        pattern: if dice.roll(2) == 0 { dice.one(&WORDS) } else { dice.one(&CALLED) }.into(),
        policies: dice.some(2, |dice| dice.roll(count)),
    });
    let set = |dice: &mut Dice| AgentSet {
        servers: dice.some(2, |dice| dice.one(&PATTERNS).to_owned()),
        tools: dice.some(2, |dice| {
            (dice.one(&SERVERS).to_owned(), dice.some(2, |dice| dice.one(&PATTERNS).to_owned()))
        }),
    };
    let agents = |dice: &mut Dice| {
        let agent =
            |name: &str, dice: &mut Dice| AgentTerms { name: name.into(), allow: set(dice), deny: set(dice) };
        AgentRules {
            agents: vec![agent("red", dice), agent("default", dice)],
            deny_on_missing: dice.roll(2) == 0,
            fallback: None,
        }
    };
    let access = Access { default: level(dice), policies, attached };
    let rules = (dice.roll(3) == 0).then(|| agents(dice));
    Settings { access: (dice.roll(8) > 0).then_some(access), rules, ..Settings::default() }
}

/// Anybody.
pub fn subject(dice: &mut Dice) -> Subject {
    let word =
        |dice: &mut Dice| [None, Some("red".to_owned()), Some("blue".to_owned())][dice.roll(3)].clone();
    let values = dice.some(2, |dice| dice.one(&WORDS[..2]).to_owned());
    let principal = dice.one(&PRINCIPALS);
    let name = match principal {
        "local" | "anonymous" => principal,
        "token:1" => "token-1",
        _ => dice.one(&CALLED),
    };
    Subject {
        name: name.into(),
        principal: principal.into(),
        team: word(dice),
        organisation: word(dice),
        agent: word(dice),
        claims: BTreeMap::from([("groups".to_owned(), values)]),
    }
}

/// What the rules mean, from the description of them and nothing else.
pub mod reference {
    use super::*;

    /// Whether a text is as the pattern says.
    pub fn like(pattern: &str, text: &str) -> bool {
        let Some(first) = pattern.chars().next() else { return text.is_empty() };
        let rest = &pattern[first.len_utf8()..];
        match (first, text.chars().next()) {
            ('*', None) => like(rest, text),
            ('*', Some(c)) => like(rest, text) || like(pattern, &text[c.len_utf8()..]),
            (p, Some(c)) => (p == '?' || p == c) && like(rest, &text[c.len_utf8()..]),
            (_, None) => false,
        }
    }

    fn policy(policy: &PolicyTerms, o: &Object<'_>) -> Level {
        let plain = |text: &str| !text.contains(['*', '?']);
        let long = |text: &str| text.chars().filter(|c| !matches!(c, '*' | '?')).count();
        let about = policy.rules.iter().filter(|rule| {
            like(&rule.server, o.server)
                && like(&rule.object, o.name)
                && rule.kind.is_none_or(|kind| kind == o.kind)
        });
        let rank = |rule: &&RuleTerms| {
            let (server, object) = (&*rule.server, &*rule.object);
            let kind = rule.kind.is_some();
            (
                rule.level == Level::Deny,
                plain(server),
                plain(object),
                long(server),
                long(object),
                kind,
                9 - rule.level as u8,
            )
        };
        about.max_by_key(rank).map_or(policy.default, |rule| rule.level)
    }

    fn agent(rules: &AgentRules, agent: Option<&str>, o: &Object<'_>) -> bool {
        let find = |name: Option<&str>| rules.agents.iter().find(|one| Some(one.name.as_str()) == name);
        let fallback = || if rules.deny_on_missing { None } else { find(Some("default")) };
        let Some(agent) = find(agent).or_else(fallback) else { return false };
        let any = |list: &[String], text: &str| list.iter().any(|pattern| like(pattern, text));
        let tools = |set: &AgentSet| -> Vec<String> {
            let lists = set.tools.iter().filter(|(server, _)| server == o.server);
            lists.flat_map(|(_, tools)| tools.clone()).collect()
        };
        let (allow, deny) = (tools(&agent.allow), tools(&agent.deny));
        any(&agent.allow.servers, o.server)
            && !any(&agent.deny.servers, o.server)
            && (o.kind != ObjectKind::Tool
                || !any(&deny, o.name) && (allow.is_empty() || any(&allow, o.name)))
    }

    /// What they give this subject.
    pub fn level(settings: &Settings, who: &Subject, o: &Object<'_>) -> Level {
        let is = |pattern: &str, text: &Option<String>| text.as_ref().is_some_and(|text| like(pattern, text));
        let applies = |one: &&Attachment| match &one.whom {
            // What is a principal, and what the gateway calls somebody, is nobody else's name.
            Whom::Caller if ["key:1", "key:2", "local", "anonymous", "token-2"].contains(&&*who.name) => {
                like(&one.pattern, &who.principal)
            }
            Whom::Caller if who.name == "token-1" && who.principal != "token:1" => {
                like(&one.pattern, &who.principal)
            }
            Whom::Caller => like(&one.pattern, &who.name) || like(&one.pattern, &who.principal),
            Whom::Team => is(&one.pattern, &who.team),
            Whom::Organisation => is(&one.pattern, &who.organisation),
            Whom::Agent => is(&one.pattern, &who.agent),
            Whom::Claim(claim) => {
                who.claims.get(claim).into_iter().flatten().any(|value| like(&one.pattern, value))
            }
        };
        let may = settings.rules.as_ref().is_none_or(|rules| agent(rules, who.agent.as_deref(), o));
        let of_agent = if may { Level::Admin } else { Level::Deny };
        let Some(access) = &settings.access else { return of_agent.min(Level::Execute) };
        let applied = access.attached.iter().filter(applies).flat_map(|one| &one.policies);
        let lowest = applied.map(|at| policy(&access.policies[*at], o)).min();
        lowest.unwrap_or(access.default).min(of_agent)
    }
}
