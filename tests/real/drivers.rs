//! The official SDKs use server-everything through the gateway, each in its own way: asked, told of progress and updates,
//! cancelling, with tasks. And Claude Code finds the gateway well.
//!
//! The programs in `drivers/` say what they see; what it should be stands here.

use crate::bed::Bed;
use crate::bed::installed;
use crate::bed::modules;
use crate::bed::node;
use crate::lists::exposed;
use crate::lists::exposed_to_modern;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;

/// What a driver saw; of several with one name, the last.
type Seen = BTreeMap<String, Value>;

/// A way to start a driver.
struct Driver {
    command: Command,
}

impl Driver {
    /// One of the SDKs for Node. Node looks for packages beside the script, so it is copied there.
    fn node(script: &str) -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/drivers").join(script);
        let beside = modules().parent().expect("a folder").join(script);
        std::fs::copy(from, &beside).expect("the folder of packages is writable");
        let mut command = Command::new(node());
        command.arg(beside);
        Self { command }
    }

    fn python(script: &str) -> Self {
        let mut command = Command::new(installed().join("python/bin/python"));
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/drivers").join(script));
        Self { command }
    }

    /// Runs it to its end.
    fn run(mut self, args: &[&str], home: &Path) -> Seen {
        self.command.args(args).stdin(Stdio::null()).current_dir(home);
        self.command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", home);
        let output = self.command.output().expect("the driver starts");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{args:?}: {}\n{out}\n{err}", output.status);
        let line = |line: &str| -> Option<(String, Value)> {
            let line: Value = serde_json::from_str(line).ok()?;
            Some((line["what"].as_str()?.to_owned(), line["seen"].clone()))
        };
        out.lines().filter_map(line).collect()
    }
}

/// The command line of the gateway on this file.
fn command_line(conf: &TempConf) -> Vec<String> {
    let path = |path: PathBuf| path.display().to_string();
    let words = [env!("CARGO_BIN_EXE_mcp-manifold"), "serve", "--standalone", "--config"].map(str::to_owned);
    let rest = [path(conf.file()), "--cache-dir".to_owned(), path(conf.cache())];
    words.into_iter().chain(rest).collect()
}

/// Runs a driver over pipes and over HTTP.
fn both_ways(bed: &Bed, start: impl Fn() -> Driver, mode: &[&str], check: impl Fn(&Seen)) {
    let line = command_line(bed.conf());
    let pipes: Vec<&str> =
        ["stdio"].iter().chain(mode).copied().chain(line.iter().map(String::as_str)).collect();
    check(&start().run(&pipes, bed.conf().dir()));
    let gateway = Gateway::on(bed.conf()).http();
    let url = format!("http://{}/mcp", gateway.addr());
    let web: Vec<&str> = ["http"].iter().chain(mode).copied().chain([url.as_str()]).collect();
    check(&start().run(&web, bed.conf().dir()));
}

