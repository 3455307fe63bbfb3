//! The configuration as the program uses it: checked, expanded, every default filled in, compared with `==`.
//!
//! It holds no `Option` for something that has a default, and nothing that could still be invalid. What the user wrote
//! is `config/file.rs`; how one becomes the other is `config/check.rs`.

pub mod access;
pub mod audit;
pub mod auth;
pub mod checks;
pub mod defaults;
pub mod egress;
pub mod http;
pub mod limits;
pub mod oauth;
pub mod outbound;
pub mod rates;
pub mod terms;
pub mod text;

pub use crate::config::model::http::HttpSettings;
pub use crate::config::model::limits::Limits;
pub use crate::config::model::text::EnvValue;
pub use crate::config::model::text::Expanded;

use crate::config::lockfile::LockMode;
use crate::config::lockfile::Pins;
use crate::config::model::access::Access;
use crate::config::model::access::AgentRules;
use crate::config::model::audit::AuditSettings;
use crate::config::model::auth::AuthSettings;
use crate::config::model::auth::Callers;
use crate::config::model::checks::Checks;
use crate::config::model::egress::EgressSettings;
use crate::config::model::oauth::OAuth;
use crate::config::model::outbound::Outbound;
use crate::config::model::rates::Rates;
use crate::config::model::terms::BreakerTerms;
use crate::config::model::terms::CallTerms;
use crate::config::model::terms::Retry;
use crate::config::model::terms::ToolTerms;
use crate::name::ServerName;
use crate::protocol::version::Era;
use crate::secret::Secret;
use indexmap::IndexMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything a gateway needs to run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Servers in use, in the order of the file.
    pub servers: IndexMap<ServerName, Arc<Server>>,
    /// Entries of the file that are not in use, with the reason: disabled, or left out for a problem.
    pub left_out: Vec<LeftOut>,
    /// The `gateway` section.
    pub settings: Settings,
    /// Names of headers of HTTP clients that some server is passed.
    pub passed: Vec<String>,
    /// Files whose content went into this configuration besides the file itself (`envFile`, `${file:…}`): watched too.
    pub extra_files: Vec<PathBuf>,
}

/// An entry that is in the file and not in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its key.
    pub name: String,
    /// Why, in words for a person: `disabled`, or the first problem.
    pub reason: String,
}

/// One entry of the file, ready to be started or connected.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Its key in the file.
    pub name: ServerName,
    /// How it is reached.
    pub transport: Transport,
    /// What stands before its tool and prompt names instead of the server name; `""` for nothing.
    pub prefix: Option<String>,
    /// One line for people and for the merged instructions.
    pub description: Option<String>,
    /// Which of its tools are shown.
    pub tools: ToolFilter,
    /// Which era is spoken with it.
    pub era: EraChoice,
    /// Longest time without an answer or progress for one call.
    pub call_timeout: Duration,
    /// Longest time for one call, whatever progress it reports.
    pub max_call_time: Duration,
    /// Which calls may be sent once more when it ended before it answered.
    pub retry: Retry,
    /// What holds for some of its tools instead.
    pub tool_terms: Vec<ToolTerms>,
    /// Longest time from spawn or connect to the answer of the handshake.
    pub start_timeout: Duration,
    /// Longest time for reading one of its lists, with all pages.
    pub list_timeout: Duration,
    /// Idle time after which it is stopped; `None` keeps it running.
    pub idle_timeout: Option<Duration>,
    /// Waits between the steps of stopping a child.
    pub stop: StopGrace,
    /// Calls in flight at once; more are refused at once.
    pub max_in_flight: usize,
    /// Who shares a connection to it.
    pub sharing: Sharing,
    /// A child that takes nothing from its stdin for this long is ended; `None` waits for it.
    pub stuck_after: Option<Duration>,
    /// When calls are refused because it keeps failing.
    pub breaker: BreakerTerms,
    /// What was approved of it.
    pub pins: Pins,
    /// What is checked of calls to it.
    pub checks: Checks,
}

/// Who shares a connection to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// All clients, until a legacy server asks its client for something; from then on each session has its own.
    #[default]
    Auto,
    /// All clients.
    Shared,
    /// Each session, or authenticated caller, has its own.
    PerSession,
    /// Each call has its own, which ends with it.
    PerCall,
}

impl Server {
    /// An entry that says nothing but how the server is reached.
    #[must_use]
    pub fn new(name: ServerName, transport: Transport) -> Self {
        Self {
            name,
            transport,
            prefix: None,
            description: None,
            tools: ToolFilter::default(),
            era: EraChoice::Auto,
            call_timeout: defaults::CALL_TIMEOUT,
            max_call_time: defaults::MAX_CALL_TIME,
            retry: Retry::Never,
            tool_terms: Vec::new(),
            start_timeout: defaults::START_TIMEOUT,
            list_timeout: defaults::LIST_TIMEOUT,
            idle_timeout: None,
            stop: StopGrace::default(),
            max_in_flight: defaults::MAX_IN_FLIGHT,
            sharing: Sharing::Auto,
            stuck_after: None,
            breaker: BreakerTerms::default(),
            pins: Pins::default(),
            checks: Checks::default(),
        }
    }

    /// What holds for its calls in general.
    #[must_use]
    pub fn terms(&self) -> CallTerms {
        CallTerms { idle: self.call_timeout, longest: self.max_call_time, retry: self.retry }
    }

