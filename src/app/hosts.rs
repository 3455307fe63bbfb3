//! The gateways of one process, as clients that attach find them.
//!
//! It chooses; who is served how is `front/attached.rs`.

use crate::front::attached::Hosts;
use crate::front::attached::Seat;
use crate::gateway::Gateway;
use crate::reload::watch::WatchHandle;
use futures_util::future::BoxFuture;
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The one gateway of an app.
pub struct House {
    gateway: Gateway,
    file: Option<WatchHandle>,
}

impl House {
    /// This gateway; `file` has its file read again.
    #[must_use]
    pub fn of(gateway: &Gateway, file: Option<WatchHandle>) -> Self {
        Self { gateway: gateway.clone(), file }
    }
}

impl Hosts for House {
    fn seat(&self, _: PathBuf, _: Vec<(String, String)>) -> BoxFuture<'_, Result<Seat, String>> {
        let gateway = self.gateway.clone();
        Box::pin(async move { Ok(Seat { gateway, moves: CancellationToken::new(), held: Box::new(()) }) })
    }

    fn status(&self) -> String {
        serde_json::to_string(&self.gateway.status()).unwrap_or_default()
    }

    fn reload(&self) {
        if let Some(file) = &self.file {
            file.poke();
        }
    }

    fn linger(&self) -> Option<Duration> {
        Some(self.gateway.config().settings.linger)
    }

    fn alone(&self) -> Option<String> {
        let shared = self.gateway.config().settings.share;
        (!shared).then(|| "`gateway.share` is false".to_owned())
    }
}
