//! Moments as people write them: `2027-01-31` or `2027-01-31T12:00:00Z` (RFC 3339).
//!
//! It knows no time zones but offsets.

use chrono::DateTime;
use chrono::NaiveDate;
use chrono::NaiveTime;
use chrono::SecondsFormat;

/// As long as `2027-01-31`, in bytes.
const DAY: usize = 10;

/// Seconds since 1970 of `text`; a day without a time means its end, in UTC. `None` for what is no such date after 1970.
///
/// ```
/// use mcp_manifold::config::date::parse;
/// assert_eq!(parse("1970-01-01"), Some(86_400));
/// assert_eq!(parse("2027-01-31T12:00:00+01:00"), parse("2027-01-31T11:00:00Z"));
/// assert_eq!(parse("2027-02-29"), None);
/// ```
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    if text.len() == DAY {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        let start = u64::try_from(day.and_time(NaiveTime::MIN).and_utc().timestamp()).ok()?;
        return start.checked_add(24 * 3600);
    }
    u64::try_from(DateTime::parse_from_rfc3339(text).ok()?.timestamp()).ok()
}

/// `seconds` since 1970 as `2027-01-31T12:00:00Z`. What lies beyond the year 262,000 is the last moment before.
#[must_use]
pub fn show(seconds: u64) -> String {
    let moment = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    moment.unwrap_or(DateTime::<chrono::Utc>::MAX_UTC).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_back_as_they_were_written() {
        for text in
            ["1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "2026-11-21T13:00:00Z", "2100-03-01T00:00:00Z"]
        {
            assert_eq!(show(parse(text).unwrap()), text);
        }
        assert_eq!(parse("2026-11-21T13:00:00Z"), Some(1_795_266_000));
        assert_eq!(show(parse("2026-12-31").unwrap()), "2027-01-01T00:00:00Z");
        assert_eq!(parse("2026-11-21T13:00:00.5Z"), parse("2026-11-21t13:00:00z"));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "x",
            "2026",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "2026-04-31",
            "26-01-01",
            "2026-1-1",
            "2026-01-01T",
            "2026-01-01T10:00",
            "2026-01-01T10:00:00",
            "2026-01-01T24:00:00Z",
            "2026-01-01T10:00:00+1",
            "1969-01-01",
            "2026-01-01-01",
            "+026-01-01",
            "2026-01-01Té",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
