//! Whether the objects in the database are as the pending migrations expect them.

use super::report::{Check, Finding};
use super::{Facts, unanswered};
use crate::kratos::program::command::ListedMigration;
use crate::migration::repair::{Foreseen, HalfApplied, NotNull};
use crate::postgres::objects::{Objects, has_null};
use crate::postgres::{Connection, Error, Result, catalog};

const REPAIR: &str = "run-migration cannot pass this: see repair-migration";

/// Indexes that a killed build left: later migrations take them for whole.
pub(super) async fn invalid_indexes(connection: &Connection) -> Check {
    let findings = match catalog::invalid_indexes(connection).await {
        Err(error) => vec![unanswered(&error)],
        Ok(indexes) => indexes
            .into_iter()
            .map(|index| match index.being_built {
                true => Finding::refusal(
                    format!("the index {} of {} is being built just now", index.quoted, index.table),
                    "wait for its end: SELECT * FROM pg_stat_progress_create_index",
                ),
                false => Finding::refusal(
                    format!("the index {} of {} is invalid", index.quoted, index.table),
                    format!("REINDEX INDEX CONCURRENTLY {}", index.quoted),
                ),
            })
            .collect(),
    };
    Check::new("invalid-indexes", findings)
}

/// Half-applied objects and nulls: the marks of the two wedges.
pub(super) async fn foreseen(connection: &Connection, facts: &Facts<'_>) -> [Check; 2] {
    let (half, nulls) = match (&facts.schema.pending, facts.listed) {
        (Some(pending), []) if pending.is_empty() => (Vec::new(), Vec::new()),
        (None, _) | (_, []) => {
            let skipped = || vec![Finding::skipped("this Kratos does not show the SQL of its migrations")];
            (skipped(), skipped())
        }
        (Some(_), _) => match look(connection, facts).await {
            Ok(found) => found,
            Err(error) => (vec![unanswered(&error)], vec![unanswered(&error)]),
        },
    };
    [Check::new("half-applied", half), Check::new("null-rows", nulls)]
}

async fn look(connection: &Connection, facts: &Facts<'_>) -> Result<(Vec<Finding>, Vec<Finding>)> {
    let is_pending = |listed: &&ListedMigration| {
        let mut pending = facts.schema.pending.iter().flatten();
        pending.any(|migration| migration.version.to_string() == listed.version)
    };
    let pending: Vec<_> = facts.listed.iter().filter(is_pending).collect();
    let Foreseen { half_applied, not_null } = Foreseen::of(&pending, &Objects::read(connection).await?);
    let mut nulls = Vec::new();
    for NotNull { version, table, column } in not_null {
        match has_null(connection, &table, &column).await {
            Ok(false) => {}
            Ok(true) => nulls.push(Finding::refusal(
                format!("{table}.{column} holds nulls, which migration {version} forbids and nothing pending fills"),
                REPAIR,
            )),
            Err(Error::Canceled { .. }) => nulls.push(Finding::warning(
                format!("{table} is too big to be searched for nulls, which migration {version} forbids"),
                format!("SELECT count(*) FROM {table} WHERE {column} IS NULL"),
            )),
            Err(error) => return Err(error),
        }
    }
    Ok((half_applied.into_iter().map(of_half).collect(), nulls))
}

fn of_half(half: HalfApplied) -> Finding {
    let HalfApplied { version, name, autocommit, found } = half;
    let text = format!("{}, though migration {version} {name} is pending", found.join(", "));
    match autocommit {
        true => Finding::refusal(text, REPAIR),
        false => Finding::warning(text, "the migration is likely to fail there; find out who made that"),
    }
}
