//! Durations in Go's notation (`1.5s`, `1h0m0s`, `100ms`), which Pebble reads and writes everywhere.
//!
//! It is given text and gives nanoseconds, and back in Go's one normal form; errors are worded like Go's.

use std::time::Duration;

const SECOND: i64 = 1_000_000_000;

/// A signed duration in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(pub i64);

impl GoDuration {
    /// So many milliseconds.
    #[must_use]
    pub const fn milliseconds(count: i64) -> Self {
        Self(count * 1_000_000)
    }

    /// For sleeping: negative durations are zero.
    #[must_use]
    pub fn to_std(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }

    /// Reads a duration.
    ///
    /// # Errors
    /// Go's own sentence that names the text, e.g. `time: missing unit in duration "5"`.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "what is too large is refused before"
    )]
    pub fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("time: invalid duration {text:?}");
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total = 0_f64;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let number: f64 = rest[..end].parse().map_err(|_| invalid())?;
            rest = &rest[end..];
            let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
            let unit = match &rest[..end] {
                "" => return Err(format!("time: missing unit in duration {text:?}")),
                "ns" => 1.0,
                "us" | "µs" | "μs" => 1e3,
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 60e9,
                "h" => 3600e9,
                unit => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
            };
            rest = &rest[end..];
            total += number * unit;
        }
        if total >= i64::MAX as f64 {
            return Err(invalid());
        }
        let nanoseconds = total.round() as i64;
        Ok(Self(if negative { -nanoseconds } else { nanoseconds }))
    }
}

impl std::fmt::Display for GoDuration {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = self.0.unsigned_abs();
        if self.0 < 0 {
            write!(to, "-")?;
        }
        let decimal = |whole: u64, fraction: u64, digits: usize| {
            let fraction = format!("{fraction:0digits$}");
            match fraction.trim_end_matches('0') {
                "" => whole.to_string(),
                fraction => format!("{whole}.{fraction}"),
            }
        };
        if size == 0 {
            return write!(to, "0s");
        } else if size < 1_000 {
            return write!(to, "{size}ns");
        } else if size < 1_000_000 {
            return write!(to, "{}µs", decimal(size / 1_000, size % 1_000, 3));
        } else if size < SECOND.unsigned_abs() {
            return write!(to, "{}ms", decimal(size / 1_000_000, size % 1_000_000, 6));
        }
        let second = SECOND.unsigned_abs();
        let (seconds, fraction) = (size / second, size % second);
        if seconds >= 3600 {
            write!(to, "{}h", seconds / 3600)?;
        }
        if seconds >= 60 {
            write!(to, "{}m", seconds / 60 % 60)?;
        }
        write!(to, "{}s", decimal(seconds % 60, fraction, 9))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_normalised_like_go() {
        for (from, to) in [
            ("5000ms", "5s"),
            ("0.200s", "200ms"),
            ("168h", "168h0m0s"),
            ("1m30.5s", "1m30.5s"),
            ("-1s", "-1s"),
            ("0", "0s"),
            ("1500us", "1.5ms"),
            ("100us", "100µs"),
        ] {
            assert_eq!(GoDuration::parse(from).map(|d| d.to_string()).as_deref(), Ok(to), "{from}");
        }
    }

    #[test]
    fn bad_durations_name_their_text() {
        assert_eq!(GoDuration::parse("5"), Err("time: missing unit in duration \"5\"".into()));
        assert_eq!(GoDuration::parse(""), Err("time: invalid duration \"\"".into()));
        assert_eq!(GoDuration::parse("5y"), Err("time: unknown unit \"y\" in duration \"5y\"".into()));
    }
}
