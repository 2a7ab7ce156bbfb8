//! Wall-clock time in the two forms that Kratos prints: seconds for text logs, nanoseconds for JSON.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, as `2026-11-22T10:23:20Z`.
pub fn seconds() -> String {
    let (seconds, _) = now();
    format!("{}Z", date_time(seconds))
}

/// Now, as `2026-11-22T10:23:20.123456789Z` without trailing zeros in the fraction.
pub fn nanoseconds() -> String {
    after(0)
}

/// The instant `from_now` seconds after now, with nanoseconds.
pub fn after(from_now: u64) -> String {
    let (seconds, nanos) = now();
    let fraction = format!("{nanos:09}");
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{}{dot}{fraction}Z", date_time(seconds + from_now))
}

fn now() -> (u64, u32) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_secs(), now.subsec_nanos())
}

/// Seconds since 1970 to a date, by the days-to-civil rule of the proleptic Gregorian calendar.
fn date_time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::date_time;

    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(date_time(0), "1970-01-01T00:00:00");
        assert_eq!(date_time(951_782_400), "2000-02-29T00:00:00");
        assert_eq!(date_time(1_795_343_000), "2026-11-22T10:23:20");
        assert_eq!(date_time(1_798_761_599), "2026-12-31T23:59:59");
    }
}
