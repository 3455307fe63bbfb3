//! Policies, agents and rates as people write them, and what they are told.

use crate::config;
use crate::config::environment::Environment;
use crate::config::model::Settings;
use crate::config::model::access::Level;
use crate::config::model::access::ObjectKind;
use crate::config::model::access::Whom;
use std::path::Path;

/// The settings, unless the section is refused, and everything told, with its hint.
fn read(gateway: &str) -> (Option<Settings>, Vec<String>) {
    let text = format!("{{\"mcpServers\": {{\"a\": {{\"command\": \"x\"}}}}, \"gateway\": {gateway}}}");
    let vars = [("PATH", "/bin"), ("MCP_MANIFOLD_DEFAULT_AGENT", "ann")];
    let environment = Environment::new(vars, "/home/ann");
    let (settings, problems) = match config::parse(&text, Path::new("mcp.json"), &environment) {
        Ok(loaded) => (Some(loaded.config.settings), loaded.problems),
        Err(error) => (None, error.problems().to_vec()),
    };
    let told = problems
        .iter()
        .map(|p| format!("{}: {} | {}", p.severity, p.text, p.hint.clone().unwrap_or_default()));
    (settings, told.collect())
}

fn used(gateway: &str) -> Settings {
    let (settings, told) = read(gateway);
    assert!(told.is_empty(), "{told:?}");
    settings.expect("it can be used")
}

#[test]
fn without_the_sections_there_are_no_rules() {
    let settings = used("{}");
    assert!(settings.access.is_none() && settings.rules.is_none() && settings.rates.is_empty());
    let access = used(r#"{"access": {}}"#).access.expect("the section is there");
    assert_eq!((access.default, access.policies.len()), (Level::Execute, 0));
}

#[test]
fn policies_and_attachments_are_read() {
    let settings = used(
        r#"{"access": {"default": "deny", "//": "a remark",
            "policies": {
                "p": {"default": "read", "rules": [
                    {"server": "a", "tool": "get_*", "level": "execute"}, {"level": "deny", "resource": "x:*"}]},
                "q": {"default": "admin"}},
            "attach": {"callers": {"ann": "p", "ci-*": ["q", "p"]}, "claims": {"groups": {"ops": "q"}}}}}"#,
    );
    let access = settings.access.expect("the section is there");
    assert_eq!((access.default, access.policies[1].default), (Level::Deny, Level::Admin));
    let [first, second] = access.policies[0].rules.as_slice() else { panic!("two rules") };
    assert_eq!((first.kind, &*first.object, first.level), (Some(ObjectKind::Tool), "get_*", Level::Execute));
    assert_eq!((&*second.server, second.kind), ("*", Some(ObjectKind::Resource)));
    let attached: Vec<_> = access
        .attached
        .iter()
        .map(|one| (&one.whom, one.pattern.as_str(), one.policies.as_slice()))
        .collect();
    let claim = Whom::Claim("groups".into());
    let expected: [(&Whom, &str, &[usize]); 3] =
        [(&Whom::Caller, "ann", &[0]), (&Whom::Caller, "ci-*", &[1, 0]), (&claim, "ops", &[1])];
    assert_eq!(attached, expected);
    assert_eq!(access.claims().into_iter().collect::<Vec<_>>(), ["groups"]);
}

