//! One entry of the file → [`Server`], or why it is left out.
//!
//! It knows nothing of the other entries.

use crate::config::check::checks;
use crate::config::check::filter;
use crate::config::check::kind;
use crate::config::check::kind::Kind;
use crate::config::check::life;
use crate::config::check::life::Defaults;
use crate::config::check::process;
use crate::config::check::read;
use crate::config::check::remote;
use crate::config::check::settings::exposable;
use crate::config::check::tool_terms;
use crate::config::check::written;
use crate::config::dialect::alias::Key;
use crate::config::dialect::entry::Entry;
use crate::config::dialect::entry::Raw;
use crate::config::expand::Scope;
use crate::config::finding::Findings;
use crate::config::lockfile::Pins;
use crate::config::model::EraChoice;
use crate::config::model::Server;
use crate::config::model::Sharing;
use crate::config::model::Transport;
use crate::config::model::Wire;
use crate::config::syntax::Value;
use crate::name::ServerName;
use crate::protocol::version::Era;

/// What becomes of an entry.
#[derive(Debug)]
pub enum Verdict {
    /// It is in use.
    Use(Box<Server>),
    /// It is not, for this reason.
    LeaveOut(String),
}

/// Checks one entry and adds what is wrong to `findings`.
pub fn check(
    raw: Raw<'_>,
    name: ServerName,
    scope: &mut Scope<'_>,
    defaults: &Defaults,
    findings: &mut Findings,
) -> Verdict {
    let mut own = Findings::default();
    let server = if raw.node.is_object() {
        let entry = Entry::new(raw, &mut own);
        if is_off(&entry, &mut own) {
            // A disabled entry may be half filled in: only its keys are looked at.
            findings.append(own);
            return Verdict::LeaveOut("disabled".to_owned());
        }
        server(&entry, name, scope, defaults, &mut own)
    } else {
        own.error(raw.node.start, format!("an entry must be an object, not {}", raw.node.kind()));
        None
    };
    scope.own.clear();
    let verdict = match (own.first_error(), server) {
        (None, Some(server)) => Verdict::Use(Box::new(server)),
        (Some(error), _) => Verdict::LeaveOut(error.text.clone()),
        (None, None) => Verdict::LeaveOut("it cannot be used".to_owned()),
    };
    findings.append(own);
    verdict
}

fn server(
    entry: &Entry<'_>,
    name: ServerName,
    scope: &mut Scope<'_>,
    defaults: &Defaults,
    findings: &mut Findings,
) -> Option<Server> {
    let transport = match kind::check(entry, findings) {
        Some(Kind::Stdio) => process::check(entry, scope, findings).map(Transport::Stdio),
        Some(Kind::Http(wire)) => remote::check(entry, wire, scope, findings).map(Transport::Http),
        None => None,
    };
    let old = matches!(&transport, Some(Transport::Http(http)) if http.wire == Wire::Sse);
    let life = life::check(entry, defaults, findings);
    let (prefix, era, tools) =
        (prefix(entry, findings), era(entry, old, findings), filter::check(entry, findings));
    refuse_what_is_missing(entry, findings);
    let transport = transport?;
    let written = written::digest(entry, &transport, scope);
    Some(Server {
        name,
        transport,
        prefix,
        description: entry.get(Key::Description).and_then(|given| read::text(given, findings)).map(one_line),
        tools,
        era,
        call_timeout: life.call_timeout,
        max_call_time: life.max_call_time,
        retry: tool_terms::retry(entry, findings),
        tool_terms: tool_terms::check(entry, findings),
        start_timeout: life.start_timeout,
        list_timeout: life.list_timeout,
        idle_timeout: life.idle_timeout,
        stop: life.stop,
        max_in_flight: life.max_in_flight,
        sharing: sharing(entry, findings),
        stuck_after: life.stuck_after,
        breaker: defaults.breaker,
        pins: Pins { written, ..Pins::default() },
        checks: checks::check(entry, findings),
    })
}

fn is_off(entry: &Entry<'_>, findings: &mut Findings) -> bool {
    let disabled = entry.get(Key::Disabled).and_then(|given| read::flag(given, findings));
    let enabled = entry.get(Key::Enabled).and_then(|given| read::flag(given, findings));
    if disabled.is_some() && disabled == enabled {
        findings.warn(entry.at, "`disabled` and `enabled` contradict each other; it is off");
    }
    disabled == Some(true) || enabled == Some(false)
}

fn prefix(entry: &Entry<'_>, findings: &mut Findings) -> Option<String> {
    let given = entry.get(Key::Prefix)?;
    if given.node.value == Value::Bool(false) {
        return Some(String::new());
    }
    let text = read::text(given, findings)?;
    if !exposable(text) || text.len() > 64 {
        let words = format!("`{}` must be at most 64 of `A-Z a-z 0-9 _ -`", given.written);
        findings.error(given.node.start, words);
    }
    Some(text.to_owned())
}

fn era(entry: &Entry<'_>, old: bool, findings: &mut Findings) -> EraChoice {
    let Some(given) = entry.get(Key::Era) else { return EraChoice::Auto };
    match given.node.text() {
        Some("auto") => EraChoice::Auto,
        Some("legacy") => EraChoice::Always(Era::Legacy),
        Some("modern") if old => {
            let text =
                format!("`{}` cannot be `modern`: HTTP+SSE is a transport of 2024-11-05", given.written);
            findings.error(given.node.start, text);
            EraChoice::Auto
        }
        Some("modern") => EraChoice::Always(Era::Modern),
        _ => {
            let text = format!("`{}` must be `auto`, `legacy` or `modern`", given.written);
            findings.error(given.node.start, text);
            EraChoice::Auto
        }
    }
}

fn sharing(entry: &Entry<'_>, findings: &mut Findings) -> Sharing {
    let Some(given) = entry.get(Key::Sharing) else { return Sharing::Auto };
    match given.node.text() {
        Some("auto") => Sharing::Auto,
        Some("shared") => Sharing::Shared,
        Some("per-session") => Sharing::PerSession,
        Some("per-call") => Sharing::PerCall,
        _ => {
            let text = format!("`{}` must be `auto`, `shared`, `per-session` or `per-call`", given.written);
            findings.error(given.node.start, text);
            Sharing::Auto
        }
    }
}

/// Settings that promise a protection that is not there: refused, or told loudly.
fn refuse_what_is_missing(entry: &Entry<'_>, findings: &mut Findings) {
    if let Some(given) = entry.get(Key::Sandbox)
        && given.node.value != Value::Bool(false)
    {
        let text = format!("`{}` has no effect: this server runs WITHOUT a sandbox", given.written);
        findings.warn(given.at, text).hint("run it in a container if it must be confined");
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
