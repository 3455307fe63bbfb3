//! Counters of one gateway: plain atomics, read as a [`Snapshot`].
//!
//! No labels and no exporter: `status` shows the numbers, and a library user reads them.

use serde::Serialize;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// A number that goes up, and for a gauge also down.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn up(&self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// One less; it stays at zero rather than wrapping round.
    pub fn down(&self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters of one gateway, shared by `Arc`.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $($(#[$doc])* pub $name: Counter,)*
        }

        /// All numbers at one moment.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
        pub struct Snapshot {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Metrics {
            /// All numbers now.
            #[must_use]
            pub fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.get(),)* }
            }
        }
    };
}

metrics! {
    /// Requests of clients; counted on the hot path, without a log line.
    calls,
    /// Calls that ended in an error made by the gateway or the server.
    calls_failed,
    /// Calls refused before a server was asked.
    calls_refused,
    /// Times that calls to a server began to be refused because it kept failing.
    breakers_opened,
    /// Log messages not sent to clients that were slow to read.
    notices_dropped,
    /// Starts that ended ready.
    server_starts,
    /// Starts that failed.
    server_failures,
    /// Stops that were asked for: idle, removed, changed, shutdown.
    server_stops,
    /// Connections that ended without being asked to.
    server_closes,
    /// Lines on the stdout of servers that are not protocol.
    noise_lines,
    /// Configurations put to use.
    config_reloads,
    /// Configurations refused, the last good one kept.
    config_refusals,
    /// Names left out because another item has them.
    collisions,
    /// Servers and definitions found not to be as they were locked.
    not_as_locked,
    /// Clients that came, ever.
    clients,
    /// Clients connected now.
    clients_now,
    /// Clients cut off because they did not read.
    clients_cut_off,
    /// Legacy HTTP sessions opened, ever.
    sessions,
    /// Legacy HTTP sessions open now.
    sessions_now,
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn a_snapshot_has_every_counter_and_a_gauge_does_not_wrap() {
        let metrics = Metrics::default();
        metrics.calls.add(3);
        metrics.clients_now.down();
        let json = serde_json::to_string(&metrics.snapshot()).unwrap();
        assert!(json.starts_with(r#"{"calls":3,"calls_failed":0"#), "{json}");
        assert_eq!(metrics.clients_now.get(), 0);
    }
}
