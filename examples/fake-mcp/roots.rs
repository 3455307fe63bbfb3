//! A legacy server that wants to know the folders of its client: after the handshake and whenever they change.
//!
//! The answers are only kept, with all other lines.

use crate::server::Out;
use crate::server::Server;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Asks, when a notification is one of those that call for it.
pub fn hear(server: &Server, method: &str, out: &Arc<dyn Out>) {
    let changed = method == "notifications/roots/list_changed";
    if changed {
        server.note("roots_changed", "");
    }
    if server.options.ask_roots && (changed || method == "notifications/initialized") {
        let number = server.counter.fetch_add(1, Ordering::SeqCst);
        out.notify(format!(r#"{{"jsonrpc":"2.0","id":"roots {number}","method":"roots/list"}}"#).as_bytes());
    }
}
