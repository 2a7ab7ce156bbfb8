//! Small values that several of Pebble's answers and questions hold: words, the names of changes, durations.
//!
//! A newer Pebble may answer with a word that this client has never heard; that must not make a whole answer
//! unreadable, so a known word becomes a variant and any other is kept as it came.

/// Defines an enum of known words with a last variant `Other` for the rest, and its conversions from and to
/// text.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A word that this client does not know, as it came.
            Other(String),
        }

        impl $name {
            /// The word as Pebble writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)+
                    _ => Self::Other(word),
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(super) use open_enum;

use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// The name of a change: a decimal number as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct ChangeId(String);

impl From<String> for ChangeId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl From<&str> for ChangeId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl std::fmt::Display for ChangeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a value whose `null` means the same as its absence (older daemons send `null` for an empty list).
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A duration as Pebble reads it, in seconds with three decimals; never zero, because zero means "no limit"
/// to Pebble.
pub(super) fn go_duration(duration: Duration) -> String {
    format!("{:.3}s", duration.max(Duration::from_millis(1)).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_go_strings_and_never_zero() {
        assert_eq!(go_duration(Duration::from_millis(200)), "0.200s");
        assert_eq!(go_duration(Duration::ZERO), "0.001s");
        assert_eq!(go_duration(Duration::from_secs(3600)), "3600.000s");
    }
}
