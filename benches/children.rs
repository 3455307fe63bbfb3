//! The processes that the benchmarks start: what they say, and how they are ended.
//!
//! What is measured is not decided here.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

/// Runs the load generator and reads its report.
pub fn report(mut load: Command) -> anyhow::Result<Value> {
    let output = load.stderr(Stdio::piped()).output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Where the gateway says that it listens; what it logs after that is thrown away.
pub fn address(gateway: &mut Child) -> anyhow::Result<String> {
    let mut said = String::new();
    let mut log = BufReader::new(gateway.stderr.take().context("no stderr")?);
    while log.read_line(&mut said)? > 0 {
        let port = said.split("127.0.0.1:").skip(1).find_map(|rest| {
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            (!port.is_empty() && port != "0").then_some(port)
        });
        if let Some(port) = port {
            std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
            return Ok(format!("127.0.0.1:{port}"));
        }
    }
    bail!("the gateway does not say where it listens: {said}")
}

/// Asks the gateway to end, so that it stops its servers; a deaf one is killed.
pub fn stop(mut gateway: Child) {
    #[cfg(unix)]
    if let Some(pid) = i32::try_from(gateway.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may be gone already; either way it is waited for.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        for _ in 0..500 {
            if matches!(gateway.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
    drop(gateway.kill());
    drop(gateway.wait());
}
