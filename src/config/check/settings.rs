//! The `gateway` section → [`Settings`], and what it says for all entries.
//!
//! An error here means that the file is not used: half a set of limits would be worse than the old one.

use crate::config::check::access;
use crate::config::check::agents;
use crate::config::check::audit;
use crate::config::check::auth;
use crate::config::check::callers;
use crate::config::check::duration::Bare;
use crate::config::check::egress;
use crate::config::check::life;
use crate::config::check::life::Defaults;
use crate::config::check::lock;
use crate::config::check::rates;
use crate::config::check::read;
use crate::config::check::section::Section;
use crate::config::check::weak;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::finding::Findings;
use crate::config::model::HttpSettings;
use crate::config::model::Limits;
use crate::config::model::Naming;
use crate::config::model::Settings;
use crate::config::model::WatchSettings;
use crate::config::model::access::Access;
use crate::config::model::terms::BreakerTerms;
use crate::config::model::terms::longest_for;
use crate::config::syntax::Node;
use crate::secret::Secret;
use std::sync::Arc;
use std::time::Duration;

const MOMENT: Duration = Duration::from_millis(10);
const SHORTEST_TOKEN: usize = 16;

/// Reads the section.
pub fn check(node: Option<&Node>, scope: &mut Scope<'_>, findings: &mut Findings) -> (Settings, Defaults) {
    let (mut settings, mut defaults) = (Settings::default(), Defaults::default());
    let mut section = Section::new("gateway", node, findings);

    naming(section.inner("naming", findings), &mut settings.naming, findings);
    limits(section.inner("limits", findings), &mut settings.limits, findings);
    let tokens = http(section.inner("http", findings), &mut settings.http, scope, findings);
    let mut auth = auth::check(section.inner("auth", findings), tokens, scope, findings);
    settings.callers = callers::check(&mut section, findings);
    watch(section.inner("watch", findings), &mut settings.watch, findings);
    egress::check(section.inner("egress", findings), &mut settings.egress, findings);
    breaker(section.inner("breaker", findings), &mut defaults.breaker, findings);
    settings.access = access::check(section.get("access"), findings);
    auth.keep(settings.access.as_ref().map(Access::claims).unwrap_or_default());
    settings.auth = Arc::new(auth);
    settings.rules = agents::check(section.get("rules"), scope, findings);
    settings.rates = rates::check(section.inner("rates", findings), findings);
    section.duration("listTimeout", &mut settings.list_timeout, MOMENT, findings);
    section.duration("answerTimeout", &mut settings.answer_timeout, MOMENT, findings);
    section.duration("drainTimeout", &mut settings.drain_timeout, Duration::ZERO, findings);
    settings.lock = lock::mode(&mut section, findings);
    settings.audit = audit::check(&mut section, scope, findings);
    section.flag("share", &mut settings.share, findings);
    section.duration("linger", &mut settings.linger, Duration::ZERO, findings);
    settings.instructions = section.text("instructions", findings).and_then(Node::text).map(str::to_owned);

    section.duration("toolTimeout", &mut defaults.call_timeout, MOMENT, findings);
    section.duration("callTimeout", &mut defaults.call_timeout, MOMENT, findings);
    defaults.max_call_time = longest_for(defaults.call_timeout);
    section.duration("maxCallTime", &mut defaults.max_call_time, MOMENT, findings);
    section.duration("startTimeout", &mut defaults.start_timeout, MOMENT, findings);
    section.count("maxInFlight", &mut defaults.max_in_flight, life::IN_FLIGHT, findings);
    if let Some(node) = section.get("idleTimeout") {
        let name = section.name("idleTimeout");
        defaults.idle_timeout = life::idle(&name, node, Bare::Refuse, findings).unwrap_or_default();
    }
    section.finish(findings);
    (settings, defaults)
}

fn naming(mut section: Section<'_>, naming: &mut Naming, findings: &mut Findings) {
    if let Some((node, text)) =
        section.text("separator", findings).and_then(|node| Some((node, node.text()?)))
    {
        if text.is_empty() || text.len() > 8 || !exposable(text) {
            let text = "`gateway.naming.separator` must be 1 to 8 of `A-Z a-z 0-9 _ -`";
            findings.error(node.start, text);
        }
        text.clone_into(&mut naming.separator);
    }
    if let Some((node, text)) = section.text("template", findings).and_then(|node| Some((node, node.text()?)))
    {
        let rest = text.replacen("{tool}", "", 1).replacen("{server}", "", 1);
        if !text.contains("{tool}") || !exposable(&rest) {
            findings
                .error(
                    node.start,
                    "`gateway.naming.template` must hold `{tool}` and otherwise only `A-Z a-z 0-9 _ -`",
                )
                .hint("for example `mcp_{server}__{tool}`");
        }
        naming.template = Some(text.to_owned());
    }
    section.count("maxLength", &mut naming.max_length, 16..=128, findings);
    section.finish(findings);
}

