//! S16: secrets that the gateway was given or that pass through it stand in nothing that people read, at trace level, in no
//! encoding, whichever way a call fails.
//!
//! What a server itself sends to a client is that client's: results are not searched, errors of the gateway are.

mod search;
mod stage;
mod wrong;

use crate::secrets::search::SPELLINGS;
use crate::secrets::stage::Stage;
use crate::support::eventually::eventually;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;

/// Ways to fail or to ask, of which each answers with an error or with what people read.
const PATHS: usize = 84;

/// Faults of a child that a call of the tool of that name meets.
const FAULTS: [&str; 15] = [
    "die",
    "half_die",
    "close_stdout",
    "hang",
    "half_line",
    "garbage",
    "bad_utf8",
    "deep",
    "line",
    "both",
    "neither",
    "wrong_id",
    "fail",
    "error",
    "endless_line",
];
/// Servers that cannot be used, or of which this tool is unknown.
const SERVERS: [&str; 13] = [
    "babbler",
    "refused",
    "nobody",
    "typo",
    "userinfo",
    "absent",
    "keyed",
    "basic",
    "granted",
    "ungranted",
    "helped",
    "garbled",
    "service",
];

/// What was shown, and by what.
type Shown = Vec<(String, String)>;

#[test]
fn s16_secrets_stay_secret_on_every_path_that_fails() {
    let stage = Stage::open();
    let mut shown = calls(&stage);
    shown.extend(requests(&stage));
    shown.extend(logins(&stage));
    shown.extend(commands(&stage));
    shown.extend(reloads(&stage));
    let silent: Vec<&str> =
        shown.iter().filter(|(_, text)| text.is_empty()).map(|(what, _)| &**what).collect();
    assert!(silent.is_empty(), "each is answered, and none with a result: {silent:?}");
    assert_eq!(shown.len(), PATHS);

    let log = log(&stage);
    shown.push(("the log".into(), log));
    shown.push(("the status page".into(), stage.status()));
    shown.push(("stdout".into(), stage.gateway.stdout()));
    for folder in [stage.conf.cache(), stage.conf.dir().join("logs")] {
        let written = files(&folder);
        assert!(!written.is_empty(), "{} is empty", folder.display());
        shown.extend(written);
    }
    if let Ok(lock) = std::fs::read_to_string(stage.conf.dir().join("mcp.lock.json")) {
        shown.push(("the lock file".into(), lock));
    }
    let found: Vec<String> = shown
        .iter()
        .flat_map(|(what, text)| stage.canaries.in_text(text).map(move |hit| format!("{what}: {hit}")))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
    was_there(&stage);
    let row = format!(
        "{} of them, on {PATHS} paths that fail or report, at trace level of all crates, in {} spellings",
        stage.canaries.planted(),
        SPELLINGS.len()
    );
    let documents = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md"));
    assert!(documents.expect("it is there").contains(&row), "docs/security.md does not say: {row}");
}

/// Calls that fail at the server, on the way there, or before; and some that do not.
fn calls(stage: &Stage) -> Shown {
    let mut shown = Shown::new();
    let sent = stage.canaries.of("sent");
    let argument = json!({ "password": sent, "nested": { "x": [sent] } });
    for tool in FAULTS {
        shown.push((format!("a call of {tool}"), stage.call(&format!("faulty__{tool}"), &argument)));
    }
    // What is answered is what was asked.
    for tool in ["steady__echo", "web__echo", "service__whoami"] {
        assert_eq!(stage.call(tool, &argument), "", "{tool} works");
    }
    for server in SERVERS {
        shown.push((format!("a call at {server}"), stage.call(&format!("{server}__x"), &argument)));
    }
    let basic = STANDARD.encode(format!("ann:{}", stage.canaries.of("phrase")));
    for (who, credential) in [
        ("key", format!("Bearer {}", stage.canaries.of("key"))),
        ("jwt", format!("Bearer {}", stage.canaries.of("jwt"))),
        ("password", format!("Basic {basic}")),
    ] {
        assert_eq!(stage.call_as(&credential, "steady__echo", &argument), "", "{who} gets in");
        for tool in ["faulty__error", "granted__x"] {
            let text = stage.call_as(&credential, tool, &argument);
            shown.push((format!("a call of {tool} with a {who}"), text));
        }
    }
    stage.run(&["key", "revoke", &stage.key_id]);
    let revoked = format!("Bearer {}", stage.canaries.of("key"));
    shown.push(("a revoked key".into(), stage.call_as(&revoked, "steady__echo", &argument)));
    shown
}

