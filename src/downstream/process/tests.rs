//! Real children of `sh`: how they end, what they leave behind, and what is said when they cannot start.

use super::*;
use crate::config::model::EnvValue;
use crate::config::model::Expanded;
use crate::config::model::StopGrace;
use crate::secret::Secret;
use std::time::Duration;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::BufReader;
use tokio::task::JoinSet;
use tokio::time::timeout;

const BOUND: Duration = Duration::from_secs(30);
const SHORT: StopGrace = StopGrace { eof: Duration::from_millis(100), term: Duration::from_millis(200) };
const LONG: StopGrace = StopGrace { eof: BOUND, term: BOUND };

fn entry(command: &str, args: &[&str], path: &str) -> Stdio {
    Stdio {
        command: Expanded::plain(command),
        args: args.iter().map(|arg| Expanded::plain(*arg)).collect(),
        env: vec![("PATH".into(), EnvValue { value: Secret::new(path), declared: false, from_file: false })],
        cwd: None,
    }
}

fn start(stdio: &Stdio) -> Result<Spawned, SpawnError> {
    spawn(stdio, &ServerName::new("files").unwrap())
}

fn sh(script: &str) -> Spawned {
    start(&entry("sh", &["-c", script], "/usr/bin:/bin")).unwrap()
}

/// The first line of stdout.
async fn line(stdout: &mut ChildStdout) -> String {
    let mut text = String::new();
    timeout(BOUND, BufReader::new(stdout).read_line(&mut text)).await.expect("a line in time").unwrap();
    text.trim().to_owned()
}

/// Runs, as opposed to: ended and perhaps not reaped by whoever inherited it.
fn runs(pid: &str) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    match std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())) {
        Ok(stat) => !stat.rsplit(") ").next().unwrap().starts_with('Z'),
        Err(_) if cfg!(target_os = "linux") => false,
        Err(_) => rustix::process::test_kill_process(pid).is_ok(),
    }
}

/// Neither running nor a zombie.
fn gone(pid: u32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::test_kill_process(pid).is_err()
}

async fn until(mut condition: impl FnMut() -> bool) {
    let looked = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(BOUND, looked).await.expect("the condition holds in time");
}

#[tokio::test]
async fn a_child_that_ends_at_eof_needs_no_signal() {
    let Spawned { stdin, mut child, .. } = sh("cat; exit 3");
    drop(stdin);
    let report = child.stop(LONG).await;
    assert_eq!((report.exit.to_string().as_str(), report.how), ("exited with code 3", How::Eof));
    assert!(gone(child.pid()));
    assert_eq!(child.stop(LONG).await, report, "stopping twice is harmless");
}

#[tokio::test]
async fn a_child_that_ignores_eof_gets_term() {
    let Spawned { stdin, mut child, .. } = sh("exec sleep 1000");
    drop(stdin);
    let report = child.stop(StopGrace { eof: Duration::from_millis(50), term: BOUND }).await;
    assert_eq!(report.exit.to_string(), "was killed by signal 15 (SIGTERM)");
    assert_eq!(report.how, How::Term);
    assert!(gone(child.pid()));
}

#[tokio::test]
async fn a_child_that_ignores_term_gets_kill() {
    let Spawned { stdin, mut stdout, mut child, .. } =
        sh("trap '' TERM; echo ready; while :; do sleep 1; done");
    assert_eq!(line(&mut stdout).await, "ready");
    drop(stdin);
    let report = child.stop(SHORT).await;
    assert_eq!(report.exit.to_string(), "was killed by signal 9 (SIGKILL)");
    assert_eq!(report.how, How::Kill);
    assert!(gone(child.pid()));
}

#[tokio::test]
async fn what_a_child_leaves_behind_is_ended_too() {
    let Spawned { stdin: _stdin, mut stdout, mut child, .. } = sh("sleep 1000 & echo $!");
    let grandchild = line(&mut stdout).await;
    assert_eq!(timeout(BOUND, child.wait()).await.unwrap().to_string(), "exited with code 0");
    assert!(runs(&grandchild));
    assert_ne!(child.stop(LONG).await.how, How::Kill);
    assert!(!runs(&grandchild));
    assert!(gone(child.pid()));
}

#[tokio::test]
async fn a_grandchild_that_ignores_term_is_killed_although_the_leader_ended() {
    let Spawned { stdin, mut stdout, mut child, .. } = sh("(trap '' TERM; exec sleep 1000) & echo $!; cat");
    let grandchild = line(&mut stdout).await;
    until(|| {
        std::fs::read_to_string(format!("/proc/{grandchild}/comm"))
            .map_or(true, |comm| comm.trim() == "sleep")
    })
    .await;
    drop(stdin);
    let report = child.stop(StopGrace { eof: BOUND, term: Duration::from_millis(200) }).await;
    assert_eq!((report.exit.to_string().as_str(), report.how), ("exited with code 0", How::Kill));
    assert!(!runs(&grandchild));
}

#[tokio::test]
async fn dropping_a_tree_kills_and_reaps_it() {
    let Spawned { stdin: _stdin, mut stdout, child, .. } = sh("trap '' TERM; sleep 1000 & echo $!; wait");
    let grandchild = line(&mut stdout).await;
    let leader = child.pid();
    drop(child);
    until(|| gone(leader) && !runs(&grandchild)).await;
}

