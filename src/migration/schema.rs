//! What the database and the program say about each other: which migrations are applied, pending or unknown.
//!
//! Given the rows of `schema_migration` and the migrations that a Kratos program knows, [`Schema::compare`]
//! tells the truth from which everything else is decided; a version string decides nothing.

use std::collections::BTreeSet;
use std::fmt;

use crate::kratos::WorkloadVersion;

/// The length of the prefix under which older Kratos releases booked a migration.
const SHORT: usize = 14;

/// A migration's number as Kratos books it: digits, the first 14 of which are a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MigrationVersion(String);

impl MigrationVersion {
    /// Takes a text of 1 to 48 digits, the width of the bookkeeping column.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = (1..=48).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| Self(text.to_owned()))
    }

    fn is_booked_as(&self, row: &str) -> bool {
        self.0 == row || self.0.get(..SHORT) == Some(row)
    }
}

impl fmt::Display for MigrationVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A migration that a Kratos program carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    pub version: MigrationVersion,
    /// What Kratos calls it; may be empty.
    pub name: String,
}

impl fmt::Display for Migration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => write!(formatter, "{}", self.version),
            name => write!(formatter, "{} {name}", self.version),
        }
    }
}

/// The migrations that a program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// All of them, in the order in which the program applies them.
    Listed(Vec<Migration>),
    /// The program cannot tell and is not asked (before v25 the question would migrate); its newest
    /// possible migration is known.
    UpTo(MigrationVersion),
}

/// The newest migration of Kratos v1, whose programs have no `migrate sql status`.
const NEWEST_OF_V1: &str = "20240425095000000001";

/// The migrations of v1.3.1, the release that most deployments upgrade from (facts measured on the program).
const KNOWN_BY_V1_3_1: &str = include_str!("known_v1.3.1.txt");

impl Known {
    /// What is known about a program that cannot be asked.
    pub fn without_status(version: &WorkloadVersion) -> Self {
        let migrations = || KNOWN_BY_V1_3_1.lines().filter_map(MigrationVersion::parse);
        if version.to_string() == "v1.3.1" {
            Self::Listed(migrations().map(|version| Migration { version, name: String::new() }).collect())
        } else {
            Self::UpTo(MigrationVersion(NEWEST_OF_V1.to_owned()))
        }
    }
}

/// The database's schema, seen from one Kratos program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Rows of `schema_migration` that the program knows.
    pub applied: usize,
    /// What the program would apply, oldest first; `None`: the program cannot tell.
    pub pending: Option<Vec<Migration>>,
    /// Rows above the program's newest migration: a newer Kratos migrated this database.
    pub unknown: Vec<String>,
    /// Other rows that the program does not know. Whoever shares the table wrote them, as other programs of Ory do; they say
    /// nothing about Kratos, and are left alone.
    pub foreign: Vec<String>,
    /// No Kratos ever served from this database, so there is nothing in it to lose.
    pub unused: bool,
}

impl Schema {
    /// Whether nothing at all is booked, and no Kratos ever served from it.
    pub fn is_empty(&self) -> bool {
        self.unused && self.applied == 0 && self.unknown.is_empty()
    }

    /// Compares the rows of the bookkeeping table (none when it is absent) with what the program knows.
    pub fn compare(rows: &BTreeSet<String>, known: &Known, unused: bool) -> Self {
        match known {
            Known::Listed(migrations) => {
                let is_booked = |migration: &&Migration| {
                    let version = &migration.version.0;
                    rows.contains(version) || version.get(..SHORT).is_some_and(|short| rows.contains(short))
                };
                let (booked, pending): (Vec<_>, Vec<_>) = migrations.iter().partition(|item| is_booked(item));
                let is_known = |row: &str| booked.iter().any(|migration| migration.version.is_booked_as(row));
                let newest =
                    migrations.iter().map(|migration| migration.version.0.as_str()).max().unwrap_or("");
                let others = rows.iter().filter(|row| !is_known(row)).cloned();
                let (unknown, foreign) = others.partition(|row| is_above(row, newest));
                Self {
                    applied: booked.len(),
                    pending: Some(pending.into_iter().cloned().collect()),
                    unknown,
                    foreign,
                    unused,
                }
            }
            Known::UpTo(newest) => {
                let (unknown, others): (Vec<_>, Vec<_>) =
                    rows.iter().cloned().partition(|row| is_above(row, &newest.0));
                // Which of them are others' cannot be told.
                Self { applied: others.len(), pending: None, unknown, foreign: Vec::new(), unused }
            }
        }
    }

