//! The rules against a model of a few lines, on random rules, callers and objects.

mod model;

use crate::auth::caller::Caller;
use crate::catalog::route::Route;
use crate::config::model::Settings;
use crate::config::model::access::Access;
use crate::config::model::access::AgentRules;
use crate::config::model::access::AgentSet;
use crate::config::model::access::AgentTerms;
use crate::config::model::access::Attachment;
use crate::config::model::access::Level;
use crate::config::model::access::ObjectKind;
use crate::config::model::access::PolicyTerms;
use crate::config::model::access::RuleTerms;
use crate::config::model::access::Whom;
use crate::name::ServerName;
use crate::policy::Policy;
use crate::policy::access;
use crate::policy::explain;
use crate::policy::object::Object;
use crate::policy::subject::Subject;
use crate::policy::tests::model::Dice;
use crate::policy::tests::model::KINDS;
use crate::policy::tests::model::NAMES;
use crate::policy::tests::model::SERVERS;
use crate::policy::tests::model::reference;
use crate::policy::tests::model::settings;
use crate::policy::tests::model::subject;
use std::collections::BTreeMap;

/// Cases of one run.
const CASES: u64 = 100_000;

#[test]
fn the_rules_are_those_of_the_model() {
    let seed = std::process::id().into();
    let mut dice = Dice(seed);
    for case in 0..CASES / 10 {
        let settings = settings(&mut dice);
        let Some(access) = access::Access::new(&settings) else { continue };
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
    let access = Access { default: Level::Execute, policies, attached };
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
