//! A decision in words: which rule of which policy gives what, and what comes of it.
//!
//! It asks the same rules as a call does, and permits nothing.

use crate::config::model::Settings;
use crate::config::model::access::Level;
use crate::config::model::access::ObjectKind;
use crate::config::model::access::Whom;
use crate::policy::access::Access;
use crate::policy::access::Ruling;
use crate::policy::object::Object;
use crate::policy::object::canonical;
use crate::policy::subject::Subject;
use serde::Serialize;

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// `deny`, `read`, `execute` or `admin`.
    pub level: &'static str,
    /// What says so; the lowest of these.
    pub decided_by: String,
    /// Everything that was asked, in its order.
    pub rulings: Vec<Said>,
}

/// One ruling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// What it gives.
    pub level: &'static str,
    /// Who says so, and why.
    pub by: String,
}

/// Explains what the rules of `settings` say about `subject` and `object`.
#[must_use]
pub fn explain(settings: &Settings, subject: &Subject, object: &Object<'_>) -> Explained {
    let Some(access) = Access::new(settings) else {
        let by =
            "there are no rules (`gateway.access`, `gateway.rules`): everybody may use everything".to_owned();
        return Explained { level: Level::Execute.name(), decided_by: by, rulings: Vec::new() };
    };
    let rights = access.rights(subject);
    let canonical = (object.kind == ObjectKind::Resource).then(|| canonical(object.name)).flatten();
    let other = canonical.as_deref().map(|name| Object { name, ..*object });
    let mut rulings: Vec<(Level, String)> = Vec::new();
    for (object, also) in [(Some(object), ""), (other.as_ref(), " (the URI taken apart)")] {
        let Some(object) = object else { continue };
        rulings.extend(
            access
                .rulings(&rights, object)
                .map(|ruling| (ruling.level(), format!("{}{also}", words(&access, settings, &ruling)))),
        );
    }
    let lowest = rulings.iter().min_by_key(|(level, _)| *level).cloned();
    let (level, decided_by) = lowest.unwrap_or((Level::Deny, String::new()));
    let said = rulings.into_iter().map(|(level, by)| Said { level: level.name(), by });
    Explained { level: level.name(), decided_by, rulings: said.collect() }
}

fn words(access: &Access, settings: &Settings, ruling: &Ruling) -> String {
    match ruling {
        Ruling::Default(_) => "`gateway.access.default`, because no policy applies to this caller".to_owned(),
        Ruling::OnlyAdmin => "the gateway's own tools are for callers with the level `admin`".to_owned(),
        Ruling::Agent(place, reason) => match access.agent_name(*place) {
            Some(name) => format!("the rules of agent `{name}`: {}", reason.words()),
            None => format!("`gateway.rules`: {}", reason.words()),
        },
        Ruling::Policy(place, attached, _, rule) => {
            let Some(terms) = settings.access.as_ref() else { return String::new() };
            let policy = &terms.policies[*place];
            let attached = &terms.attached[*attached];
            let to = match &attached.whom {
                Whom::Caller => format!("caller `{}`", attached.pattern),
                Whom::Team => format!("team `{}`", attached.pattern),
                Whom::Organisation => format!("organisation `{}`", attached.pattern),
                Whom::Agent => format!("agent `{}`", attached.pattern),
                Whom::Claim(name) => format!("claim `{name}` = `{}`", attached.pattern),
            };
            let which = match rule.and_then(|at| Some((at, policy.rules.get(at)?))) {
                None => "its default".to_owned(),
                Some((at, rule)) => {
                    let kind = rule.kind.map_or("anything", ObjectKind::name);
                    format!("rule {} (server `{}`, {kind} `{}`)", at + 1, rule.server, rule.object)
                }
            };
            format!("policy `{}`, attached to {to}: {which}", policy.name)
        }
    }
}
