//! `gateway.limits`: sizes and counts that are refused beyond.
//!
//! It holds the numbers of the file; who counts keeps them.

/// Sizes and counts that are refused beyond.
    pub limits: Limits,
    /// The HTTP front.
    pub http: HttpSettings,
    /// Longest wait of a first list for servers without a stored catalog.
    pub list_timeout: Duration,
    /// Longest wait for calls in flight at shutdown, or on a removed server.
    pub drain_timeout: Duration,
    /// Longest wait for a user who was asked something by a server.
    pub answer_timeout: Duration,
    /// Whether stdio clients of this file share one gateway.
    pub share: bool,
    /// How long a shared gateway stays after its last client.
    pub linger: Duration,
    /// Own text at the head of the merged instructions.
    pub instructions: Option<String>,
    /// How the file is followed.
    pub watch: WatchSettings,
    /// What happens to definitions that are not in the lock file.
    pub lock: LockMode,
    /// Where requests may go whose address a server or a client has a say in.
    pub egress: EgressSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            naming: Naming::default(),
            limits: Limits::default(),
            http: HttpSettings::default(),
            list_timeout: Duration::from_secs(8),
            drain_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(600),
            share: true,
            linger: Duration::from_secs(60),
            instructions: None,
            watch: WatchSettings::default(),
            lock: LockMode::Off,
            egress: EgressSettings::default(),
        }
    }
}

/// How exposed names are built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// Between prefix and own name; `[A-Za-z0-9_-]+`.
    pub separator: String,
    /// `{server}` and `{tool}` in any surroundings; wins over `separator` for servers without a `prefix` of their own.
    pub template: Option<String>,
    /// Longest exposed name, in bytes: 16–128.
    pub max_length: usize,
}

impl Default for Naming {
    fn default() -> Self {
        Self { separator: "__".into(), template: None, max_length: 46 }
    }
}

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
