//! Whether the objects in the database are as the pending migrations expect them.

use super::planned_run::PlannedRun;
use super::report::Finding;
use crate::kratos::program::command::ListedMigration;
use crate::migration::program::words;
use crate::migration::repair::{Foreseen, HalfApplied, NotNull};
use crate::postgres::catalog::InvalidIndex;
use crate::postgres::objects::{Objects, has_null};
use crate::postgres::{Connection, Error, Result, catalog};

const REPAIR: &str = "run-migration cannot pass this: see repair-migration";

/// Indexes that a killed build left: later migrations take them for whole.
pub(super) async fn invalid_indexes(connection: &Connection, run: &PlannedRun<'_>) -> Vec<Finding> {
    let found = catalog::invalid_indexes(connection, &words(run.listed)).await;
    Finding::answered(found.map(|indexes| indexes.iter().map(invalid_index).collect()))
}

fn invalid_index(index: &InvalidIndex) -> Finding {
    match index.being_built {
        true => Finding::refusal(
            format!("the index {} of {} is being built just now", index.quoted, index.table),
            "wait for its end: SELECT * FROM pg_stat_progress_create_index",
        ),
        false => Finding::refusal(
            format!("the index {} of {} is invalid", index.quoted, index.table),
            format!("REINDEX INDEX CONCURRENTLY {}", index.quoted),
        ),
    }
}

/// Objects that the pending migrations would make and that are there already: the mark of a killed run.
pub(super) async fn half_applied(connection: &Connection, run: &PlannedRun<'_>) -> Vec<Finding> {
    let look = async {
        let found = foresee(connection, run).await?.half_applied;
        Ok(found.into_iter().map(half_applied_migration).collect())
    };
    match cannot_tell(run) {
        Some(findings) => findings,
        None => Finding::answered(look.await),
    }
}

/// Nulls that the pending migrations forbid: the mark of an old server that wrote in between.
pub(super) async fn null_rows(connection: &Connection, run: &PlannedRun<'_>) -> Vec<Finding> {
    match cannot_tell(run) {
        Some(findings) => findings,
        None => Finding::answered(look_for_nulls(connection, run).await),
    }
}

/// What is to be said without a look: nothing where nothing is pending, and that it is skipped where no SQL is shown.
fn cannot_tell(run: &PlannedRun<'_>) -> Option<Vec<Finding>> {
    match (&run.schema.pending, run.listed) {
        (Some(pending), []) if pending.is_empty() => Some(Vec::new()),
        (None, _) | (_, []) => {
            Some(vec![Finding::skipped("this Kratos does not show the SQL of its migrations")])
        }
        (Some(_), _) => None,
    }
}

async fn foresee(connection: &Connection, run: &PlannedRun<'_>) -> Result<Foreseen> {
    let is_pending = |listed: &&ListedMigration| {
        let mut pending = run.schema.pending.iter().flatten();
        pending.any(|migration| migration.version.to_string() == listed.version)
    };
    let pending: Vec<_> = run.listed.iter().filter(is_pending).collect();
    Ok(Foreseen::new(&pending, &Objects::read(connection).await?))
}

async fn look_for_nulls(connection: &Connection, run: &PlannedRun<'_>) -> Result<Vec<Finding>> {
    let mut nulls = Vec::new();
    for NotNull { version, table, column } in foresee(connection, run).await?.not_null {
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
    Ok(nulls)
}

fn half_applied_migration(half: HalfApplied) -> Finding {
    let HalfApplied { version, name, autocommit, found } = half;
    let text = format!("{}, though migration {version} {name} is pending", found.join(", "));
    match autocommit {
        true => Finding::refusal(text, REPAIR),
        false => Finding::warning(text, "the migration is likely to fail there; find out who made that"),
    }
}
