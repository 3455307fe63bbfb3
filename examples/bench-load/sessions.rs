//! Sessions that are opened and left idle, for the memory they take.
//!
//! Each is what a legacy client opens before it does anything: `initialize`. None of them has a stream open.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::http::{Connection, HANDSHAKE, split};
use crate::process::Usage;

/// Opened before the first look, so that what the first ones cost once is not counted.
const FIRST: u32 = 100;

pub fn run(sessions: u32, url: &str, pid: u32) -> anyhow::Result<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (authority, path) = split(url)?;
        let mut connection = Connection::open(authority, path, "").await?;
        open(&mut connection, FIRST).await?;
        let before = Usage::of(pid).context("no such process")?;
        open(&mut connection, sessions).await?;
        let after = Usage::of(pid).context("the process has ended")?;
        let grown = after.rss_kb.saturating_sub(before.rss_kb);
        let each = grown as f64 * 1024.0 / f64::from(sessions.max(1));
        Ok(json!({
            "sessions": sessions,
            "rssKbBefore": before.rss_kb,
            "rssKbAfter": after.rss_kb,
            "bytesPerSession": each.round(),
        }))
    })
}

async fn open(connection: &mut Connection, sessions: u32) -> anyhow::Result<()> {
    for _ in 0..sessions {
        let (head, _) = connection.exchange(HANDSHAKE[0].as_bytes()).await?;
        ensure!(head.status == 200, "no session: status {}", head.status);
    }
    Ok(())
}
