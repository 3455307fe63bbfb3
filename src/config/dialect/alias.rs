//! Every spelling of every key of an entry, seen in the files of all clients, and what it means here.
//!
//! The match is exact: a near miss is told, never guessed.

/// What a key of an entry says, whatever its spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// The kind of transport.
    Kind,
    /// The program; also a whole argument vector, or Zed's object.
    Command,
    /// The arguments.
    Args,
    /// Variables for the child.
    Env,
    /// Names of our own variables to pass on.
    InheritEnv,
    /// A dotenv file.
    EnvFile,
    /// The working directory.
    Cwd,
    /// The endpoint.
    Url,
    /// A `host:port` of a raw socket.
    Tcp,
    /// Static headers.
    Headers,
    /// Header name → variable that holds its value.
    EnvHeaders,
    /// A token for `Authorization: Bearer`.
    Bearer,
    /// The variable that holds that token.
    BearerEnv,
    /// `{headers}` of Continue.
    RequestOptions,
    /// OAuth settings.
    OAuth,
    /// A command that prints headers.
    HeaderCommand,
    /// Headers of clients that are passed on.
    PassHeaders,
    /// Whether credentials may travel over plain http.
    AllowPlain,
    /// On or off.
    Disabled,
    /// Off or on.
    Enabled,
    /// A timeout without a unit in its name.
    Timeout,
    /// For one call: a duration.
    CallTimeout,
    /// For one call, in milliseconds.
    CallTimeoutMs,
    /// For one call, in seconds.
    CallTimeoutSec,
    /// For one call in all: a duration.
    MaxCallTime,
    /// Which calls may be repeated.
    Retry,
    /// For a child that does not read: a duration, `"never"` or `false`.
    StuckAfter,
    /// For starting: a duration.
    StartTimeout,
    /// For starting, in milliseconds.
    StartTimeoutMs,
    /// For starting, in seconds.
    StartTimeoutSec,
    /// For reading the lists: a duration.
    ListTimeout,
    /// Until an idle server is stopped: a duration, `"never"` or `false`.
    IdleTimeout,
    /// mcporter's `keep-alive` or `ephemeral`.
    Lifecycle,
    /// `{eof, term}`.
    StopGrace,
    /// Calls at once.
    MaxInFlight,
    /// `false` means one call at a time.
    Parallel,
    /// Tools to show.
    Include,
    /// Tools to show, where an empty list means all (Goose).
    IncludeEmptyIsAll,
    /// `tools`: a list to show, or settings per tool.
    Tools,
    /// Tools not to show.
    Exclude,
    /// Instead of the server name before tool names.
    Prefix,
    /// Which era to speak.
    Era,
    /// One line about it.
    Description,
    /// Who shares one child.
    Sharing,
    /// Whether arguments are checked.
    ValidateArguments,
    /// Longest result, in bytes.
    ResultLimit,
    /// VS Code's sandbox.
    Sandbox,
    /// Zed's settings of an extension.
    Settings,
}

/// What is done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// It says this.
    Is(Key),
    /// Decoration, or a choice that needs nothing from us.
    Nothing,
    /// Approval of calls, which is the client's business.
    Approval,
    /// Known, without effect; the reader is told.
    Unsupported,
}

use Key::*;
use Means::*;

