//! Wall-clock stamps in the form that Pebble writes them: RFC 3339, UTC, up to nine fractional digits without trailing zeros.
//!
//! It is given nanoseconds since 1970 and gives text (and back); no calendar crate is needed for that much.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub i64);

impl Stamp {
    /// The present.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// `2026-11-22T10:12:55Z`: cut to whole seconds, as task logs and file listings have it.
    #[must_use]
    pub fn seconds(self) -> String {
        Self(self.0.div_euclid(SECOND) * SECOND).to_string()
    }

    /// Cut to milliseconds, as service logs have it.
    #[must_use]
    pub fn milliseconds(self) -> String {
        Self(self.0.div_euclid(1_000_000) * 1_000_000).to_string()
    }

    /// Reads an RFC 3339 time with `Z` or a numeric offset; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once('T')?;
        let mut parts = date.splitn(3, '-').map(str::parse::<i64>);
        let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
        let zone = rest.find(['Z', '+', '-'])?;
        let (clock, zone) = rest.split_at(zone);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let mut parts = clock.splitn(3, ':').map(str::parse::<i64>);
        let (hour, minute, second) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let nanoseconds: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
        let offset = if zone == "Z" {
            0
        } else {
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let size = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
            if zone.starts_with('-') { -size } else { size }
        };
        let seconds = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
        seconds.checked_mul(SECOND).map(|whole| Self(whole + nanoseconds))
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date (year, month, day) that lies so many days after 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted - era * 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

impl From<SystemTime> for Stamp {
    fn from(time: SystemTime) -> Self {
        let nanoseconds = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
        };
        Self(nanoseconds)
    }
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, nanoseconds) = (self.0.div_euclid(SECOND), self.0.rem_euclid(SECOND));
        let (year, month, day) = date(seconds.div_euclid(DAY));
        let clock = seconds.rem_euclid(DAY);
        let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
        write!(to, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if nanoseconds != 0 {
            write!(to, ".{}", format!("{nanoseconds:09}").trim_end_matches('0'))?;
        }
        write!(to, "Z")
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("not a time: {text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_read_back_what_they_write() {
        for text in ["2026-11-22T10:12:54.044238462Z", "1970-01-01T00:00:00Z", "2024-02-29T23:59:59.1Z"] {
            assert_eq!(Stamp::parse(text).map(|stamp| stamp.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Stamp::parse("2026-11-22T12:00:00+02:00"), Stamp::parse("2026-11-22T10:00:00Z"));
        assert_eq!(Stamp::parse("x"), None);
        assert_eq!(
            Stamp::parse("2026-11-22T10:12:54.99Z").map(Stamp::seconds).as_deref(),
            Some("2026-11-22T10:12:54Z")
        );
    }
}
