//! While slow servers start: which ones are waited for, on a terminal's stderr.

use crate::cli::output;
use crate::gateway::Gateway;
use std::future::Future;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::interval;

/// Shown after this, so that quick work stays silent.
const AFTER: Duration = Duration::from_millis(300);

/// Waits for `work` and shows meanwhile which servers are starting.
pub async fn watch<T>(gateway: &Gateway, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let began = Instant::now();
    let mut tick = interval(AFTER);
    tick.tick().await;
    let mut shown = false;
    loop {
        tokio::select! {
            done = &mut work => {
                if shown {
                    output::over("");
                }
                return done;
            }
            _ = tick.tick() => {
                let starting = starting(gateway);
                shown = !starting.is_empty();
                if shown {
                    let text = format!("starting {} ({} s)", starting.join(", "), began.elapsed().as_secs());
                    output::over(&text);
                }
            }
        }
    }
}

fn starting(gateway: &Gateway) -> Vec<String> {
    let snapshot = gateway.snapshot();
    let servers = snapshot.servers.iter().filter(|(_, handle)| handle.status().state == "starting");
    servers.map(|(name, _)| name.to_string()).collect()
}
