//! One policy: its rules, and which of them decides about an object.
//!
//! It knows no callers; to whom it applies is `access.rs`.

use crate::config::model::access::Level;
use crate::config::model::access::ObjectKind;
use crate::config::model::access::PolicyTerms;
use crate::config::model::access::RuleTerms;
use crate::policy::glob::Glob;
use crate::policy::object::Object;
use std::cmp::Ordering;

/// One policy.
#[derive(Debug)]
pub struct Rules {
    default: Level,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    server: Glob,
    kind: Option<ObjectKind>,
    object: Glob,
    level: Level,
}

impl Rules {
    /// Prepares the patterns.
    #[must_use]
    pub fn new(terms: &PolicyTerms) -> Self {
        let rule = |rule: &RuleTerms| Rule {
            server: Glob::new(&rule.server),
            kind: rule.kind,
            object: Glob::new(&rule.object),
            level: rule.level,
        };
        Self { default: terms.default, rules: terms.rules.iter().map(rule).collect() }
    }

    /// What it gives where no rule is about.
    #[must_use]
    pub fn default_level(&self) -> Level {
        self.default
    }

    /// What it gives, and the place of the rule that says so. Any `deny` wins, then the most specific rule: by server, by
    /// object, by kind; of equal ones that which gives less.
    #[must_use]
    pub fn decide(&self, object: &Object<'_>) -> (Level, Option<usize>) {
        let mut best: Option<(usize, &Rule)> = None;
        for (at, rule) in self.rules.iter().enumerate().filter(|(_, rule)| rule.is_about(object)) {
            if rule.level == Level::Deny {
                return (Level::Deny, Some(at));
            }
            if best.is_none_or(|(_, before)| rule.outranks(before) == Ordering::Greater) {
                best = Some((at, rule));
            }
        }
        best.map_or((self.default, None), |(at, rule)| (rule.level, Some(at)))
    }

    /// False when it gives nothing of this kind, or of any kind, of `server`, whatever that has.
    #[must_use]
    pub fn may_show(&self, server: &str, kind: Option<ObjectKind>) -> bool {
        let is_about = |rule: &&Rule| {
            rule.server.matches(server) && (kind.is_none() || rule.kind.is_none() || rule.kind == kind)
        };
        let mut about = self.rules.iter().filter(is_about);
        let is_whole = |rule: &Rule| rule.object.is_all() && (rule.kind.is_none() || rule.kind == kind);
        if about.clone().any(|rule| rule.level == Level::Deny && is_whole(rule)) {
            return false;
        }
        self.default >= Level::Read || about.any(|rule| rule.level >= Level::Read)
    }
}

impl Rule {
    fn is_about(&self, object: &Object<'_>) -> bool {
        self.kind.is_none_or(|kind| kind == object.kind)
            && self.server.matches(object.server)
            && self.object.matches(object.name)
    }

    fn outranks(&self, other: &Self) -> Ordering {
        let exact = |rule: &Self| (rule.server.is_exact(), rule.object.is_exact());
        let literals = |rule: &Self| (rule.server.literals(), rule.object.literals());
        exact(self)
            .cmp(&exact(other))
            .then_with(|| literals(self).cmp(&literals(other)))
            .then_with(|| self.kind.is_some().cmp(&other.kind.is_some()))
            .then_with(|| other.level.cmp(&self.level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ObjectKind::Prompt;
    use ObjectKind::Tool;

    fn rule(server: &str, kind: Option<ObjectKind>, object: &str, level: Level) -> RuleTerms {
        RuleTerms { server: server.into(), kind, object: object.into(), level }
    }

    fn decide(rules: Vec<RuleTerms>, server: &str, name: &str) -> (Level, Option<usize>) {
        let terms = PolicyTerms { name: "p".into(), default: Level::Read, rules };
        Rules::new(&terms).decide(&Object { kind: Tool, server, name })
    }

    #[test]
    fn the_most_specific_rule_decides() {
        use Level::Admin;
        use Level::Execute;
        use Level::Read;
        let rules = || {
            vec![
                rule("*", None, "*", Read),
                rule("*", Some(Tool), "get", Execute),
                rule("git*", None, "get", Read),
                rule("github", None, "*", Execute),
                rule("github", None, "g*", Read),
                rule("github", Some(Tool), "g*", Admin),
                rule("github", Some(Prompt), "get", Read),
            ]
        };
        assert_eq!(decide(rules(), "github", "get"), (Admin, Some(5)));
        assert_eq!(decide(rules(), "github", "put"), (Execute, Some(3)));
        assert_eq!(decide(rules(), "gitlab", "get"), (Read, Some(2)), "more of the server is said");
        assert_eq!(decide(rules(), "time", "get"), (Execute, Some(1)));
        assert_eq!(decide(rules(), "time", "put"), (Read, Some(0)));
        assert_eq!(decide(Vec::new(), "time", "put"), (Read, None));
        let equal = vec![rule("a", None, "x?", Execute), rule("a", None, "?x", Read)];
        assert_eq!(decide(equal, "a", "xx"), (Read, Some(1)), "of equal ones the lower");
    }

    #[test]
    fn any_deny_wins() {
        let rules = vec![rule("s", Some(Tool), "get", Level::Admin), rule("*", None, "g*", Level::Deny)];
        assert_eq!(decide(rules, "s", "get"), (Level::Deny, Some(1)));
    }

    #[test]
    fn a_server_of_which_nothing_can_be_seen() {
        let shows = |default, rules: Vec<RuleTerms>| {
            Rules::new(&PolicyTerms { name: "p".into(), default, rules }).may_show("s", None)
        };
        assert!(!shows(Level::Deny, vec![]));
        assert!(!shows(Level::Deny, vec![rule("t", None, "*", Level::Admin)]));
        assert!(shows(Level::Deny, vec![rule("s*", Some(Tool), "x", Level::Read)]));
        assert!(shows(Level::Read, vec![rule("s", Some(Tool), "*", Level::Deny)]));
        assert!(!shows(
            Level::Admin,
            vec![rule("s", None, "*", Level::Deny), rule("s", None, "x", Level::Read)]
        ));
    }
}