    /// What holds for calls of the tool with this own name: for each value the first pattern that gives it.
    #[must_use]
    pub fn terms_of(&self, tool: &str) -> CallTerms {
        let mut terms = self.terms();
        if self.tool_terms.is_empty() {
            return terms;
        }
        let fits: Vec<&ToolTerms> = self.tool_terms.iter().filter(|own| own.fits(tool)).collect();
        let longest = fits.iter().find_map(|own| own.max_call_time);
        terms.idle = fits.iter().find_map(|own| own.call_timeout).unwrap_or(terms.idle);
        terms.longest = longest.unwrap_or_else(|| terms.longest.max(terms.idle));
        terms.retry = fits.iter().find_map(|own| own.retry).unwrap_or(terms.retry);
        terms
    }

    /// True when two callers cannot use one connection. Part of every call: nothing is copied.
    #[must_use]
    pub fn is_personal(&self) -> bool {
        matches!(&self.transport, Transport::Http(http) if http.outbound.is_personal())
    }

    /// True when somebody can log in there. Part of every call: nothing is copied.
    #[must_use]
    pub fn has_login(&self) -> bool {
        matches!(&self.transport, Transport::Http(http) if http.oauth.is_some())
    }

    /// True when that is each caller, and not the gateway.
    #[must_use]
    pub fn logs_callers_in(&self) -> bool {
        matches!(&self.transport, Transport::Http(Http { oauth: Some(login), .. }) if login.of_caller)
    }

    /// The name that people see in questions of this server; none when its tools are shown under their own names, so that
    /// clients see nothing but this server.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        (self.prefix.as_deref() != Some("")).then_some(self.name.as_str())
    }
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq)]
pub enum Transport {
    /// A child process speaking on its stdin and stdout.
    Stdio(Stdio),
    /// An endpoint in the network.
    Http(Http),
}

/// A child process.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stdio {
    /// The program: a path or a name looked up in the child's `PATH`.
    pub command: Expanded,
    /// Its arguments, exactly as passed: there is no shell.
    pub args: Vec<Expanded>,
    /// The whole environment of the child, sorted by name: allow-listed variables of our own plus the entry's.
    pub env: Vec<(String, EnvValue)>,
    /// Working directory, absolute.
    pub cwd: Option<PathBuf>,
}

/// An endpoint in the network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Http {
    /// What is spoken there.
    pub wire: Wire,
    /// The endpoint, checked to parse: `http` or `https`, for a WebSocket `ws` or `wss`.
    pub url: Expanded,
    /// Headers sent with every request, lower-case names, in file order; `authorization` included.
    pub headers: Vec<(String, Secret)>,
    /// Credentials that change or are not the gateway's, and what is passed on of clients.
    pub outbound: Outbound,
    /// How somebody logs in there; `None` where nobody can.
    pub oauth: Option<OAuth>,
}

/// What is spoken with an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wire {
    /// Streamable HTTP.
    #[default]
    Streamable,
    /// Streamable HTTP, or else the old HTTP+SSE: the entry does not say.
    Either,
    /// HTTP+SSE of 2024-11-05.
    Sse,
    /// A WebSocket.
    WebSocket,
}

/// Which tools of a server are shown. Patterns know `*` and `?`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToolFilter {
    /// Only these, when given. An empty list shows none.
    pub include: Option<Vec<String>>,
    /// Never these; wins over `include`.
    pub exclude: Vec<String>,
}

/// Which era to speak with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EraChoice {
    /// Find out, and remember.
    #[default]
    Auto,
    /// Always this one.
    Always(Era),
}

/// Waits while a child is stopped: stdin is closed, then SIGTERM, then SIGKILL, each to the whole group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopGrace {
    /// From closing stdin to SIGTERM.
    pub eof: Duration,
    /// From SIGTERM to SIGKILL.
    pub term: Duration,
}

impl Default for StopGrace {
    fn default() -> Self {
        Self { eof: Duration::from_secs(2), term: Duration::from_secs(2) }
    }
}

/// The `gateway` section, with its defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How exposed names are built.
    pub naming: Naming,
    /// Sizes and counts that are refused beyond.
    pub limits: Limits,
    /// The HTTP front.
    pub http: HttpSettings,
    /// Who may connect over HTTP.
    pub auth: Arc<AuthSettings>,
    /// Who the clients on stdio are.
    pub callers: Callers,
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
    /// Policies, and to whom they apply; `None` without the section.
    pub access: Option<Access>,
    /// Rules of agents; `None` without them.
    pub rules: Option<AgentRules>,
    /// How often something may be called.
    pub rates: Rates,
    /// Where calls and decisions are written down.
    pub audit: Option<AuditSettings>,
    /// Where requests may go whose address a server or a client has a say in.
    pub egress: EgressSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            naming: Naming::default(),
            limits: Limits::default(),
            http: HttpSettings::default(),
            auth: Arc::default(),
            callers: Callers::default(),
            list_timeout: Duration::from_secs(8),
            drain_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(600),
            share: true,
            linger: Duration::from_secs(60),
            instructions: None,
            watch: WatchSettings::default(),
            lock: LockMode::Off,
            access: None,
            rules: None,
            rates: Rates::default(),
            audit: None,
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

/// How the file is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchSettings {
    /// Quiet time after the last event before the file is read.
    pub debounce: Duration,
    /// How often the content is compared although no event came (network disks, bind mounts).
    pub poll: Duration,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self { debounce: Duration::from_millis(200), poll: Duration::from_secs(1) }
    }
}
