//! A moment as RFC 3339 writes it, in UTC with milliseconds.
//!
//! It parses nothing.

use chrono::DateTime;
use chrono::SecondsFormat;
use std::time::SystemTime;

/// `2026-11-21T13:10:00.123Z`. What lies before 1970 is 1970.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let moment = i64::try_from(since.as_millis()).ok().and_then(DateTime::from_timestamp_millis);
    moment.unwrap_or(DateTime::<chrono::Utc>::MAX_UTC).to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn known_moments() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_266_600_123, "2026-11-21T13:10:00.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_millis(millis)), text);
        }
    }
}
