//! Durations as Go writes them: `60s`, `1m30s`, `500ms`, `-1s`.

use std::time::Duration;

use super::Fault;

/// A duration; a negative one (wait forever) is none.
pub(super) fn parse(option: &str, text: &str) -> Result<Option<Duration>, Fault> {
    let refused = || {
        Fault::Usage(format!(
            "invalid value \"{text}\" for option --{option}: time: invalid duration \"{text}\""
        ))
    };
    let (negative, mut rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    if rest == "0" {
        return Ok(Some(Duration::ZERO));
    }
    if rest.is_empty() {
        return Err(refused());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refused)?;
        let number: f64 = rest[..end].parse().map_err(|_| refused())?;
        let units = [("ms", 0.001), ("us", 1e-6), ("ns", 1e-9), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
        let (unit, factor) =
            units.into_iter().find(|(unit, _)| rest[end..].starts_with(unit)).ok_or_else(refused)?;
        seconds += number * factor;
        rest = &rest[end + unit.len()..];
    }
    if negative {
        return Ok(None);
    }
    Duration::try_from_secs_f64(seconds).map(Some).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, millis) in [
            ("60s", Some(60_000)),
            ("1m30s", Some(90_000)),
            ("250ms", Some(250)),
            ("1.5h", Some(5_400_000)),
            ("-1s", None),
        ] {
            assert_eq!(parse("wait", text).unwrap().map(|d| d.as_millis()), millis, "{text}");
        }
        for text in ["", "5", "s", "5x", "5m3"] {
            assert!(parse("wait", text).is_err(), "{text}");
        }
    }
}
