//! `gateway.rates` → how often something may be called.
//!
//! A rate is written `"100/1m"`: so many calls in a time.

use crate::config::check::access::members;
use crate::config::check::access::warn_of_nobody;
use crate::config::check::duration;
use crate::config::check::read::wrong;
use crate::config::check::section::Section;
use crate::config::finding::Findings;
use crate::config::model::rates::Rate;
use crate::config::model::rates::RateTable;
use crate::config::model::rates::RateTerms;
use crate::config::model::rates::Rates;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

const MANY: RangeInclusive<usize> = 1..=1_000_000_000;

/// Reads the section.
pub fn check(mut section: Section<'_>, findings: &mut Findings) -> Rates {
    let mut rates = Rates::default();
    let tables = [
        ("perCaller", "callers", true, &mut rates.callers),
        ("perTeam", "teams", false, &mut rates.teams),
        ("perServer", "servers", false, &mut rates.servers),
    ];
    for (each, named, of_caller, table) in tables {
        *table = RateTable {
            each: section.get(each).map(|node| terms(&section.name(each), node, of_caller, findings)),
            named: Vec::new(),
        };
        let path = section.name(named);
        for member in members(&path, section.get(named), findings) {
            let path = format!("{path}.{}", member.key);
            if of_caller {
                warn_of_nobody(&path, &member.key, member.at, findings);
            }
            table.named.push((member.key.clone(), terms(&path, &member.node, of_caller, findings)));
        }
    }
    section.finish(findings);
    rates
}

fn terms(path: &str, node: &Node, of_caller: bool, findings: &mut Findings) -> RateTerms {
    if let Value::Text(_) = node.value {
        return RateTerms { rate: rate(path, node, findings), ..RateTerms::default() };
    }
    if !node.is_object() {
        wrong::<()>(path, node, "a rate like `\"100/1m\"`, or an object", findings);
        return RateTerms::default();
    }
    let mut section = Section::new(path, Some(node), findings);
    let mut terms = RateTerms::default();
    let written = section.get("rate");
    terms.rate = written.and_then(|node| rate(&section.name("rate"), node, findings));
    let mut burst = 0;
    section.count("burst", &mut burst, 1..=1_000_000, findings);
    match (&mut terms.rate, NonZeroU32::new(u32::try_from(burst).unwrap_or(u32::MAX))) {
        (Some(rate), Some(burst)) => rate.burst = burst,
        (None, Some(_)) if written.is_none() => {
            findings.error(node.start, format!("`{path}` has a `burst` without a `rate`"));
        }
        _ => {}
    }
    let (mut per_day, mut in_flight) = (0, 0);
    section.count("perDay", &mut per_day, MANY, findings);
    terms.per_day = u64::try_from(per_day).ok().filter(|calls| *calls > 0);
    if of_caller {
        section.count("inFlight", &mut in_flight, MANY, findings);
        terms.in_flight = Some(in_flight).filter(|calls| *calls > 0);
    }
    section.finish(findings);
    terms
}

fn rate(path: &str, node: &Node, findings: &mut Findings) -> Option<Rate> {
    let Some(text) = node.text() else { return wrong(path, node, "a rate like `\"100/1m\"`", findings) };
    let read = text.split_once('/').and_then(|(calls, within)| {
        let calls: NonZeroU32 = calls.trim().parse().ok()?;
        let within = duration::parse(within.trim()).filter(|within| !within.is_zero())?;
        // Less than a nanosecond for each cannot be told apart.
        (within.as_nanos() >= u128::from(calls.get())).then_some(Rate { calls, within, burst: calls })
    });
    if read.is_none() {
        let text = format!("`{path}` must be calls in a time, like `\"100/1m\"` or `\"5/1s\"`");
        findings.error(node.start, text);
    }
    read
}