/// Requests that are refused.
fn requests(stage: &Stage) -> Shown {
    let bodies = wrong::bodies(stage.canaries.of("sent"));
    let bodies = bodies.into_iter().map(|(what, body)| (what.to_owned(), stage.ask(&body)));
    let headers = wrong::headers(stage).into_iter().map(|(what, headers)| {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        (what.to_owned(), stage.client().post("{}", &headers).body())
    });
    bodies.chain(headers).collect()
}

/// A server that wants a login: without one, with one that it refuses, and with one that is withdrawn.
fn logins(stage: &Stage) -> Shown {
    let call = || stage.call("login__echo", &json!({}));
    let mut shown: Shown = vec![("a login is needed".into(), call())];
    shown.push(("auth login".into(), stage.logs_in()));
    eventually("the login is used", || call().is_empty());
    stage.rig.revoke_access();
    assert_eq!(call(), "", "a refused token is renewed");
    shown.push(("more than it allows".into(), stage.call("login__admin", &json!({}))));
    shown.push(("auth status".into(), stage.run(&["auth", "status"])));
    stage.rig.change(|ways| ways.withdraws = true);
    stage.rig.revoke_access();
    shown.push(("a login that was withdrawn".into(), call()));
    shown.push(("auth logout".into(), stage.run(&["auth", "logout", "login"])));
    shown
}

fn commands(stage: &Stage) -> Shown {
    let all: [&[&str]; 11] = [
        &["check"],
        &["tools"],
        &["call", "babbler__x"],
        &["call", "refused__x"],
        &["call", "granted__x"],
        &["call", "helped__x"],
        &["key", "list"],
        &["lock"],
        &["status"],
        &["--help"],
        &["schema"],
    ];
    all.iter().map(|args| (args.join(" "), stage.run(args))).collect()
}

/// The file with what cannot be read, with a variable that is not there, and good again.
fn reloads(stage: &Stage) -> Shown {
    let good = std::fs::read_to_string(stage.conf.file()).expect("it is there");
    let inline = stage.canaries.of("inline");
    stage.conf.write_text(&good.replacen("\"faulty\"", &format!("{inline} \"faulty\""), 1));
    eventually("the broken file is refused", || stage.gateway.stderr().contains("last good"));
    let broken = stage.run(&["check"]);
    stage.conf.write_text(&good.replace("${S16_env}", "${S16_env}${NOT_THERE}"));
    eventually("the variable is missed", || stage.gateway.stderr().contains("NOT_THERE"));
    let missed = stage.run(&["check"]);
    stage.conf.write_text(&good);
    vec![("a broken file".into(), broken), ("a variable that is not there".into(), missed)]
}

/// The log as it stands, and with the texts of its lines as they were before they became JSON.
fn log(stage: &Stage) -> String {
    let raw = stage.gateway.stderr();
    let (mut all, mut targets) = (raw.clone(), BTreeSet::new());
    for line in raw.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let (level, target) = (line["level"].as_str(), line["target"].as_str().unwrap_or_default());
        if matches!(level, Some("TRACE" | "DEBUG")) {
            targets.insert(target.split("::").next().unwrap_or_default().to_owned());
        }
        for (name, value) in line.as_object().into_iter().flatten() {
            all.push_str(&format!("\n{name} {}", value.as_str().unwrap_or_default()));
        }
    }
    for one in ["mcp_manifold", "hyper_util"] {
        assert!(targets.contains(one), "{one} says nothing below `info`: {targets:?}");
    }
    all
}

/// What was shown at servers was really shown there.
fn was_there(stage: &Stage) {
    let canaries = &stage.canaries;
    let wall = stage.wall.bytes();
    let basic = STANDARD.encode(format!("u:{}", canaries.of("basic")));
    for (name, shown) in
        [("apikey", canaries.of("apikey")), ("basic", basic.as_str()), ("granted", canaries.of("granted"))]
    {
        assert!(wall.contains(shown), "{name} was shown");
    }
    assert!(wall.contains(canaries.of("helper")), "helper was shown");
    assert!(!stage.grants.seen().is_empty() && stage.service.bytes().contains(canaries.of("kept")));
    let shown = stage.rig.server.seen_at("/mcp");
    let mut shown = shown.iter().filter_map(|request| request.headers.get("authorization"));
    assert!(shown.any(|value| value.contains(canaries.of("access"))), "access was shown");
    assert!(stage.rig.grants("refresh_token").len() >= 2, "refresh was shown");
}

/// Everything that was written into `folder`.
fn files(folder: &std::path::Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap_or_default();
            found.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    found
}
