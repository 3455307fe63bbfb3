//! The workshop's log lines to its client: none until the client asks, then from the severity it asked for on.
//!
//! It knows both ways of asking: once for the session (legacy), or in each request (modern).
#![expect(deprecated, reason = "logging is on its way out of the protocol, but clients still use it")]

use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleServer;
use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam};
use rmcp::service::RequestContext;

use crate::cli::demo_server::workshop::era::is_modern;

/// Sends log lines to the client of one connection.
#[derive(Debug, Clone, Default)]
pub struct Log {
    wanted: Arc<Mutex<Option<LoggingLevel>>>,
}

impl Log {
    /// From now on the session wants lines of this severity and above.
    pub fn want(&self, level: LoggingLevel) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(level);
    }

    /// Sends a line of severity `info`, if the client wants it.
    pub async fn info(&self, context: &RequestContext<RoleServer>, text: String) {
        let session = *self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = if is_modern(context) { context.meta.log_level() } else { session };
        // Levels are declared lowest first.
        if wanted.is_none_or(|wanted| (LoggingLevel::Info as u8) < wanted as u8) {
            return;
        }
        let line =
            LoggingMessageNotificationParam::new(LoggingLevel::Info, text.into()).with_logger("workshop");
        // A client that is gone reads no log.
        let _ = context.peer.notify_logging_message(line).await;
    }
}
