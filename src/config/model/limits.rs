//! `gateway.limits`: sizes and counts that are refused beyond.
//!
//! It holds the numbers of the file; who counts keeps them.

/// Sizes and counts that are refused beyond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest message in either direction, in bytes.
    pub message_bytes: usize,
    /// Deepest nesting of a message.
    pub depth: usize,
    /// Requests in flight of one client.
    pub in_flight_per_client: usize,
    /// Requests in flight of all clients of one caller who is known.
    pub in_flight_per_caller: usize,
    /// Requests in flight of everybody.
    pub in_flight_total: usize,
    /// Server starts under way at once.
    pub starts_at_once: usize,
    /// Bytes waiting for a client that does not read; beyond it is cut off.
    pub client_queue_bytes: usize,
    /// Bytes waiting for a server that does not read; beyond calls are refused.
    pub server_queue_bytes: usize,
    /// Items of one list of one server.
    pub list_items: usize,
    /// Pages of one list of one server.
    pub list_pages: usize,
    /// Bytes of the items of one list of one server.
    pub list_bytes: usize,
    /// Items on one page of a list we answer.
    pub page_size: usize,
    /// Connections of one server that belong to one session, caller or call each.
    pub private_connections: usize,
    /// Calls of one caller that wait for an answer of a user.
    pub parked_per_caller: usize,
    /// Calls of everybody that wait for an answer of a user.
    pub parked_total: usize,
    /// Resources that one client is subscribed to.
    pub subscriptions_per_client: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 16 << 20,
            depth: 128,
            in_flight_per_client: 1024,
            in_flight_per_caller: 4096,
            in_flight_total: 16_384,
            starts_at_once: 8,
            client_queue_bytes: 64 << 20,
            server_queue_bytes: 16 << 20,
            list_items: 20_000,
            list_pages: 1_000,
            list_bytes: 64 << 20,
            page_size: 5_000,
            private_connections: 64,
            parked_per_caller: 64,
            parked_total: 1024,
            subscriptions_per_client: 1_000,
        }
    }
}