/// All spellings. Of two spellings of one key in the same entry, the one further up wins.
pub const SPELLINGS: &[(&str, Means)] = &[
    ("type", Is(Kind)),
    ("transport", Is(Kind)),
    ("transportType", Is(Kind)),
    ("command", Is(Command)),
    ("cmd", Is(Command)),
    ("args", Is(Args)),
    ("env", Is(Env)),
    ("environment", Is(Env)),
    ("envs", Is(Env)),
    ("inheritEnv", Is(InheritEnv)),
    ("env_vars", Is(InheritEnv)),
    ("env_keys", Is(InheritEnv)),
    ("envFile", Is(EnvFile)),
    ("env_file", Is(EnvFile)),
    ("cwd", Is(Cwd)),
    ("workingDirectory", Is(Cwd)),
    ("httpUrl", Is(Url)),
    ("serverUrl", Is(Url)),
    ("server_url", Is(Url)),
    ("url", Is(Url)),
    ("baseUrl", Is(Url)),
    ("base_url", Is(Url)),
    ("endpoint", Is(Url)),
    ("uri", Is(Url)),
    ("tcp", Is(Tcp)),
    ("headers", Is(Headers)),
    ("http_headers", Is(Headers)),
    ("env_http_headers", Is(EnvHeaders)),
    ("bearerToken", Is(Bearer)),
    ("bearer_token", Is(Bearer)),
    ("apiKey", Is(Bearer)),
    ("bearerTokenEnv", Is(BearerEnv)),
    ("bearer_token_env", Is(BearerEnv)),
    ("bearer_token_env_var", Is(BearerEnv)),
    ("requestOptions", Is(RequestOptions)),
    ("oauth", Is(OAuth)),
    ("auth", Is(OAuth)),
    ("authProviderType", Is(OAuth)),
    ("headersHelper", Is(HeaderCommand)),
    ("passHeaders", Is(PassHeaders)),
    ("allowPlainHttp", Is(AllowPlain)),
    ("disabled", Is(Disabled)),
    ("enabled", Is(Enabled)),
    ("timeout", Is(Timeout)),
    ("callTimeout", Is(CallTimeout)),
    ("toolTimeout", Is(CallTimeout)),
    ("callTimeoutMs", Is(CallTimeoutMs)),
    ("request_timeout_ms", Is(CallTimeoutMs)),
    ("tool_timeout_sec", Is(CallTimeoutSec)),
    ("maxCallTime", Is(MaxCallTime)),
    ("maxTotalTimeout", Is(MaxCallTime)),
    ("retry", Is(Retry)),
    ("stuckAfter", Is(StuckAfter)),
    ("startTimeout", Is(StartTimeout)),
    ("startTimeoutMs", Is(StartTimeoutMs)),
    ("startup_timeout_ms", Is(StartTimeoutMs)),
    ("connectionTimeout", Is(StartTimeoutMs)),
    ("startup_timeout_sec", Is(StartTimeoutSec)),
    ("listTimeout", Is(ListTimeout)),
    ("idleTimeout", Is(IdleTimeout)),
    ("lifecycle", Is(Lifecycle)),
    ("stopGrace", Is(StopGrace)),
    ("maxInFlight", Is(MaxInFlight)),
    ("supports_parallel_tool_calls", Is(Parallel)),
    ("includeTools", Is(Include)),
    ("enabled_tools", Is(Include)),
    ("allowedTools", Is(Include)),
    ("toolFilter", Is(Include)),
    ("available_tools", Is(IncludeEmptyIsAll)),
    ("tools", Is(Tools)),
    ("excludeTools", Is(Exclude)),
    ("disabledTools", Is(Exclude)),
    ("disabled_tools", Is(Exclude)),
    ("prefix", Is(Prefix)),
    ("toolPrefix", Is(Prefix)),
    ("era", Is(Era)),
    ("protocolEra", Is(Era)),
    ("description", Is(Description)),
    ("title", Is(Description)),
    ("sharing", Is(Sharing)),
    ("validateArguments", Is(ValidateArguments)),
    ("resultLimit", Is(ResultLimit)),
    ("sandbox", Is(Sandbox)),
    ("sandboxEnabled", Is(Sandbox)),
    ("settings", Is(Settings)),
    ("autoApprove", Approval),
    ("alwaysAllow", Approval),
    ("trust", Approval),
    ("default_tools_approval_mode", Approval),
    ("dev", Unsupported),
    ("watchPaths", Unsupported),
    ("roots", Unsupported),
    ("resourcePrefix", Unsupported),
    ("oauth_resource", Unsupported),
    ("scopes", Unsupported),
    ("targetAudience", Unsupported),
    ("targetServiceAccount", Unsupported),
    ("alwaysLoad", Nothing),
    ("bundled", Nothing),
    ("display_name", Nothing),
    ("gallery", Nothing),
    ("icon", Nothing),
    ("icons", Nothing),
    ("metadata", Nothing),
    ("modernLogLevel", Nothing),
    ("name", Nothing),
    ("remote", Nothing),
    ("remoteConfigured", Nothing),
    ("required", Nothing),
    ("source", Nothing),
    ("tokenCacheDir", Nothing),
    ("version", Nothing),
];

/// What `key` means, and how far up in [`SPELLINGS`] it stands.
#[must_use]
pub fn look_up(key: &str) -> Option<(usize, Means)> {
    SPELLINGS.iter().position(|(spelling, _)| *spelling == key).map(|index| (index, SPELLINGS[index].1))
}

/// True for keys that only an entry has: what to start or where to connect.
#[must_use]
pub fn starts_an_entry(key: &str) -> bool {
    matches!(look_up(key), Some((_, Is(Command | Url | Tcp))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_spelling_means_two_things() {
        let mut seen = HashSet::new();
        assert!(SPELLINGS.iter().all(|(spelling, _)| seen.insert(spelling)));
    }

    #[test]
    fn the_match_is_exact() {
        assert_eq!(look_up("command").map(|(_, means)| means), Some(Is(Command)));
        assert_eq!(look_up("Command"), None);
        assert!(starts_an_entry("serverUrl") && !starts_an_entry("type"));
    }
}
