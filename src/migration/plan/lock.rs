//! PostgreSQL's table locks, and whom they keep out.

use std::fmt;

use serde::{Serialize, Serializer};

/// A table lock, from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

impl LockMode {
    const ALL: [Self; 8] = [
        Self::AccessShare,
        Self::RowShare,
        Self::RowExclusive,
        Self::ShareUpdateExclusive,
        Self::Share,
        Self::ShareRowExclusive,
        Self::Exclusive,
        Self::AccessExclusive,
    ];

    /// Reads a mode as `pg_locks` spells it, e.g. `AccessExclusiveLock`.
    pub fn from_catalog(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| text.strip_suffix("Lock") == Some(&format!("{mode:?}")))
    }

    /// Whether nobody can read the table while it is held.
    pub fn blocks_reads(self) -> bool {
        self == Self::AccessExclusive
    }

    /// Whether nobody can write to the table while it is held.
    pub fn blocks_writes(self) -> bool {
        self >= Self::Share
    }
}

/// As PostgreSQL's manual writes it.
impl fmt::Display for LockMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        })
    }
}

impl Serialize for LockMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_the_catalog_spells_them() {
        for mode in LockMode::ALL {
            assert_eq!(LockMode::from_catalog(&format!("{mode:?}Lock")), Some(mode));
        }
        assert_eq!(LockMode::from_catalog("SIReadLock"), None);
    }

    #[test]
    fn only_strong_modes_block() {
        let blocking =
            |blocks: fn(LockMode) -> bool| LockMode::ALL.into_iter().filter(|mode| blocks(*mode)).count();
        assert_eq!((blocking(LockMode::blocks_reads), blocking(LockMode::blocks_writes)), (1, 4));
    }
}
