//! The gateways of one process, as clients that attach find them.
//!
//! It chooses; who is served how is `front/attached.rs`.

use crate::auth::local;
use crate::front::attached::Hosts;
use crate::front::attached::Seat;
use crate::gateway::Gateway;
use crate::reload::views::Views;
use crate::reload::watch::WatchHandle;
use std::path::PathBuf;
use std::time::Duration;

/// The gateways over one file.
pub struct House {
    first: Gateway,
    views: Views,
    file: WatchHandle,
}

impl House {
    /// These gateways, of which `first` tells the state of all; `file` has the file read again.
    #[must_use]
    pub fn of(first: Gateway, views: Views, file: WatchHandle) -> Self {
        Self { first, views, file }
    }
}

impl Hosts for House {
    fn seat(
        &self,
        folder: PathBuf,
        vars: Vec<(String, String)>,
        caller: Option<&str>,
    ) -> Result<Seat, String> {
        let view = self.views.of(folder, vars).map_err(|error| error.to_string())?;
        let callers = &view.gateway().config().settings.callers;
        let caller = local::caller(callers, caller).map_err(|error| error.to_string())?;
        Ok(Seat {
            gateway: view.gateway().clone(),
            caller,
            moves: view.misplaced().clone(),
            held: Box::new(view),
        })
    }

    fn status(&self) -> String {
        serde_json::to_string(&self.first.status()).unwrap_or_default()
    }

    fn is_busy(&self) -> bool {
        self.first.is_busy()
    }

    fn reload(&self) {
        self.file.poke();
    }

    fn linger(&self) -> Duration {
        self.first.config().settings.linger
    }

    fn alone(&self) -> Option<String> {
        let shared = self.first.config().settings.share;
        (!shared).then(|| "`gateway.share` is false".to_owned())
    }
}