    /// Whether the program may serve from this database: nothing is pending and nothing is unknown to it.
    pub fn is_current(&self) -> bool {
        self.unknown.is_empty() && self.pending.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether a newer Kratos migrated the database.
    pub fn is_newer(&self) -> bool {
        !self.unknown.is_empty()
    }

    /// How many migrations are pending, where the program can tell.
    pub fn pending_count(&self) -> Option<usize> {
        self.pending.as_ref().map(Vec::len)
    }
}

/// Whether a row is the number of a migration that is newer than `newest`.
fn is_above(row: &str, newest: &str) -> bool {
    MigrationVersion::parse(row).is_some() && row > newest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(versions: &[&str]) -> Known {
        let migration = |text: &&str| Migration {
            version: MigrationVersion::parse(text).unwrap(),
            name: "step".to_owned(),
        };
        Known::Listed(versions.iter().map(migration).collect())
    }

    fn rows(versions: &[&str]) -> BTreeSet<String> {
        versions.iter().map(|version| (*version).to_owned()).collect()
    }

    const OLD: &str = "20191100000001000000";
    const MIDDLE: &str = "20230920171028000000";
    const NEW: &str = "20260114175904000000";

    #[test]
    fn an_empty_database_has_everything_pending() {
        let schema = Schema::compare(&rows(&[]), &known(&[OLD, NEW]), true);
        assert_eq!((schema.applied, schema.pending_count(), schema.is_current()), (0, Some(2), false));
    }

    #[test]
    fn a_row_of_fourteen_characters_counts() {
        let schema = Schema::compare(&rows(&[&OLD[..14], NEW]), &known(&[OLD, NEW]), false);
        assert!(schema.is_current(), "{schema:?}");
    }

    #[test]
    fn a_gap_in_the_middle_is_pending() {
        let schema = Schema::compare(&rows(&[OLD, NEW]), &known(&[OLD, MIDDLE, NEW]), false);
        assert_eq!(schema.pending.unwrap()[0].to_string(), format!("{MIDDLE} step"));
    }

    #[test]
    fn a_row_that_the_program_does_not_know_is_newer() {
        let schema = Schema::compare(&rows(&[OLD, NEW]), &known(&[OLD]), false);
        assert_eq!((schema.is_newer(), schema.is_current(), schema.pending_count()), (true, false, Some(0)));
    }

    #[test]
    fn rows_of_another_program_in_the_same_table_are_left_alone() {
        let rows = rows(&[OLD, "20201110175414000000", "20230228091200000000", "keto", "", NEW]);
        let schema = Schema::compare(&rows, &known(&[OLD, MIDDLE, NEW]), false);
        assert_eq!((schema.is_newer(), schema.applied, schema.pending_count()), (false, 2, Some(1)));
        assert_eq!(schema.foreign, ["", "20201110175414000000", "20230228091200000000", "keto"]);
        let schema = Schema::compare(&rows, &known(&[OLD, MIDDLE]), false);
        assert_eq!(schema.unknown, [NEW], "one above all is a newer Kratos'");
        let schema = Schema::compare(&rows, &Known::UpTo(MigrationVersion(MIDDLE.to_owned())), false);
        assert_eq!(schema.unknown, [NEW]);
    }

    #[test]
    fn programs_before_status_are_judged_without_being_asked() {
        let version = WorkloadVersion::parse("v1.3.1").unwrap();
        let Known::Listed(list) = Known::without_status(&version) else { panic!() };
        assert_eq!((list.len(), list[314].version.to_string().as_str()), (315, NEWEST_OF_V1));

        let older = Known::without_status(&WorkloadVersion::parse("v1.1.0").unwrap());
        let schema = Schema::compare(&rows(&[OLD, NEW]), &older, false);
        assert_eq!((schema.applied, schema.pending_count(), schema.is_newer()), (1, None, true));
        assert!(!Schema::compare(&rows(&[OLD]), &older, false).is_current(), "unknown is never done");
    }
}
