//! The rules against a model of a few lines, on random rules, callers and objects.

use super::*;
use crate::auth::caller::Caller;
use crate::config::model::access as model;
use crate::config::model::access::AgentRules;
use crate::config::model::access::AgentSet;
use crate::config::model::access::AgentTerms;
use crate::config::model::access::Attachment;
use crate::config::model::access::PolicyTerms;
use crate::config::model::access::RuleTerms;
use crate::config::model::access::Whom;
use crate::name::ServerName;
use crate::policy::subject::Subject;
use std::collections::BTreeMap;

/// Cases of one run.
const CASES: u64 = 100_000;

/// A small generator: the same numbers from the same seed everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).expect("fewer than the sides")
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }

    fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.roll(most + 1)).map(|_| make(self)).collect()
    }
}

const SERVERS: [&str; 3] = ["a", "ab", "b"];
const NAMES: [&str; 4] = ["x", "xy", "xyz", "y"];
const PATTERNS: [&str; 11] = ["*", "a", "ab", "a*", "?", "x", "xy", "x*", "*y*", "x?", "b"];
const WORDS: [&str; 4] = ["red", "blue", "r*", "*"];
/// Names that callers give themselves, and what the file may say of callers.
const CALLED: [&str; 8] = ["red", "blue", "key:1", "key:2", "local", "anonymous", "token-1", "token-2"];
const PRINCIPALS: [&str; 6] = ["key:1", "key:2", "jwt:i|local", "local", "anonymous", "token:1"];
const KINDS: [ObjectKind; 3] = [ObjectKind::Tool, ObjectKind::Prompt, ObjectKind::Resource];

fn settings(dice: &mut Dice) -> Settings {
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
    let access = model::Access { default: level(dice), policies, attached };
    let rules = (dice.roll(3) == 0).then(|| agents(dice));
    Settings { access: (dice.roll(8) > 0).then_some(access), rules, ..Settings::default() }
}

fn subject(dice: &mut Dice) -> Subject {
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
mod reference {
    use super::*;

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

#[test]
fn the_rules_are_those_of_the_model() {
    let seed = std::process::id().into();
    let mut dice = Dice(seed);
    for case in 0..CASES / 10 {
        let settings = settings(&mut dice);
        let Some(access) = Access::new(&settings) else { continue };
        for _ in 0..10 {
            let subject = subject(&mut dice);
            let rights = access.rights(&subject);
            let object =
                Object { kind: KINDS[dice.roll(3)], server: dice.one(&SERVERS), name: dice.one(&NAMES) };
            let found = access.rulings(&rights, &object).map(|ruling| ruling.level()).min();
            let expected = reference::level(&settings, &subject, &object);
            let said = explain::explain(&settings, &subject, &object);
            let what = || format!("seed {seed}, case {case}: {settings:#?}\n{subject:?}\n{object:?}");
            assert_eq!(found.map(|level| level.min(Level::Admin)), Some(expected), "{}", what());
            assert_eq!(said.level, expected.name(), "{}", what());
            let hidden = ![None, Some(object.kind)]
                .iter()
                .all(|kind| access.may_show_to(&rights, object.server, *kind));
            assert!(!hidden || expected < Level::Read, "nothing of it may be seen, but this: {}", what());
        }
    }
}

#[test]
fn the_lower_right_to_either_form_of_a_uri_counts() {
    let rule = |resource: &str, level| RuleTerms {
        server: "*".into(),
        kind: Some(ObjectKind::Resource),
        object: resource.into(),
        level,
    };
    let rules = vec![rule("file:///public/*", Level::Execute)];
    let policies = vec![PolicyTerms { name: "p".into(), default: Level::Deny, rules }];
    let attached = vec![Attachment { whom: Whom::Caller, pattern: "*".into(), policies: vec![0] }];
    let access = model::Access { default: Level::Execute, policies, attached };
    let policy = Policy::new(&Settings { access: Some(access), ..Settings::default() });
    let may = |uri: &str| {
        let route = Route { server: ServerName::new("files").expect("a name"), own_name: uri.to_owned() };
        policy.permit(&Caller::Local, ObjectKind::Resource, &route).is_ok()
    };
    assert!(may("file:///public/a") && may("file:///public/a/../b"));
    for uri in
        ["file:///public/../secret", "file:///public/%2e%2e/secret", "file:///public/..\\secret", "file:///x"]
    {
        assert!(!may(uri), "{uri}");
    }
}

#[test]
fn without_rules_everybody_may_everything() {
    let policy = Policy::new(&Settings::default());
    let route = Route { server: ServerName::new("s").expect("a name"), own_name: "x".to_owned() };
    assert!(policy.is_open() && policy.is_admin(&Caller::Anonymous));
    assert!(policy.permit(&Caller::Anonymous, ObjectKind::Tool, &route).is_ok());
}
