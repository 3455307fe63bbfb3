//! How long things may take and how many at once, for one entry.
//!
//! It only reads the numbers; `downstream` keeps them.

use crate::config::check::duration;
use crate::config::check::duration::Bare;
use crate::config::check::read;
use crate::config::check::section::Section;
use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::dialect::entry::Given;
use crate::config::finding::Findings;
use crate::config::model::StopGrace;
use crate::config::model::defaults;
use crate::config::model::terms::BreakerTerms;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Range of `maxInFlight`.
pub const IN_FLIGHT: RangeInclusive<usize> = 1..=65_536;

/// What holds for an entry that does not say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// For one call.
    pub call_timeout: Duration,
    /// For one call, whatever progress it reports.
    pub max_call_time: Duration,
    /// When calls are refused because a server keeps failing.
    pub breaker: BreakerTerms,
    /// For starting.
    pub start_timeout: Duration,
    /// Until an idle server is stopped; `None` is never.
    pub idle_timeout: Option<Duration>,
    /// Calls at once.
    pub max_in_flight: usize,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            call_timeout: defaults::CALL_TIMEOUT,
            max_call_time: defaults::MAX_CALL_TIME,
            breaker: BreakerTerms::default(),
            start_timeout: defaults::START_TIMEOUT,
            idle_timeout: Some(defaults::IDLE_TIMEOUT),
            max_in_flight: defaults::MAX_IN_FLIGHT,
        }
    }
}

/// The times and counts of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// For one call.
    pub call_timeout: Duration,
    /// For one call, whatever progress it reports.
    pub max_call_time: Duration,
    /// For a child that does not read; `None` is never.
    pub stuck_after: Option<Duration>,
    /// For starting.
    pub start_timeout: Duration,
    /// For reading the lists.
    pub list_timeout: Duration,
    /// Until it is stopped when idle; `None` is never.
    pub idle_timeout: Option<Duration>,
    /// Waits while it is stopped.
    pub stop: StopGrace,
    /// Calls at once.
    pub max_in_flight: usize,
}

/// Reads them; what is wrong is told and the default taken.
pub fn check(entry: &Entry<'_>, otherwise: &Defaults, findings: &mut Findings) -> Life {
    let (plain_start, plain_call) = plain(entry, findings);
    let call = [
        (Key::CallTimeout, Bare::GuessAndWarn),
        (Key::CallTimeoutMs, Bare::Millis),
        (Key::CallTimeoutSec, Bare::Seconds),
    ];
    let start = [
        (Key::StartTimeout, Bare::GuessAndWarn),
        (Key::StartTimeoutMs, Bare::Millis),
        (Key::StartTimeoutSec, Bare::Seconds),
    ];
    let list = [(Key::ListTimeout, Bare::GuessAndWarn)];
    let call_timeout = first(entry, &call, findings).or(plain_call).unwrap_or(otherwise.call_timeout);
    let longest = [(Key::MaxCallTime, Bare::GuessAndWarn)];
    Life {
        call_timeout,
        max_call_time: first(entry, &longest, findings).unwrap_or(otherwise.max_call_time.max(call_timeout)),
        stuck_after: stuck_after(entry, findings).unwrap_or(Some(defaults::STUCK_AFTER)),
        start_timeout: first(entry, &start, findings).or(plain_start).unwrap_or(otherwise.start_timeout),
        list_timeout: first(entry, &list, findings).unwrap_or(defaults::LIST_TIMEOUT),
        idle_timeout: idle_timeout(entry, findings).unwrap_or(otherwise.idle_timeout),
        stop: stop_grace(entry, findings),
        max_in_flight: max_in_flight(entry, findings).unwrap_or(otherwise.max_in_flight),
    }
}

fn first(entry: &Entry<'_>, keys: &[(Key, Bare)], findings: &mut Findings) -> Option<Duration> {
    let mut given = keys.iter().filter_map(|(key, bare)| Some((entry.get(*key)?, *bare)));
    let (winner, bare) = given.next()?;
    for (loser, _) in given {
        let text = format!("`{}` is ignored, because `{}` is given", loser.written, winner.written);
        findings.warn(loser.at, text);
    }
    duration::of_key(winner, bare, findings)
}

/// Plain `timeout`: a number for a call, or `{startup, request}` in milliseconds.
fn plain(entry: &Entry<'_>, findings: &mut Findings) -> (Option<Duration>, Option<Duration>) {
    let Some(given) = entry.get(Key::Timeout) else { return (None, None) };
    if !given.node.is_object() {
        return (None, duration::of_key(given, Bare::Guess, findings));
    }
    let mut section = Section::new("timeout", Some(given.node), findings);
    let mut part = |key: &'static str| {
        let node = section.get(key)?;
        duration::of_key(Given { node, written: key, ..given }, Bare::Millis, findings)
    };
    let both = (part("startup"), part("request"));
    section.finish(findings);
    both
}

fn idle_timeout(entry: &Entry<'_>, findings: &mut Findings) -> Option<Option<Duration>> {
    if let Some(given) = entry.get(Key::IdleTimeout) {
        return idle(given.written, given.node, Bare::GuessAndWarn, findings);
    }
    let given = entry.get(Key::Lifecycle)?;
    let mode = given.node.get("mode").map_or(given.node, |member| &member.node);
    match mode.text() {
        Some("keep-alive") => Some(None),
        Some("ephemeral") => None,
        _ => {
            let text = format!("`{}` must be `keep-alive` or `ephemeral`", given.written);
            findings.warn(mode.start, text).hint("or write `idleTimeout`");
            None
        }
    }
}

fn stuck_after(entry: &Entry<'_>, findings: &mut Findings) -> Option<Option<Duration>> {
    let given = entry.get(Key::StuckAfter)?;
    idle(given.written, given.node, Bare::GuessAndWarn, findings)
}

/// A duration, `"never"` or `false`.
pub fn idle(key: &str, node: &Node, bare: Bare, findings: &mut Findings) -> Option<Option<Duration>> {
    if node.value == Value::Bool(false) || node.text() == Some("never") {
        return Some(None);
    }
    let duration = duration::of_node(key, node, bare, findings)?;
    if duration.is_zero() {
        findings
            .error(node.start, format!("`{key}` must be more than nothing"))
            .hint("write `\"never\"` for no limit");
        return None;
    }
    Some(Some(duration))
}

fn stop_grace(entry: &Entry<'_>, findings: &mut Findings) -> StopGrace {
    let mut stop = StopGrace::default();
    let mut section = Section::new("stopGrace", entry.get(Key::StopGrace).map(|given| given.node), findings);
    section.duration("eof", &mut stop.eof, Duration::ZERO, findings);
    section.duration("term", &mut stop.term, Duration::ZERO, findings);
    section.finish(findings);
    stop
}

fn max_in_flight(entry: &Entry<'_>, findings: &mut Findings) -> Option<usize> {
    if let Some(given) = entry.get(Key::MaxInFlight) {
        return read::count(given.written, given.node, IN_FLIGHT, findings);
    }
    let parallel = read::flag(entry.get(Key::Parallel)?, findings)?;
    (!parallel).then_some(1)
}