#[test]
fn what_is_wrong_refuses_the_file_and_says_what_to_do() {
    let policies = |rules: &str| format!(r#"{{"access": {{"policies": {{"p": {rules}}}}}}}"#);
    for (gateway, said) in [
        (policies("{}"), "`gateway.access.policies.p` has no `default`"),
        (policies(r#"{"default": "dney"}"#), "did you mean `deny`"),
        (policies(r#"{"default": "deny", "rules": {}}"#), "must be a list of rules"),
        (policies(r#"{"default": "deny", "rules": [{"tool": "x"}]}"#), "rules[0]` has no `level`"),
        (policies(r#"{"default": "deny", "rules": [{"tool": "x", "prompt": "y", "level": "read"}]}"#), "more than one"),
        (policies(r#"{"default": "deny", "rules": [{"tool": "", "level": "read"}]}"#), "1 to 512 bytes"),
        (r#"{"access": {"default": "all"}}"#.into(), "`gateway.access.default` must be one of"),
        (r#"{"access": []}"#.into(), "must be an object"),
        (
            r#"{"access": {"policies": {"work": {"default": "read"}}, "attach": {"teams": {"blue": "wrok"}}}}"#.into(),
            "names policy `wrok`, which is not in `gateway.access.policies` | did you mean `work`",
        ),
        (r#"{"access": {"attach": {"teams": {"blue": 7}}}}"#.into(), "the name of a policy"),
        (r#"{"rules": 7}"#.into(), "the path of a file, or an object"),
        (r#"{"rules": "absent.json"}"#.into(), "absent.json` cannot be read: no such file"),
        (r#"{"rates": {"perCaller": "100"}}"#.into(), "calls in a time, like `\"100/1m\"`"),
        (r#"{"rates": {"perCaller": "0/1m"}}"#.into(), "calls in a time"),
        (r#"{"rates": {"perTeam": {"burst": 3}}}"#.into(), "has a `burst` without a `rate`"),
        (r#"{"rates": {"perServer": 5}}"#.into(), "a rate like"),
    ] {
        let (settings, told) = read(&gateway);
        assert!(settings.is_none(), "{gateway} was used");
        assert!(told.iter().any(|line| line.contains(said)), "{gateway}: {told:#?}");
    }
}

#[test]
fn unknown_servers_are_warnings() {
    for (gateway, said) in [
        (
            r#"{"access": {"policies": {"p": {"default": "read", "rules": [{"server": "b", "level": "deny"}]}}}}"#,
            "policy `p` has a rule about server `b`, which is not in the file",
        ),
        (
            r#"{"rules": {"agents": {"x": {"allow": {"tools": {"b": ["y"]}}}}}}"#,
            "agent `x` has a rule about server `b`",
        ),
        (
            r#"{"rules": {"agents": {"x": {"allow": {"servers": ["[ab]*"]}}}}}"#,
            "a `[`, which stands for itself",
        ),
    ] {
        let (settings, told) = read(gateway);
        assert!(settings.is_some(), "{gateway}: {told:?}");
        assert!(
            told.iter().any(|line| line.starts_with("warning") && line.contains(said)),
            "{gateway}: {told:#?}"
        );
    }
}

#[test]
fn rates_and_agents_are_read() {
    let settings = used(
        r#"{"rates": {"perCaller": "100/1m", "callers": {"ci": {"rate": "5/1s", "burst": 9, "perDay": 7, "inFlight": 2}}},
            "rules": {"agents": {"x": {"allow": {"servers": ["a"], "tools": {"a": ["get_*"]}}}},
                      "defaults": {"deny_on_missing_agent": true}}}"#,
    );
    let each = settings.rates.callers.of("anybody").and_then(|terms| terms.rate).expect("a rate");
    assert_eq!((each.calls.get(), each.within.as_secs(), each.burst.get()), (100, 60, 100));
    let own = settings.rates.callers.of("ci").expect("its own");
    assert_eq!(
        (own.rate.map(|rate| rate.burst.get()), own.per_day, own.in_flight),
        (Some(9), Some(7), Some(2))
    );
    let rules = settings.rules.expect("rules");
    assert!(rules.deny_on_missing && rules.fallback.as_deref() == Some("ann"));
    assert_eq!(rules.agents[0].allow.tools, [("a".to_owned(), vec!["get_*".to_owned()])]);
}

#[test]
fn a_slip_that_would_leave_open_what_is_to_be_closed_is_an_error() {
    for (gateway, key) in [
        (r#"{"acess": {"default": "deny"}}"#, "gateway.acess"),
        (r#"{"Auth": {}}"#, "gateway.Auth"),
        (r#"{"lok": "enforce"}"#, "gateway.lok"),
        (r#"{"access": {"defualt": "deny"}}"#, "gateway.access.defualt"),
        (
            r#"{"access": {"policies": {"p": {"default": "deny", "rule": []}}}}"#,
            "gateway.access.policies.p.rule",
        ),
        (r#"{"auth": {"colour": "red"}}"#, "gateway.auth.colour"),
        (r#"{"access": {"attach": {"team": {}}}}"#, "gateway.access.attach.team"),
        (r#"{"rates": {"perServer": {"inFlight": 3}}}"#, "gateway.rates.perServer.inFlight"),
        (r#"{"http": {"bearerToken": ["a-token-that-is-long-enough"]}}"#, "gateway.http.bearerToken"),
        (r#"{"rules": {"agents": {"a": {"deney": {"servers": ["s"]}}}}}"#, "gateway.rules.agents.a.deney"),
    ] {
        let (settings, said) = read(gateway);
        assert!(settings.is_none(), "{gateway}");
        assert!(
            said.iter().any(|said| said.starts_with(&format!("error: unknown key `{key}`"))),
            "{gateway}: {said:?}"
        );
    }
    for open in [r#"{"rules": {"agents": {"a": {"owner": "x"}}}}"#, r#"{"http": {"colour": 1}}"#] {
        let (settings, said) = read(open);
        assert!(settings.is_some() && said[0].starts_with("warning: unknown key"), "{said:?}");
    }
    let text = r#"{"gatway": {"access": {"default": "deny"}}, "mcpServers": {}}"#;
    let environment = Environment::new([("PATH", "/bin")], "/home/ann");
    let told = config::parse(text, Path::new("mcp.json"), &environment).expect_err("it may not be used");
    assert_eq!(told.problems()[0].text, "unknown key `gatway`");
}
