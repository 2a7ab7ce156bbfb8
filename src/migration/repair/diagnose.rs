//! Which of the two wedges it is, from facts in the database.

use std::collections::BTreeSet;
use std::fmt;

use super::effect::effects;
use super::foresee::{Foreseen, HalfApplied, NotNull};
use super::known::{BACKFILLS, NOT_NULL};
use super::twin::{Comparison, compare};
use crate::kratos::program::command::ListedMigration;
use crate::migration::schema::{Known, Migration, MigrationVersion, Schema};
use crate::postgres::objects::{Objects, has_null};
use crate::postgres::{Connection, Result, catalog};

/// What is wrong with a database. Its text says what was found and what a repair would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Diagnosis {
    /// Nothing that is looked for.
    None,
    /// Rows without the value that the next migration demands, while their backfills are booked.
    WedgeA {
        /// Each column that holds nulls, as `table.column`.
        columns: Vec<String>,
        /// The booked backfills, oldest first: they are the newest rows of `schema_migration`.
        backfills: Vec<String>,
    },
    /// A migration outside a transaction is done and not booked.
    WedgeB {
        version: String,
        name: String,
        /// Each object, as the catalog describes it; the migration would make the same.
        objects: Vec<String>,
    },
    /// Something is in the way that no repair is known for.
    Unknown { why: String },
}

impl Diagnosis {
    /// A stable label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::WedgeA { .. } => "wedge-a",
            Self::WedgeB { .. } => "wedge-b",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The SQL that a repair runs, in one transaction.
    pub fn sql(&self) -> Option<String> {
        match self {
            Self::None | Self::Unknown { .. } => None,
            Self::WedgeA { backfills, .. } => {
                Some(format!("DELETE FROM schema_migration WHERE version IN ('{}')", backfills.join("', '")))
            }
            Self::WedgeB { version, .. } => {
                Some(format!("INSERT INTO schema_migration (version) VALUES ('{version}')"))
            }
        }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("Nothing to repair was found"),
            Self::WedgeA { columns, backfills } => write!(
                formatter,
                "Rows were written while a migration ran: {} holds nulls that migration {NOT_NULL} forbids, and the \
                 backfills {} are booked already, so every run fails. The repair makes them pending again, and the \
                 next run fills the rows",
                columns.join(" and "),
                backfills.join(" and ")
            ),
            Self::WedgeB { version, name, objects } => write!(
                formatter,
                "Migration {version} {name} is done and not booked, since a run was killed in between, so every run \
                 fails: {} is what it would make. The repair books it",
                objects.join("; ")
            ),
            Self::Unknown { why } => write!(formatter, "No repair is known: {why}"),
        }?;
        self.sql().map_or(Ok(()), |sql| write!(formatter, ": {sql}"))
    }
}

/// Looks for a wedge; `listed` are all migrations that the program knows, with their SQL, in its order.
///
/// It changes nothing, but needs a role that may make temporary tables, in a transaction that is rolled back.
/// With several things in the way it tells the one that the next run meets first.
pub async fn diagnose(connection: &Connection, listed: &[ListedMigration]) -> Result<Diagnosis> {
    let rows = catalog::applied_versions(connection).await?.unwrap_or_default();
    let pending = pending(listed, &rows);
    let objects = Objects::read(connection).await?;
    let Foreseen { half_applied, not_null } = Foreseen::new(&pending, &objects);
    let mut with_nulls = Vec::new();
    for found in not_null {
        if has_null(connection, &found.table, &found.column).await? {
            with_nulls.push(found);
        }
    }
    let first_null = with_nulls.first().map(|found| found.version.clone());
    match half_applied.first() {
        Some(half) if first_null.is_none_or(|version| half.version <= version) => {
            let sql = pending.iter().find(|migration| migration.version == half.version);
            diagnose_half_applied(connection, half, sql.map_or("", |migration| &migration.content)).await
        }
        _ if with_nulls.is_empty() => Ok(Diagnosis::None),
        _ => Ok(diagnose_nulls(&with_nulls, &rows)),
    }
}

