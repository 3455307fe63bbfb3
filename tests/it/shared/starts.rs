//! Clients whose gateway does not come: they can be ended all the same, and are served without one where that is clear.

use crate::shared::rig;
use crate::shared::rig::Shared;
use crate::support::eventually::eventually;
use crate::support::processes::is_alive;
use crate::support::processes::signal;
use crate::support::stdio_client::StdioClient;
use rustix::process::Signal;
use serde_json::json;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// A gateway that never comes: somebody has its lock. Let go of by dropping.
fn never_there(shared: &Arc<Shared>) -> File {
    let client = shared.client();
    let (pid, lock) = (rig::attached_to(&client), shared.socket().with_extension("lock"));
    client.close();
    assert!(client.exit().success());
    assert_eq!(shared.run(&["stop"]).0, 0);
    eventually("the gateway has ended", || !is_alive(pid) && !lock.exists());
    let held = File::create(&lock).expect("the runtime folder");
    held.try_lock().expect("nobody else has it");
    held
}

/// The client of `command`, to which nothing was said yet.
fn spawn(shared: &Arc<Shared>, command: Command) -> StdioClient {
    StdioClient::spawn(command, Some(Arc::clone(shared.conf()) as Arc<dyn Send + Sync>))
}

/// The same command with another program.
fn with_program(command: &Command, program: &Path) -> Command {
    let mut other = Command::new(program);
    let vars = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    other.args(command.get_args()).env_clear().envs(vars).process_group(0);
    other.current_dir(command.get_current_dir().expect("it has a folder"));
    other
}

fn is_starting(shared: &Shared) -> bool {
    shared.left().iter().any(|ending| ending == "start")
}

#[test]
fn a_client_that_waits_for_its_gateway_ends_when_it_is_told_to() {
    let shared = Shared::with_servers(1, "60s");
    let _held = never_there(&shared);
    for word in [Signal::TERM, Signal::INT] {
        let client = spawn(&shared, shared.command(&[]));
        eventually("it looks for a gateway", || is_starting(&shared));
        signal(client.pid(), word);
        assert!(client.exit().success(), "{}", client.stderr());
        assert!(!client.stderr().contains("not shared"), "nobody is to be served: {}", client.stderr());
        assert!(!is_starting(&shared), "its lock went with it");
    }
}

/// A client of a copy of the program.
fn of_a_copy(shared: &Arc<Shared>, program: &Path) -> StdioClient {
    let command = with_program(&shared.command(&[]), program);
    let original = Path::new(env!("CARGO_BIN_EXE_mcp-manifold"));
    std::fs::copy(original, program).expect("a copy of the program");
    spawn(shared, command).legacy()
}

#[test]
fn a_client_whose_program_is_gone_still_finds_the_next_gateway() {
    let shared = Shared::with_servers(1, "60s");
    let program = shared.conf().dir().join("moved-manifold");
    let client = of_a_copy(&shared, &program);
    std::fs::remove_file(&program).expect("it was there");
    for _ in 0..2 {
        let pid = rig::attached_to(&client);
        signal(pid, Signal::KILL);
        eventually("another gateway is there", || rig::attached_to(&client) != pid);
        assert!(client.call("s0__echo", json!({ "message": "still" })).text().contains("still"));
    }
}

#[test]
fn a_restart_brings_in_the_program_that_asks_for_it() {
    let shared = Shared::with_servers(1, "60s");
    let program = shared.conf().dir().join("newer-manifold");
    let old = [shared.client(), shared.client(), shared.client()];
    let own = |pid: u32| std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let first = rig::attached_to(&old[0]);
    assert_ne!(own(first), program);
    std::fs::copy(env!("CARGO_BIN_EXE_mcp-manifold"), &program).expect("a copy of the program");
    let mut restart = with_program(&shared.command(&[]), &program);
    restart = {
        let mut other = Command::new(&program);
        let vars = restart.get_envs().filter_map(|(name, value)| Some((name, value?)));
        other.env_clear().envs(vars).arg("restart").arg("--config").arg(shared.conf().file());
        other.current_dir(shared.conf().dir());
        other
    };
    assert!(restart.status().expect("it runs").success());
    for client in &old {
        eventually("it has the next one", || rig::attached_to(client) != first);
        assert_eq!(own(rig::attached_to(client)), program);
        assert!(client.call("s0__echo", json!({ "message": "next" })).text().contains("next"));
    }
}

#[test]
fn a_file_that_cannot_be_read_refuses_a_restart_and_costs_no_client() {
    let shared = Shared::with_servers(1, "60s");
    let client = shared.client();
    let pid = rig::attached_to(&client);
    let good = std::fs::read_to_string(shared.conf().file()).expect("it is there");
    shared.conf().write_text("{ this is no file");
    let (code, _, why) = shared.run(&["restart"]);
    assert!(code == 2 && why.contains("mcp.json"), "{code} {why}");
    assert!(client.call("s0__echo", json!({ "message": "kept" })).text().contains("kept"));
    signal(pid, Signal::KILL);
    // One that comes before the pipe has noticed the end may have run, for all it knows.
    eventually("a call is refused with the reason", || {
        let refused = client.call("s0__echo", json!({ "message": "x" }));
        let text = refused.error_text();
        assert!(text.contains("may have run") || text.contains("was not run"), "{text}");
        text.contains("was not run") && text.contains("mcp.json")
    });
    shared.conf().write_text(&good);
    assert!(client.call("s0__echo", json!({ "message": "again" })).text().contains("again"));
}

#[test]
fn a_runtime_folder_that_was_removed_is_made_again_and_its_heir_is_left_alone() {
    let shared = Shared::with_servers(1, "60s");
    let first = shared.client();
    let pid = rig::attached_to(&first);
    std::fs::remove_dir_all(shared.conf().runtime()).expect("it is there");
    let second = shared.client();
    assert_ne!(rig::attached_to(&second), pid);
    let place = shared.socket();
    signal(pid, Signal::TERM);
    eventually("the first has ended", || !is_alive(pid));
    assert!(place.exists() && place.with_extension("lock").exists());
    assert!(first.call("s0__echo", json!({ "message": "moved" })).text().contains("moved"));
    assert_eq!(rig::attached_to(&first), rig::attached_to(&second));
}

#[test]
fn an_open_subscription_does_not_hold_up_a_restart() {
    let shared = Shared::with_servers(1, "60s");
    let client = spawn(&shared, shared.command(&[])).modern();
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    client.begin("subscriptions/listen", wanted);
    eventually("it listens", || shared.status()["listening"] == 1);
    let pid = rig::attached_to(&client);
    let (code, said, why) = shared.run(&["restart", "--when-idle"]);
    assert!(code == 0 && said.contains(&format!("(pid {pid})")), "{why}");
    eventually("it has ended", || !is_alive(pid));
    assert!(client.call("s0__echo", json!({ "message": "after" })).text().contains("after"));
}
