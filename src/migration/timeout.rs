//! How long a migration may take.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// A number of seconds from 1 to a week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(Duration);

/// A value that is no such number, shown on one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Invalid parameter timeout={value}: it is a number of seconds from 1 to 604800 (a week), e.g. timeout=900"
)]
pub struct InvalidTimeout {
    value: String,
}

impl Timeout {
    const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
    /// What the Python charm takes, kept.
    pub const DEFAULT: Self = Self(Duration::from_secs(120));

    /// Reads an action parameter; without one it is the default.
    pub fn parse(parameter: Option<&Value>) -> Result<Self, InvalidTimeout> {
        match parameter {
            None | Some(Value::Null) => Ok(Self::DEFAULT),
            Some(value) => match value.as_f64() {
                Some(seconds) if (1.0..=Self::LONGEST.as_secs_f64()).contains(&seconds) => {
                    Ok(Self(Duration::from_secs_f64(seconds)))
                }
                _ => Err(InvalidTimeout { value: value.to_string().chars().take(60).collect() }),
            },
        }
    }

    /// The same as a duration.
    pub fn duration(self) -> Duration {
        self.0
    }

    /// The one to try next when this was too short.
    pub fn doubled(self) -> Self {
        Self((self.0 * 2).min(Self::LONGEST))
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_sensible_number_of_seconds_is_taken() {
        assert_eq!(Timeout::parse(None).unwrap(), Timeout::DEFAULT);
        for (value, text) in [(json!(1), "1"), (json!(900.0), "900"), (json!(1.5), "1.5")] {
            assert_eq!(Timeout::parse(Some(&value)).unwrap().to_string(), text);
        }
        for value in [json!(0), json!(-5), json!(0.5), json!(1e9), json!("900"), json!(true), json!([1])] {
            let text = Timeout::parse(Some(&value)).unwrap_err().to_string();
            assert!(text.contains(&format!("timeout={value}")) && text.contains("timeout=900"), "{text}");
        }
    }
}