#[tokio::test]
async fn dropping_a_stop_half_way_leaves_nobody() {
    let Spawned { stdin: _stdin, mut stdout, mut child, .. } = sh("trap '' TERM; sleep 1000 & echo $!");
    let grandchild = line(&mut stdout).await;
    assert!(timeout(Duration::from_millis(50), child.stop(LONG)).await.is_err());
    let leader = child.pid();
    drop(child);
    until(|| gone(leader) && !runs(&grandchild)).await;
}

#[tokio::test]
async fn waiting_can_be_given_up_and_taken_up_again() {
    let Spawned { stdin, mut child, .. } = sh("cat; kill -SEGV $$");
    assert!(timeout(Duration::from_millis(20), child.wait()).await.is_err());
    drop(stdin);
    let exit = timeout(BOUND, child.wait()).await.unwrap();
    assert_eq!(exit.to_string(), "was killed by signal 11 (SIGSEGV)");
    assert_eq!(child.wait().await, exit);
}

#[tokio::test]
async fn a_flood_on_stderr_does_not_block_the_child() {
    let script = "yes 0123456789012345678901234567890123456789012345678901234567890123456789 \
                  | head -c 104857600 >&2; echo last >&2; echo done";
    let Spawned { stdin: _stdin, mut stdout, child: _child, stderr, stderr_pipe } = sh(script);
    let mut tasks = JoinSet::new();
    tasks.spawn(drain(stderr_pipe, stderr.clone()));
    assert_eq!(line(&mut stdout).await, "done");
    timeout(BOUND, tasks.join_next()).await.expect("stderr ends with the child");
    assert!(stderr.last_lines(2)[1].ends_with("last"));
}

#[tokio::test]
async fn the_environment_is_exactly_what_the_entry_says() {
    let mut stdio = entry("env", &[], "/usr/bin:/bin");
    stdio
        .env
        .insert(0, ("A".into(), EnvValue { value: Secret::new("1 2"), declared: true, from_file: false }));
    let Spawned { mut stdout, child: _child, .. } = start(&stdio).unwrap();
    let mut text = String::new();
    timeout(BOUND, stdout.read_to_string(&mut text)).await.unwrap().unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["A=1 2", "PATH=/usr/bin:/bin"]);
}

#[tokio::test]
async fn commands_are_found_as_the_child_would() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/bin/sh", folder.path().join("tool")).unwrap();
    let real = folder.path().canonicalize().unwrap();
    let args = ["-c", "pwd -P"];
    let by_path = entry("tool", &args, &format!("/nowhere:{}", folder.path().display()));
    let by_cwd = entry("./tool", &args, "");
    let by_relative_path = entry("tool", &args, ".");
    for (mut stdio, in_folder) in [(by_path, false), (by_cwd, true), (by_relative_path, true)] {
        stdio.cwd = in_folder.then(|| folder.path().to_owned());
        let Spawned { mut stdout, child: _child, .. } = start(&stdio).unwrap();
        let seen = line(&mut stdout).await;
        assert!(!in_folder || std::path::Path::new(&seen) == real, "{seen}");
    }
}

#[tokio::test]
async fn a_command_that_cannot_start_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plain");
    std::fs::write(&file, "#!/nowhere/interpreter\n").unwrap();
    let path = folder.path().to_str().unwrap();
    let says = |stdio: &Stdio| start(stdio).map(|_| ()).unwrap_err().to_string();

    let text = says(&entry("npxx", &[], "/nowhere:/usr/nowhere"));
    assert_eq!(text, "server `files`: command `npxx` was not found in its PATH `/nowhere:/usr/nowhere`");
    let text = says(&entry("npx -y thing", &[], "/nowhere"));
    assert!(text.ends_with("\nhint: `command` is only the program, arguments belong in `args`"), "{text}");
    let text = says(&entry("/nowhere/tool", &[], ""));
    assert_eq!(text, "server `files`: command `/nowhere/tool` does not exist");
    let text = says(&Stdio { cwd: Some(folder.path().into()), ..entry("./tool", &[], "") });
    assert_eq!(text, format!("server `files`: command `./tool` does not exist in `{path}`"));
    assert!(says(&entry(path, &[], "")).contains("it is a folder"));
    assert!(says(&entry("plain", &[], path)).contains("permission denied"));
    let text = says(&Stdio { cwd: Some("/nowhere".into()), ..entry("sh", &[], "/bin") });
    assert_eq!(text, "server `files`: its `cwd` `/nowhere` is not a folder");

    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert!(says(&entry("plain", &[], path)).contains("first line (`#!`)"));
}

#[tokio::test]
async fn errors_show_the_command_as_written() {
    let mut stdio = entry("", &[], "/nowhere");
    stdio.command = Expanded { value: "/nowhere/hunter2".into(), written: "/nowhere/${TOKEN}".into() };
    let text = start(&stdio).map(|_| ()).unwrap_err().to_string();
    assert!(text.contains("`/nowhere/${TOKEN}`") && !text.contains("hunter2"), "{text}");
}
