//! Durations as people write them: `"500ms"`, `"30s"`, `"10m"`, `"1h"`, and numbers whose unit must be guessed.
//!
//! No fractions in texts, no sums: one way to write each value.

use crate::config::check::read::wrong;
use crate::config::dialect::entry::Given;
use crate::config::finding::Findings;
use crate::config::syntax::Node;
use crate::config::syntax::Value;
use std::time::Duration;

/// Longest duration accepted: long enough for `forever`, short enough to be added to any instant.
pub const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a bare number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bare {
    /// Milliseconds, as the key says.
    Millis,
    /// Seconds, as the key says.
    Seconds,
    /// Seconds below 1000, else milliseconds: half of all clients mean the one, half the other.
    Guess,
    /// The same, but the key is our own and has a better way to be written.
    GuessAndWarn,
    /// Nothing: a unit is needed.
    Refuse,
}

/// `"30s"` → 30 seconds.
///
/// ```
/// use mcp_manifold::config::check::duration::parse;
/// use std::time::Duration;
/// assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
/// assert_eq!(parse("1h"), Some(Duration::from_secs(3600)));
/// assert_eq!(parse("30"), None);
/// ```
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let millis = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let duration = Duration::from_millis(number.checked_mul(millis)?);
    (duration <= LONGEST).then_some(duration)
}

/// The duration a key of an entry gives; never zero.
pub fn of_key(given: Given<'_>, bare: Bare, findings: &mut Findings) -> Option<Duration> {
    let duration = of_node(given.written, given.node, bare, findings)?;
    if duration.is_zero() {
        findings.error(given.node.start, format!("`{}` must be more than nothing", given.written));
        return None;
    }
    Some(duration)
}

/// The duration a value gives.
pub fn of_node(key: &str, node: &Node, bare: Bare, findings: &mut Findings) -> Option<Duration> {
    match &node.value {
        Value::Text(text) => {
            let duration = parse(text);
            if duration.is_none() {
                let text = format!("`{key}` is not a duration");
                findings.error(node.start, text).hint("write `\"500ms\"`, `\"30s\"`, `\"10m\"` or `\"1h\"`");
            }
            duration
        }
        Value::Number(written) if bare != Bare::Refuse => {
            let number: f64 = written.parse().unwrap_or(f64::NAN);
            let seconds = match bare {
                Bare::Millis => number / 1000.0,
                Bare::Guess | Bare::GuessAndWarn if number >= 1000.0 => number / 1000.0,
                _ => number,
            };
            let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| *duration <= LONGEST);
            match duration {
                Some(duration) => tell_guess(key, node, (number, duration), bare, findings),
                None => {
                    findings.error(node.start, format!("`{key}` is not a duration"));
                }
            }
            duration
        }
        Value::Number(_) => {
            findings.error(node.start, format!("`{key}` needs a unit")).hint("write it like `\"30s\"`");
            None
        }
        _ => wrong(key, node, "a duration like `\"30s\"`", findings),
    }
}

fn tell_guess(key: &str, node: &Node, read: (f64, Duration), bare: Bare, findings: &mut Findings) {
    let (number, duration) = read;
    let text = format!("`{key}` is read as {duration:?}");
    match bare {
        Bare::Guess if (1000.0..=3600.0).contains(&number) => {
            let hint = "some clients mean seconds: write `callTimeout` with a unit to be sure";
            findings.warn(node.start, text).hint(hint);
        }
        Bare::Guess => {
            findings.note(node.start, text);
        }
        Bare::GuessAndWarn => findings.warn(node.start, text).hint("write the unit: `\"30s\"`, `\"500ms\"`"),
        Bare::Millis | Bare::Seconds | Bare::Refuse => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::problem::Severity;

    #[test]
    fn texts_need_a_known_unit_and_a_whole_number() {
        for text in ["", "s", "30", "1.5s", "-1s", "30 s", "30S", "1h30m", "99999999999999999999s", "366d"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("365d"), Some(LONGEST));
    }

    #[test]
    fn bare_numbers_follow_the_rule() {
        let read = |number: &str, bare| {
            let node = Node { start: 0, end: 0, value: Value::Number(number.to_owned()) };
            let mut findings = Findings::default();
            let millis = of_node("timeout", &node, bare, &mut findings).map(|d| d.as_millis());
            (millis, findings.into_list().first().map(|finding| finding.severity))
        };
        assert_eq!(read("60", Bare::Guess), (Some(60_000), Some(Severity::Note)));
        assert_eq!(read("999", Bare::Guess), (Some(999_000), Some(Severity::Note)));
        assert_eq!(read("1000", Bare::Guess), (Some(1000), Some(Severity::Warning)));
        assert_eq!(read("3600", Bare::Guess), (Some(3600), Some(Severity::Warning)));
        assert_eq!(read("60000", Bare::Guess), (Some(60_000), Some(Severity::Note)));
        assert_eq!(read("60", Bare::GuessAndWarn), (Some(60_000), Some(Severity::Warning)));
        assert_eq!(read("250", Bare::Millis), (Some(250), None));
        assert_eq!(read("2.5", Bare::Seconds), (Some(2500), None));
        assert_eq!(read("2", Bare::Refuse), (None, Some(Severity::Error)));
        assert_eq!(read("-2", Bare::Seconds), (None, Some(Severity::Error)));
        assert_eq!(read("1e300", Bare::Millis), (None, Some(Severity::Error)));
    }
}
