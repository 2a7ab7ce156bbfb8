//! The migrations: the real versions and names, with small SQL of the double's own behind them.
//!
//! `list.tsv` holds version, name and kind; `effects.sql` holds the SQL of those that do something here. A release
//! brings all versions up to its last one. The rest does nothing, yet is booked like any other.

/// Applies and reverts.
pub mod runner;

use super::version::Release;
use std::collections::HashMap;

const LIST: &str = include_str!("list.tsv");
const EFFECTS: &str = include_str!("effects.sql");

/// How a migration runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SQL in a transaction of its own, together with its book-keeping row.
    Transaction,
    /// SQL without a transaction; the book-keeping row follows as a statement of its own.
    Autocommit,
    /// A program: one statement of 10,000 rows after another, then the book-keeping row.
    Backfill,
}

/// One migration.
#[derive(Clone, Debug)]
pub struct Migration {
    /// Twenty digits; the order of versions is the order of migrations.
    pub version: &'static str,
    /// The name, which several versions may share.
    pub name: &'static str,
    /// How it runs.
    pub kind: Kind,
    /// The SQL that applies it; of a backfill, the statement that is repeated until it finds no row.
    pub up: String,
    /// The SQL that reverts it.
    pub down: String,
    postgres_only: bool,
}

impl Migration {
    /// The SQL that `status` shows: none for a program.
    pub fn content(&self) -> &str {
        if self.kind == Kind::Backfill { "" } else { &self.up }
    }

    /// The file that logs and errors name, for `direction` `up` or `down`.
    pub fn file(&self, direction: &str) -> String {
        if self.kind == Kind::Backfill {
            let line = match (self.version.ends_with('1'), direction) {
                (true, "up") => 60,
                (true, _) => 145,
                (false, "up") => 193,
                (false, _) => 279,
            };
            return format!("20251105000000000000_identity_id_not_null_fks.go:{line}");
        }
        // Only one of the two last dialect files has a down of its own dialect.
        let dialect = self.postgres_only && (direction == "up" || self.version != "20251105000000000003");
        let middle = match self.kind {
            Kind::Autocommit => ".autocommit",
            _ if dialect => ".postgres",
            _ => "",
        };
        format!("migrations/sql/{}_{}{middle}.{direction}.sql", self.version, self.name)
    }

    /// The name that a rollback logs.
    pub fn down_name(&self) -> String {
        match (self.kind, self.name.strip_prefix("Backfill ")) {
            (Kind::Backfill, Some(what)) => format!("Revert backfill {what} (noop)"),
            _ => self.name.into(),
        }
    }
}

/// The migrations of `release`, in order.
pub fn of(release: Release) -> Vec<Migration> {
    let mut effects = effects();
    LIST.lines()
        .map(|line| {
            let mut fields = line.split('\t');
            let (version, name) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
            let mark = fields.next().unwrap_or("");
            let kind = match mark {
                "autocommit" => Kind::Autocommit,
                "go" => Kind::Backfill,
                _ => Kind::Transaction,
            };
            let nothing = || match mark {
                "empty" | "go" => String::new(),
                _ => format!("-- {name}: no effect here\n"),
            };
            Migration {
                version,
                name,
                kind,
                up: effects.remove(&(version, "up")).unwrap_or_else(nothing),
                down: effects.remove(&(version, "down")).unwrap_or_else(nothing),
                postgres_only: mark == "postgres",
            }
        })
        .take_while(|migration| migration.version <= release.last_migration())
        .collect()
}

fn effects() -> HashMap<(&'static str, &'static str), String> {
    EFFECTS
        .split("--- ")
        .filter_map(|section| {
            let (head, sql) = section.split_once('\n')?;
            let (version, direction) = head.split_once(' ')?;
            Some(((version, direction), sql.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_release_brings_its_own_number() {
        for (release, count) in [(Release::V1_3_1, 315), (Release::V25_4_0, 331), (Release::V26_2_0, 338)] {
            let list = of(release);
            assert_eq!(list.len(), count, "{release}");
            assert_eq!(list.last().map(|last| last.version), Some(release.last_migration()));
            assert!(list.windows(2).all(|pair| pair[0].version < pair[1].version));
        }
    }

    #[test]
    fn every_effect_belongs_to_a_migration_and_can_be_reverted() {
        let list = of(Release::V26_2_0);
        for (version, direction) in effects().keys() {
            assert!(list.iter().any(|migration| migration.version == *version), "{version} {direction}");
            assert!(matches!(*direction, "up" | "down"), "{version} {direction}");
        }
        for migration in list.iter().filter(|migration| migration.kind != Kind::Backfill) {
            let reverts = |sql: &str| sql.is_empty() || sql.starts_with("-- ");
            assert_eq!(reverts(&migration.up), reverts(&migration.down), "{}", migration.version);
        }
        assert_eq!(list.iter().filter(|migration| migration.kind == Kind::Autocommit).count(), 8);
    }

    #[test]
    fn files_are_named_as_in_the_logs() {
        let file = |version: &str, direction| {
            of(Release::V26_2_0).iter().find(|m| m.version == version).unwrap().file(direction)
        };
        assert_eq!(
            file("20251105000000000003", "up"),
            "migrations/sql/20251105000000000003_identity_id_not_null_fks.postgres.up.sql"
        );
        assert_eq!(
            file("20251105000000000003", "down"),
            "migrations/sql/20251105000000000003_identity_id_not_null_fks.down.sql"
        );
        assert_eq!(
            file("20250708190000000000", "up"),
            "migrations/sql/20250708190000000000_identities_external_id.autocommit.up.sql"
        );
        assert_eq!(
            file("20251105000000000002", "down"),
            "20251105000000000000_identity_id_not_null_fks.go:279"
        );
    }
}
