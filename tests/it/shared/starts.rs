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

#[test]
fn a_client_whose_program_is_gone_is_served_alone_and_told_where_it_was() {
    let shared = Shared::with_servers(1, "60s");
    let _held = never_there(&shared);
    let program = shared.conf().dir().join("moved-manifold");
    let command = with_program(&shared.command(&[]), &program);
    let original = Path::new(env!("CARGO_BIN_EXE_mcp-manifold"));
    std::fs::hard_link(original, &program)
        .or_else(|_| std::fs::copy(original, &program).map(drop))
        .expect("a copy of the program");
    let client = spawn(&shared, command);
    eventually("it looks for a gateway", || is_starting(&shared));
    std::fs::remove_file(&program).expect("it was there");
    let client = client.legacy();
    assert!(client.call("s0__echo", json!({ "message": "alone" })).text().contains("alone"));
    let said = client.stderr();
    let path = program.display().to_string();
    assert!(said.contains("not shared with other clients") && said.contains(&path), "{said}");
    assert!(!said.contains("(deleted)"), "{said}");
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