/// True when every character may stand in an exposed name.
#[must_use]
pub fn exposable(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn limits(mut section: Section<'_>, limits: &mut Limits, findings: &mut Findings) {
    const BYTES: std::ops::RangeInclusive<usize> = 4096..=1 << 30;
    const MANY: std::ops::RangeInclusive<usize> = 1..=1_000_000;
    section.count("messageBytes", &mut limits.message_bytes, BYTES, findings);
    section.count("depth", &mut limits.depth, 8..=1024, findings);
    section.count("inFlightPerClient", &mut limits.in_flight_per_client, MANY, findings);
    section.count("inFlightPerCaller", &mut limits.in_flight_per_caller, MANY, findings);
    section.count("inFlightTotal", &mut limits.in_flight_total, MANY, findings);
    section.count("startsAtOnce", &mut limits.starts_at_once, 1..=1024, findings);
    section.count("clientQueueBytes", &mut limits.client_queue_bytes, BYTES, findings);
    section.count("serverQueueBytes", &mut limits.server_queue_bytes, BYTES, findings);
    section.count("listItems", &mut limits.list_items, MANY, findings);
    section.count("listPages", &mut limits.list_pages, MANY, findings);
    section.count("listBytes", &mut limits.list_bytes, BYTES, findings);
    section.count("pageSize", &mut limits.page_size, MANY, findings);
    section.count("privateConnections", &mut limits.private_connections, MANY, findings);
    section.count("parkedPerCaller", &mut limits.parked_per_caller, MANY, findings);
    section.count("parkedTotal", &mut limits.parked_total, MANY, findings);
    section.count("subscriptionsPerClient", &mut limits.subscriptions_per_client, MANY, findings);
    section.finish(findings);
}

/// The tokens are told apart from the rest.
fn http(
    mut section: Section<'_>,
    http: &mut HttpSettings,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Vec<Secret> {
    for (host, at) in section.texts("allowedHosts", findings) {
        if host.is_empty() || host.contains(['/', ' ', '*', '@']) {
            let text = "`gateway.http.allowedHosts` holds something that is not `host` or `host:port`";
            findings.error(at, text);
        }
        http.allowed_hosts.push(host.to_ascii_lowercase());
    }
    for (origin, at) in section.texts("allowedOrigins", findings) {
        if !is_origin(origin) {
            let text = "`gateway.http.allowedOrigins` holds something that is not `scheme://host[:port]`";
            findings
                .error(at, text)
                .hint("without a path or a `/` at the end; `*` and `null` are not accepted");
        }
        http.allowed_origins.push(origin.to_ascii_lowercase());
    }
    let mut tokens = Vec::new();
    for (written, at) in section.texts("bearerTokens", findings) {
        let Some(token) = read::expanded(written, at, scope, Style::default(), findings) else { continue };
        if let Some(fault) = weak::fault(&token.value, SHORTEST_TOKEN) {
            findings
                .error(at, format!("a bearer token {fault}"))
                .hint("make one with `openssl rand -hex 32`");
        }
        tokens.push(Secret::new(token.value));
    }
    section.duration("headerTimeout", &mut http.header_timeout, MOMENT, findings);
    section.duration("bodyTimeout", &mut http.body_timeout, MOMENT, findings);
    section.duration("sessionIdle", &mut http.session_idle, Duration::from_secs(1), findings);
    section.count("maxSessions", &mut http.max_sessions, 1..=10_000_000, findings);
    section.count("maxSessionsPerCaller", &mut http.max_sessions_per_caller, 1..=10_000_000, findings);
    section.count("maxConnections", &mut http.max_connections, 1..=1_000_000, findings);
    section.count("replayBytes", &mut http.replay_bytes, 0..=1 << 30, findings);
    section.flag("sse", &mut http.sse, findings);
    section.flag("websocket", &mut http.websocket, findings);
    section.finish(findings);
    tokens
}

fn is_origin(origin: &str) -> bool {
    origin.split_once("://").is_some_and(|(scheme, host)| {
        !scheme.is_empty()
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b))
            && !host.is_empty()
            && !host.contains(['/', '?', '#', '@', '*', ' '])
    })
}

fn breaker(mut section: Section<'_>, breaker: &mut BreakerTerms, findings: &mut Findings) {
    let mut failures = breaker.failures as usize;
    section.count("failures", &mut failures, 0..=1_000_000, findings);
    breaker.failures = u32::try_from(failures).unwrap_or(breaker.failures);
    section.duration("pause", &mut breaker.pause, MOMENT, findings);
    breaker.max_pause = breaker.max_pause.max(breaker.pause);
    section.duration("maxPause", &mut breaker.max_pause, MOMENT, findings);
    section.finish(findings);
}

fn watch(mut section: Section<'_>, watch: &mut WatchSettings, findings: &mut Findings) {
    section.duration("debounce", &mut watch.debounce, Duration::ZERO, findings);
    section.duration("poll", &mut watch.poll, Duration::from_millis(50), findings);
    section.finish(findings);
}
