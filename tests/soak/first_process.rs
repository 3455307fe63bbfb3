//! R8: the gateway as the first process of a container, whose servers leave behind what nobody else takes care of.
//!
//! Where namespaces cannot be made nothing is tested, and it says so.

use crate::figures::Figures;
use crate::plan::Plan;
use crate::probe::Sample;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use serde_json::json;
use std::process::Command;

const ROUNDS: usize = 30;
const NAMESPACES: [&str; 2] = ["-Urpf", "--mount-proc"];

/// A server that leaves an orphan in a session of its own, which ends soon after, and ends with each answer.
const LEAVES_ORPHANS: &str = r#"(setsid sh -c 'sleep 0.1' &); exec "$0" "$@""#;

#[test]
#[ignore = "needs namespaces; `.ci/run soak` runs it"]
fn what_servers_leave_behind_in_a_container_does_not_pile_up() {
    let plan = Plan::take();
    if !Command::new("unshare").args(NAMESPACES).arg("true").status().is_ok_and(|status| status.success()) {
        return Figures::of("first_process", &plan).with("not_run", "no_namespaces_here").print();
    }
    let conf = TempConf::with(|conf| {
        let mut entry = conf.fake("once").args(&["--exit-after-call"]).json();
        let mut args = vec![json!("-c"), json!(LEAVES_ORPHANS), entry["command"].clone()];
        args.extend(entry["args"].as_array().expect("arguments").clone());
        (entry["command"], entry["args"]) = (json!("/bin/sh"), json!(args));
        json!({ "mcpServers": { "once": entry } })
    });
    let inner = Gateway::on(&conf).serve(&[]);
    let mut command = Command::new("unshare");
    command.args(NAMESPACES).arg(inner.get_program()).args(inner.get_args());
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let client = StdioClient::spawn(command, None).legacy();
    client.request("tools/list", json!({})).result();
    for _ in 0..ROUNDS {
        // One that comes while the server ends is answered with an error.
        client.call("once__pid", json!({}));
    }
    let orphans = conf.spawns("once");
    let gateway = child_of(client.pid());
    let mut after = Sample::default();
    eventually("the dead are taken note of", || {
        after = Sample::of(gateway);
        after.zombies == 0
    });
    Figures::of("first_process", &plan).with("orphans", orphans).with("zombies", after.zombies).print();
    assert!(orphans >= ROUNDS / 3, "only {orphans} servers were started");
    client.close();
    assert!(client.exit().success());
}

fn child_of(process: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let children = children.expect("the system tells the children of a process");
    children.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("a child")
}
