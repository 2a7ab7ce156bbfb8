//! The names of the checks.

use std::fmt;

/// Names each check once: its variant and its text, in the order in which the checks are asked.
macro_rules! check_names {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A check of the preflight.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum CheckName {
            $($(#[$doc])* $name,)*
        }

        impl CheckName {
            /// All of them, in the order in which they are asked.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its stable name, in kebab case.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

check_names! {
    Reachable = "reachable",
    /// Each connection has a session of its own.
    Pooler = "pooler",
    WritablePrimary = "writable-primary",
    /// Of Kratos' tables.
    Ownership = "ownership",
    /// The right to create tables and missing extensions.
    Create = "create",
    InvalidIndexes = "invalid-indexes",
    /// What is pending is there already.
    HalfApplied = "half-applied",
    /// Nulls that a pending migration forbids.
    NullRows = "null-rows",
    OtherMigration = "other-migration",
    LongTransactions = "long-transactions",
    /// A logical replication that writes into this database.
    Subscription = "subscription",
    PreparedTransactions = "prepared-transactions",
    OtherWriters = "other-writers",
    Replication = "replication",
    Disk = "disk",
    /// The timeout.
    Time = "time",
}

impl fmt::Display for CheckName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own() {
        for (at, name) in CheckName::ALL.iter().enumerate() {
            let text = name.as_str();
            assert!(text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{text}");
            assert!(CheckName::ALL[..at].iter().all(|other| other.as_str() != text), "{text}");
        }
    }
}
