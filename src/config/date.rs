//! Moments as people write them: `2027-01-31` or `2027-01-31T12:00:00Z` (RFC 3339).
//!
//! It knows no time zones but offsets, and no leap seconds.

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
    let (day, time) = match text.split_once(['T', 't', ' ']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let start = days(day)?.checked_mul(86_400)?;
    let seconds = match time {
        None => 86_400,
        Some(time) => of_time(time)?,
    };
    u64::try_from(start.checked_add(seconds)?).ok()
}

/// `seconds` since 1970 as `2027-01-31T12:00:00Z`.
#[must_use]
pub fn show(seconds: u64) -> String {
    let (days, rest) = (i64::try_from(seconds / 86_400).unwrap_or(i64::MAX / 2), seconds % 86_400);
    // Howard Hinnant, "chrono-compatible low-level date algorithms": eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Days since 1970.
fn days(day: &str) -> Option<i64> {
    let mut parts = day.split('-');
    let (year, month, of_month) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(of_month, 2)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return None,
    };
    if year < 1970 || day == 0 || day > longest {
        return None;
    }
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (shifted_year.div_euclid(400), shifted_year.rem_euclid(400));
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    Some(era * 146_097 + of_era - 719_468)
}

/// Seconds since midnight in UTC.
fn of_time(time: &str) -> Option<i64> {
    let (clock, offset) = match time.find(['Z', 'z', '+', '-'])? {
        at if matches!(&time[at..], "Z" | "z") => (&time[..at], 0),
        at => {
            let sign = if time[at..].starts_with('+') { 1 } else { -1 };
            let (hours, minutes) = time.get(at + 1..)?.split_once(':')?;
            (&time[..at], sign * (number(hours, 2)? * 3600 + number(minutes, 2)? * 60))
        }
    };
    let clock = match clock.split_once('.') {
        Some((clock, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => clock,
        Some(_) => return None,
        None => clock,
    };
    let mut parts = clock.split(':');
    let (hours, minutes) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let seconds = number(parts.next()?, 2)?;
    let fits = parts.next().is_none() && hours < 24 && minutes < 60 && seconds < 60;
    fits.then_some(hours * 3600 + minutes * 60 + seconds - offset)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let fits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| fits)
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