fn names(seen: &Value) -> BTreeSet<String> {
    let all = seen.as_array().unwrap_or_else(|| panic!("no names: {seen}"));
    all.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// What every client sees of server-everything.
fn used_everything(bed: &Bed, seen: &Seen, modern: bool) {
    let wanted = if modern { exposed_to_modern(bed) } else { exposed(bed) };
    assert_eq!(names(&seen["tools"]), wanted);
    assert_eq!(seen["sum"], "The sum of 2 and 3 is 5.");
    let text = |what: &str| seen[what].as_str().unwrap_or_else(|| panic!("no {what}: {seen:?}"));
    assert!(text("sampling").contains("sampled 1"), "{seen:?}");
    assert!(text("asked").starts_with("[everything] "), "{seen:?}");
    assert!(text("elicitation").contains("rig"), "{seen:?}");
    assert_eq!(seen["completion"], json!(["Engineering"]));
    assert!(names(&seen["prompts"]).contains("everything__simple-prompt"), "{seen:?}");
    let steps = seen["progress"].as_array().expect("progress");
    let first: Vec<f64> = steps.iter().filter_map(Value::as_f64).take(2).collect();
    assert_eq!(first, [1.0, 2.0], "progress in order");
}

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn the_typescript_sdk_1_uses_everything() {
    let bed = Bed::warm();
    both_ways(
        &bed,
        || Driver::node("typescript_v1.mjs"),
        &[],
        |seen| {
            used_everything(&bed, seen, false);
            assert_eq!(seen["cancelled"], "gone");
            assert_eq!(seen["updated"], "demo://resource/dynamic/text/1");
            assert_eq!(seen["task"], json!(true), "{seen:?}");
            assert!(names(&seen["task messages"]).contains("taskCreated"), "{seen:?}");
        },
    );
}

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn the_typescript_sdk_2_finds_out_the_era_and_uses_everything() {
    let bed = Bed::warm();
    both_ways(
        &bed,
        || Driver::node("typescript_v2.mjs"),
        &[],
        |seen| {
            assert_eq!(seen["version"], "2026-07-28");
            used_everything(&bed, seen, true);
            assert_eq!(seen["cancelled"], "gone");
        },
    );
}

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn the_python_sdk_uses_everything_in_both_modes() {
    let bed = Bed::warm();
    for (mode, version) in [("auto", "2026-07-28"), ("legacy", "2025-11-25")] {
        both_ways(
            &bed,
            || Driver::python("python_v2.py"),
            &[mode],
            |seen| {
                assert_eq!(seen["version"], version);
                used_everything(&bed, seen, mode == "auto");
            },
        );
    }
}

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn clients_of_either_era_see_a_server_that_speaks_only_the_other() {
    let conf = TempConf::new();
    let echo = |era: &str| json!({ "command": env!("CARGO_BIN_EXE_mcp-manifold"), "args": ["demo-server", "workshop"], "era": era });
    conf.write(&json!({ "mcpServers": { "old": echo("legacy"), "new": echo("modern") } }));
    let listed = |script: &str| {
        let line = command_line(&conf);
        let args: Vec<&str> = ["stdio"].into_iter().chain(line.iter().map(String::as_str)).collect();
        names(&Driver::node(script).run(&args, conf.dir())["tools"])
    };
    let modern = listed("typescript_v2.mjs");
    let own = |all: &BTreeSet<String>, server: &str| -> BTreeSet<String> {
        all.iter().filter_map(|name| name.strip_prefix(server).map(str::to_owned)).collect()
    };
    assert!(!modern.is_empty());
    assert_eq!(own(&modern, "old__"), own(&modern, "new__"), "a modern client sees the same of both");
    let args: Vec<String> =
        ["stdio".to_owned(), "legacy".to_owned()].into_iter().chain(command_line(&conf)).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let legacy = names(&Driver::python("python_v2.py").run(&args, conf.dir())["tools"]);
    assert_eq!(legacy, modern, "a legacy client sees what a modern one sees");
}

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn claude_code_finds_the_gateway_well_over_stdio_and_http() {
    let bed = Bed::warm();
    let gateway = Gateway::on(bed.conf()).http();
    let url = format!("http://{}/mcp", gateway.addr());
    let line = command_line(bed.conf());
    let mut pipes = vec!["mcp", "add", "-s", "user", "pipes", "--"];
    pipes.extend(line.iter().map(String::as_str));
    claude(bed.conf(), &pipes);
    claude(bed.conf(), &["mcp", "add", "-s", "user", "--transport", "http", "web", &url]);
    let listed = claude(bed.conf(), &["mcp", "list"]);
    for name in ["pipes", "web"] {
        let line = listed.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{listed}"));
        assert!(line.contains("Connected"), "{listed}");
    }
}

/// Runs Claude Code with a home of its own; no login is needed for this.
fn claude(conf: &Arc<TempConf>, args: &[&str]) -> String {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let program = modules().join(format!("@anthropic-ai/claude-code-linux-{arch}/claude"));
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).current_dir(conf.dir());
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", node().parent().expect("a folder").display());
    command
        .env_clear()
        .env("PATH", path)
        .env("HOME", conf.dir())
        .env("CLAUDE_CONFIG_DIR", conf.dir().join("claude"));
    command.env("DISABLE_AUTOUPDATER", "1").env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    let output = command.output().expect("it starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{args:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}