/// Those of `listed` that are not booked.
fn pending<'l>(listed: &'l [ListedMigration], rows: &BTreeSet<String>) -> Vec<&'l ListedMigration> {
    let named = |migration: &ListedMigration| {
        let version = MigrationVersion::parse(&migration.version)?;
        Some(Migration { version, name: migration.name.clone() })
    };
    let known = Known::Listed(listed.iter().filter_map(named).collect());
    let pending = Schema::compare(rows, &known, false).pending.unwrap_or_default();
    let versions: BTreeSet<_> = pending.iter().map(|migration| migration.version.to_string()).collect();
    listed.iter().filter(|migration| versions.contains(&migration.version)).collect()
}

async fn diagnose_half_applied(connection: &Connection, half: &HalfApplied, sql: &str) -> Result<Diagnosis> {
    let HalfApplied { version, name, autocommit, found } = half;
    let found = found.join(", ");
    let why = if *autocommit {
        match compare(connection, sql, &effects(sql)).await? {
            Comparison::Equal(objects) => {
                return Ok(Diagnosis::WedgeB { version: version.clone(), name: name.clone(), objects });
            }
            Comparison::Different(difference) => difference,
            Comparison::NotComparable => "it does more than can be compared".to_owned(),
        }
    } else {
        "it runs in a transaction, so no interrupted run has left that".to_owned()
    };
    Ok(Diagnosis::Unknown { why: format!("{found}, and migration {version} {name} is pending; {why}") })
}

fn diagnose_nulls(nulls: &[NotNull], rows: &BTreeSet<String>) -> Diagnosis {
    let columns: Vec<_> = nulls.iter().map(|null| format!("{}.{}", null.table, null.column)).collect();
    let unknown =
        |why: &str| Diagnosis::Unknown { why: format!("{} holds nulls; {why}", columns.join(" and ")) };
    let fills = |null: &NotNull| {
        let fills =
            BACKFILLS.iter().find(|backfill| backfill.table == null.table && backfill.column == null.column);
        null.version == NOT_NULL && fills.is_some_and(|backfill| rows.contains(backfill.version))
    };
    if !nulls.iter().all(fills) {
        return unknown("no booked backfill fills them");
    }
    let backfills: Vec<_> = BACKFILLS.iter().map(|it| it.version).filter(|it| rows.contains(*it)).collect();
    let newest: BTreeSet<_> = rows.iter().rev().take(backfills.len()).map(String::as_str).collect();
    if !backfills.iter().all(|version| newest.contains(version)) {
        return unknown("migrations that are newer than the backfills are booked");
    }
    Diagnosis::WedgeA { columns, backfills: backfills.into_iter().map(str::to_owned).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(versions: &[&str]) -> BTreeSet<String> {
        versions.iter().map(|version| (*version).to_owned()).collect()
    }

    fn null(table: &str) -> NotNull {
        NotNull { version: NOT_NULL.into(), table: table.into(), column: "identity_id".into() }
    }

    const BOTH: [&str; 3] = ["20251104000000000000", "20251105000000000001", "20251105000000000002"];

    #[test]
    fn nulls_behind_booked_backfills_are_wedge_a() {
        let found = diagnose_nulls(&[null("session_devices")], &rows(&BOTH));
        assert_eq!(
            found.sql().unwrap(),
            "DELETE FROM schema_migration WHERE version IN ('20251105000000000001', '20251105000000000002')"
        );
        let first = diagnose_nulls(&[null("identity_credential_identifiers")], &rows(&BOTH[..2]));
        assert!(first.to_string().ends_with("version IN ('20251105000000000001')"), "{first}");
    }

    #[test]
    fn other_nulls_are_left_alone() {
        let newer = [BOTH.as_slice(), &["20260114175904000000"]].concat();
        for (nulls, rows) in [
            (vec![null("session_devices")], rows(&newer)),
            (vec![null("session_devices")], rows(&BOTH[..2])),
            (vec![null("session_devices"), null("sessions")], rows(&BOTH)),
        ] {
            assert_eq!(diagnose_nulls(&nulls, &rows).kind(), "unknown");
        }
    }
}
