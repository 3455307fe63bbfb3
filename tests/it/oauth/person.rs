//! Somebody who logs in: runs the command, opens the address that it prints, and goes where that leads.

use crate::oauth::web::visit;
use crate::support::eventually::eventually;
use crate::support::eventually::patience;
use crate::support::gateway::Gateway;
use crate::support::stdio_client::collect;
use crate::support::stdio_client::lock;
use crate::support::stdio_client::wait_for_exit;
use crate::support::tempconf::TempConf;
use std::io::Write as _;
use std::process::Child;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;

/// A login that is under way.
pub struct Person {
    child: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
}

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Person {
    /// Runs `auth login` with these arguments; no browser is opened.
    pub fn logs_in(conf: &Arc<TempConf>, args: &[&str]) -> Self {
        Self::with(conf, &[&["--no-browser"], args].concat(), &[])
    }

    /// Runs `auth login` with these arguments and variables.
    pub fn with(conf: &Arc<TempConf>, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Gateway::on(conf).command(&[&["auth", "login"], args].concat());
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = collect(child.stdout.take().expect("stdout is piped"));
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        Self { child, stdout, stderr }
    }

    /// The address that is printed.
    pub fn address(&self) -> String {
        let found = || lock(&self.stdout).lines().find(|line| line.starts_with("http")).map(str::to_owned);
        eventually("an address is printed", || {
            assert!(!lock(&self.stderr).contains("error:"), "{}", lock(&self.stderr));
            found().is_some()
        });
        found().expect("it was there")
    }

    /// Goes where the address leads: where the browser is sent to.
    pub fn agrees(&self) -> String {
        let (status, location) = visit(&self.address());
        assert_eq!(status, 302, "the authorization server sends the browser back");
        location.expect("it says where to")
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("stdin is piped");
        writeln!(stdin, "{line}").expect("it is read");
    }

    /// Waits for the end.
    pub fn ends(mut self) -> Ended {
        let status = wait_for_exit(&mut self.child, patience()).unwrap_or_else(|| {
            let _ = self.child.kill();
            panic!("it does not end; stdout: {}; stderr: {}", lock(&self.stdout), lock(&self.stderr))
        });
        eventually("its output ends", || {
            Arc::strong_count(&self.stdout) == 1 && Arc::strong_count(&self.stderr) == 1
        });
        let text = |text: &Arc<Mutex<String>>| lock(text).clone();
        Ended { code: status.code().unwrap_or(-1), stdout: text(&self.stdout), stderr: text(&self.stderr) }
    }

    /// All of it: opens the address, comes back.
    pub fn finishes(self) -> Ended {
        let back = self.agrees();
        let (status, _) = visit(&back);
        assert_eq!(status, 200, "the page of the login takes it");
        self.ends()
    }
}

/// Runs a command of the binary to its end.
pub fn run(conf: &Arc<TempConf>, args: &[&str]) -> Ended {
    let output = Gateway::on(conf).run(args);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Logs in at `server`, which must work.
pub fn log_in(conf: &Arc<TempConf>, server: &str) {
    let ended = Person::logs_in(conf, &[server]).finishes();
    assert_eq!(ended.code, 0, "stdout: {}; stderr: {}", ended.stdout, ended.stderr);
}
